"""What a simulation found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from muxd.record import Outcome
from muxd.release import Cause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd.simulation.rules import Broken
    from muxd.simulation.tally import JobTally, Tally

__all__ = ["JobReport", "Report", "Spread"]


@attrs.frozen(kw_only=True)
class Spread:
    """How values are spread; all 0 if there are none."""

    count: int
    p50: float
    p95: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Percentiles by nearest rank."""
        ordered = sorted(values)
        if not ordered:
            return cls(count=0, p50=0.0, p95=0.0, most=0.0)
        p50, p95 = (ordered[math.ceil(share * len(ordered) / 100) - 1] for share in (50, 95))
        return cls(count=len(ordered), p50=p50, p95=p95, most=ordered[-1])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "count": self.count,
            "p50": round(self.p50, 3),
            "p95": round(self.p95, 3),
            "max": round(self.most, 3),
        }


@attrs.frozen(kw_only=True)
class JobReport:
    """One job's numbers, seconds."""

    name: str
    interval: int
    outcomes: Mapping[Outcome, int]
    retries: int
    catch_ups: int
    waits: Spread
    """Of releases by the slot: release to start."""
    durations: Spread
    """Of good runs."""

    @classmethod
    def of(cls, name: str, interval: int, tally: JobTally) -> JobReport:
        """Add up one job."""
        return cls(
            name=name,
            interval=interval,
            outcomes=dict(tally.outcomes),
            retries=tally.causes[Cause.retry],
            catch_ups=tally.causes[Cause.catch_up],
            waits=Spread.of(tally.waits),
            durations=Spread.of(tally.durations),
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "interval": self.interval,
            "outcomes": _counts(self.outcomes),
            "retries": self.retries,
            "catch_ups": self.catch_ups,
            "wait": self.waits.as_dict(),
            "duration": self.durations.as_dict(),
        }


@attrs.frozen(kw_only=True)
class Report:
    """All that is told of a simulation."""

    seed: int
    days: float
    """How much time passed, days."""
    lives: int
    """How many daemons lived."""
    mishaps: Mapping[str, int]
    """How often which fault was injected."""
    jobs: tuple[JobReport, ...]
    """By name."""
    waits: Spread
    """Of all releases by slots: release to start, seconds."""
    collisions: int
    """Releases by slots that had to wait for another run."""
    idle: Spread
    """How long the browser had nothing to do, each time, seconds."""
    idle_share: float
    """Of the time that the daemon was up, 0 to 1."""
    launches: int
    losses: int
    recycled: int
    broken: tuple[Broken, ...]
    """The first rules that did not hold."""
    broken_count: int
    """How many did not."""

    @classmethod
    def of(cls, tally: Tally, intervals: Mapping[str, int], **others: Any) -> Report:
        """Add up."""
        waits = [wait for job in tally.jobs.values() for wait in job.waits]
        idle = sum(tally.idle)
        return cls(
            jobs=tuple(
                JobReport.of(name, intervals[name], tally.jobs[name]) for name in sorted(tally.jobs)
            ),
            waits=Spread.of(waits),
            collisions=tally.collisions,
            idle=Spread.of(tally.idle),
            idle_share=idle / ((idle + tally.busy) or 1.0),
            launches=tally.launches,
            losses=tally.losses,
            recycled=tally.recycled,
            **others,
        )

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many runs ended with each outcome."""
        return {
            outcome: count
            for outcome in Outcome
            if (count := sum(job.outcomes.get(outcome, 0) for job in self.jobs))
        }

    @property
    def runs(self) -> int:
        """How many records there are."""
        return sum(self.outcomes.values())

    def as_dict(self) -> dict[str, Any]:
        """For JSON: stable keys; times in seconds."""
        return {
            "seed": self.seed,
            "days": round(self.days, 6),
            "lives": self.lives,
            "faults": dict(sorted(self.mishaps.items())),
            "runs": {"total": self.runs, "by_outcome": _counts(self.outcomes)},
            "wait": self.waits.as_dict(),
            "collisions": self.collisions,
            "idle": {"share": round(self.idle_share, 4), **self.idle.as_dict()},
            "browser": {
                "launches": self.launches,
                "lost": self.losses,
                "recycled": self.recycled,
            },
            "retries": sum(job.retries for job in self.jobs),
            "catch_ups": sum(job.catch_ups for job in self.jobs),
            "jobs": [job.as_dict() for job in self.jobs],
            "broken": [attrs.asdict(broken) for broken in self.broken],
            "broken_count": self.broken_count,
        }


def _counts(outcomes: Mapping[Outcome, int]) -> dict[str, int]:
    return {outcome.value: outcomes[outcome] for outcome in Outcome if outcomes.get(outcome)}
