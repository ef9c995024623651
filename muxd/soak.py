"""What many runs of one job, one after another, say about it, and about what it should declare."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from muxd.learned import Learned
from muxd.record import Outcome
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Soak"]

ENOUGH = 3
"""How many good runs it takes to suggest anything."""
ENOUGH_FOR_GROWTH = 10
"""How many measurements of the browser it takes to say that it grows."""
SHORTEST_TIMEOUT = 10
"""Seconds: a shorter one is hit as soon as the machine is busy."""
_STEPS = ((20, 1), (120, 5), (600, 15), (math.inf, 60))
"""Seconds, and the whole of what durations up to there are."""


@attrs.frozen
class Soak:
    """The runs together."""

    job: str
    outcomes: Mapping[str, int]
    """How many ended so; none of them is 0."""
    durations: Learned | None
    """Of the good runs; None if there was none."""
    longest: float | None
    """Of all runs that have begun, seconds."""
    left: Mapping[str, int]
    """What runs left to be taken away, in words, and how many."""
    harms: Mapping[str, int]
    """What they cost others."""
    memory: Sequence[int]
    """What the browser took after each run, bytes, of those after which it was measured."""
    interval: int | None = None
    """The job's, seconds, if it is known."""

    @classmethod
    def of(
        cls,
        records: Sequence[Mapping[str, Any]],
        memory: Iterable[int | None] = (),
        *,
        interval: int | None = None,
    ) -> Soak:
        """From records as JSON has them, oldest first, one or more."""
        good = [each["duration"] for each in records if Outcome(each["outcome"]).good]
        begun = [each["duration"] for each in records if each["duration"] is not None]
        counted = [duration for duration in good if duration is not None]
        return cls(
            job=records[0]["job"],
            outcomes=dict(Counter(str(each["outcome"]) for each in records).most_common()),
            durations=Learned.of(counted[::-1][: Learned.NEWEST]) if counted else None,
            longest=max(begun, default=None),
            left=dict(Counter(each["left"] for each in records if each["left"]).most_common()),
            harms=dict(Counter(each["harm"] for each in records if each["harm"]).most_common()),
            memory=[each for each in memory if each is not None],
            interval=interval,
        )

    @property
    def runs(self) -> int:
        """How many they were."""
        return sum(self.outcomes.values())

    @property
    def growth(self) -> float | None:
        """How many bytes the browser has grown a run, once it was warm; None with too few runs."""
        if len(self.memory) < ENOUGH_FOR_GROWTH:
            return None
        third = len(self.memory) // 3
        early, late = self.memory[third : 2 * third], self.memory[-third:]
        between = len(self.memory) - 2 * third
        return (_median(late) - _median(early)) / between

    @property
    def duration(self) -> str | None:
        """What the job's `duration` should be; None with too few good runs."""
        if self.durations is None or self.durations.runs < ENOUGH:
            return None
        return format_duration(self._whole(self.durations.p95))

    @property
    def timeout(self) -> str | None:
        """What its `timeout` should be; None with too few good runs.

        None, too, if a run has met the one there is: it may have been too short, or the run hung.
        """
        if self.durations is None or self.longest is None or self.duration is None:
            return None
        if self.outcomes.get(Outcome.timed_out):
            return None
        limit = max(3 * self._whole(self.durations.p95), 2 * self.longest, SHORTEST_TIMEOUT)
        return format_duration(self._whole(limit))

    def _whole(self, seconds: float) -> int:
        """Rounded up to what a person would write, and not above the interval."""
        whole = _rounded_up(seconds)
        return whole if self.interval is None else min(whole, self.interval)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: stable keys."""
        known = self.durations
        return {
            "job": self.job,
            "runs": self.runs,
            "outcomes": dict(self.outcomes),
            "duration": None
            if known is None
            else {
                "p50": round(known.p50, 3),
                "p95": round(known.p95, 3),
                "longest": round(self.longest or 0.0, 3),
            },
            "left": dict(self.left),
            "harms": dict(self.harms),
            "memory": None
            if not self.memory
            else {
                "first": self.memory[0],
                "last": self.memory[-1],
                "growth_per_run": None if self.growth is None else round(self.growth),
            },
            "suggested": {"duration": self.duration, "timeout": self.timeout},
        }


def _rounded_up(seconds: float) -> int:
    for limit, step in _STEPS:
        if seconds <= limit:
            return max(1, math.ceil(seconds / step)) * step
    raise AssertionError("unreachable")


def _median(values: Sequence[int]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
