"""What is counted for Prometheus: plain numbers, made of events."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, final

import attrs

from muxd.events import (
    BrowserDown,
    BrowserUp,
    EventsMissing,
    Notified,
    RunEnded,
    RunStarted,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from muxd.events import Event
    from muxd.record import Record

__all__ = ["BOUNDS", "COUNTED", "OTHERS", "Counts", "Histogram", "PerJob"]

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""The upper bounds of the buckets, seconds: from a click to the longest harvest."""
JOBS = 300
"""How many jobs have numbers of their own: the first that have had a run. With 10,000 of them a
scrape would be half a million lines."""
OTHERS = "(others)"
"""The name of all further ones together: no job can have it."""
COUNTED = (RunStarted, RunEnded, BrowserUp, BrowserDown, Notified, EventsMissing)
"""What is counted; nothing else need be told."""


@final
@attrs.define(eq=False)
class Histogram:
    """How often something took how long."""

    counts: list[int] = attrs.field(factory=lambda: [0] * (len(BOUNDS) + 1))
    """In each bucket, not in those below it; the last is for all beyond `BOUNDS`."""
    sum: float = 0.0

    def add(self, seconds: float) -> None:
        """One more. A clock that was stepped back makes it 0."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def copy(self) -> Histogram:
        """As it is now."""
        return Histogram(self.counts.copy(), self.sum)


@final
@attrs.define(eq=False)
class PerJob:
    """The runs of one job."""

    outcomes: dict[str, int] = attrs.field(factory=dict)
    duration: Histogram = attrs.field(factory=Histogram)
    lateness: Histogram = attrs.field(factory=Histogram)
    last_good: float | None = None
    """When the last ended well, Unix seconds."""

    def copy(self) -> PerJob:
        """As it is now."""
        return PerJob(
            self.outcomes.copy(), self.duration.copy(), self.lateness.copy(), self.last_good
        )


@final
@attrs.define(eq=False)
class Counts:
    """All of it, from 0 at the daemon's start, as Prometheus wants it."""

    jobs: dict[str, PerJob] = attrs.field(factory=dict)
    """By name; `JOBS` of them, and `OTHERS`."""
    generations: dict[str, int] = attrs.field(
        factory=lambda: {"start": 0, "recycled": 0, "lost": 0}
    )
    """How many browsers came up, by why they were needed."""
    failed_launches: int = 0
    notifications: dict[str, int] = attrs.field(factory=lambda: {"sent": 0, "failed": 0})
    missing: int = 0
    """Events that were not taken in time: so much is not counted."""
    busy: float = 0.0
    """For how long runs had the browser, those that have ended, seconds."""
    least_gap: float | None = None
    """The least time between the end of a run and the start of the next that a slot asked for."""
    _begun: dict[str, float] = attrs.field(factory=dict)
    _ended_at: float | None = None
    _why: str = "start"
    _up: bool = False

    def take(self, event: Event, now: float) -> None:
        """Count one event. `now`: seconds on a clock that is never stepped."""
        match event:
            case RunStarted():
                self._started(event.record, now)
            case RunEnded():
                self._ended(event.record, now)
            case BrowserUp():
                self.generations[self._why] += 1
                self._up = True
            case BrowserDown():
                if not self._up:
                    self.failed_launches += 1
                elif event.reason.startswith("recycled"):
                    self._why = "recycled"
                else:
                    self._why = "lost"
                self._up = False
            case Notified():
                self.notifications["sent" if event.error is None else "failed"] += 1
            case EventsMissing():
                self.missing += event.count
                self._begun.clear()  # its end may be among them
            case _:
                pass

    def busy_until(self, now: float) -> float:
        """As `busy`, with what the run in progress had so far: it only ever grows."""
        return self.busy + sum(max(0.0, now - begun) for begun in self._begun.values())

    def forget_all_but(self, jobs: Collection[str]) -> None:
        """Jobs that are gone make room for others."""
        for name in [each for each in self.jobs if each != OTHERS and each not in jobs]:
            del self.jobs[name]

    def _started(self, record: Record, now: float) -> None:
        self._begun[record.id] = now
        job = self._of(record.job)
        if record.lateness is not None:
            job.lateness.add(record.lateness)
        if self._ended_at is not None and record.cause == "slot":
            gap = max(0.0, now - self._ended_at)
            self.least_gap = gap if self.least_gap is None else min(gap, self.least_gap)

    def _ended(self, record: Record, now: float) -> None:
        assert record.outcome is not None
        job = self._of(record.job)
        job.outcomes[record.outcome.value] = job.outcomes.get(record.outcome.value, 0) + 1
        begun = self._begun.pop(record.id, None)
        if begun is not None:
            self.busy += now - begun
            self._ended_at = now
        if record.duration is not None:
            job.duration.add(record.duration)
        if record.outcome.good:
            job.last_good = record.ended_at

    def _of(self, name: str) -> PerJob:
        if name not in self.jobs and len(self.jobs) - (OTHERS in self.jobs) >= JOBS:
            name = OTHERS
        found = self.jobs.get(name)
        if found is None:
            found = self.jobs[name] = PerJob()
        return found
