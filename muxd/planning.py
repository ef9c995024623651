"""From jobs, and what was learned of them, to the timetable in force."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from muxd.slotting import Demand, Timetable, solve
from muxd.slotting.demand import DEFAULT_SPREAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from muxd.abc import Learned
    from muxd.job import Job

__all__ = ["demand_of", "make_timetable"]

ENOUGH_RUNS = 5
"""How many good runs make a learned duration better than the declared one."""


WIDEST_SPREAD = 3.0
"""A wider spread of durations says that the runs are of several kinds; it isn't believed."""


def demand_of(job: Job, learned: Learned | None = None) -> Demand:
    """What the job asks of the timetable.

    Its duration is the 95th percentile of its good runs once there are `ENOUGH_RUNS`, before
    that the declared one; in whole seconds, rounded up. Its spread is the learned one, once it is
    known.
    """
    duration, spread = job.duration, DEFAULT_SPREAD
    if learned is not None and learned.runs >= ENOUGH_RUNS:
        duration = learned.p95
        if learned.spread is not None:
            spread = min(learned.spread, WIDEST_SPREAD)
    return Demand(
        name=job.name,
        interval=job.interval,
        duration=max(1, math.ceil(duration)),
        priority=job.priority,
        preferred_phase=job.preferred_phase,
        pinned=job.pinned,
        spread=spread,
    )


def make_timetable(
    jobs: Iterable[Job],
    *,
    learned: Mapping[str, Learned] | None = None,
    phases: Mapping[str, tuple[int, int]] | None = None,
    headroom: float = 0.5,
) -> Timetable:
    """The timetable for these jobs.

    Args:
      jobs: in any order.
      learned: what the ledger knows of their durations, by name.
      phases: (interval, phase) in force by name: a job that still has its interval is moved only
        where it must be.
      headroom: the share of the best gap that preferred phases may not use up, 0 to 1.
    """
    ordered = sorted(jobs, key=lambda job: job.name)
    intervals = {job.name: job.interval for job in ordered}
    fixed = {
        name: phase
        for name, (interval, phase) in (phases or {}).items()
        if intervals.get(name) == interval
    }
    known = learned or {}
    demands = [demand_of(job, known.get(job.name)) for job in ordered]
    return solve(demands, fixed=fixed, headroom=headroom)
