"""Adds up what happened: runs by outcome, waits, gaps, launches, job by job."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, final

import attrs
import trio

from muxd.events import BrowserDown, BrowserUp, Event, RunEnded, RunReleased, RunStarted
from muxd.record import Outcome
from muxd.release import Cause

if TYPE_CHECKING:
    from muxd.simulation.world import World

__all__ = ["JobTally", "Tally"]


@attrs.define
class JobTally:
    """One job's numbers. Waits are from a release to its start, seconds."""

    outcomes: Counter[Outcome] = attrs.field(factory=Counter)
    causes: Counter[Cause] = attrs.field(factory=Counter)
    waits: list[float] = attrs.field(factory=list)
    durations: list[float] = attrs.field(factory=list)
    """Of good runs, seconds."""


@final
class Tally:
    """Listens to the events of all lives."""

    def __init__(self, world: World) -> None:
        """Nothing has happened yet."""
        self.jobs: dict[str, JobTally] = {}
        self.collisions = 0
        """Releases by their slots that found the browser with another run, or others waiting."""
        self.idle: list[float] = []
        """How long the browser had nothing to do, each time, seconds; while the daemon was up."""
        self.busy = 0.0
        """How long runs had the browser, seconds."""
        self.launches = self.losses = self.recycled = 0
        self._world = world
        # {run id: when it was released, in trio's time}
        self._released: dict[str, float] = {}
        self._running: str | None = None
        self._since = trio.current_time()  # it has been busy, or idle

    def heard(self, event: Event) -> None:
        """Something happens."""
        match event:
            case RunReleased(record=record):
                if record.cause is Cause.slot and (self._running or self._released):
                    self.collisions += 1
                self._released[record.id] = trio.current_time()
            case RunStarted(record=record):
                now = trio.current_time()
                released = self._released.pop(record.id, now)
                if record.cause is Cause.slot:
                    self._job(record.job).waits.append(now - released)
                self._turn(record.id)
            case RunEnded(record=record):
                tally = self._job(record.job)
                assert record.outcome is not None
                tally.outcomes[record.outcome] += 1
                tally.causes[record.cause] += 1
                self._released.pop(record.id, None)
                if record.id == self._running:
                    if record.outcome is Outcome.ok:
                        tally.durations.append(trio.current_time() - self._since)
                    self._turn(None)
            case BrowserUp():
                self.launches += 1
            case BrowserDown(reason=reason):
                self.recycled += reason.startswith("recycled")
                self.losses += not reason.startswith(("recycled", "closed"))

    def begins(self) -> None:
        """A daemon starts."""
        self._since = trio.current_time()

    def ends(self) -> None:
        """A daemon has ended, and its runs with it."""
        self._turn(None)
        self._released.clear()

    def _job(self, name: str) -> JobTally:
        return self.jobs.setdefault(name, JobTally())

    def _turn(self, running: str | None) -> None:
        now = trio.current_time()
        if self._running is None:
            if now > self._since:
                self.idle.append(now - self._since)
        else:
            self.busy += now - self._since
        self._running, self._since = running, now
