"""Sets that can't all fit: every job still gets a phase, where it hurts least."""

from __future__ import annotations

from collections.abc import Sequence

from .demand import Demand
from .layout import Layout
from .pack import Packer
from .problem import Problem
from .steps import Steps
from .why import impossible_pairs

__all__ = ["squeeze"]


def squeeze(demands: Sequence[Demand], steps: Steps) -> dict[int, int]:
    """Starts that keep the priority-weighted wait low although some runs must overlap.

    Jobs are packed with their durations cut as little as possible, then settle where the expected
    wait, theirs and that of their victims, is least.
    """
    problem = Problem.of(demands, by_priority=True)
    packer = Packer(problem.periods, problem.pinned)
    durations = problem.durations
    best = None
    for percent in (100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0):
        lengths = [max(1, d * percent // 100) for d in durations]
        for number in range(3):
            best = packer.attempt(lengths, steps, number)
            if best is not None:
                break
        if best is not None:
            break
    if best is None:
        # More jobs than seconds, or pins on top of each other: start from the wishes.
        best = {i: (d.wish or 0) % problem.periods[i] for i, d in enumerate(demands)}
    layout = Layout(problem, [1] * len(durations), best, None, steps)
    layout.relax(steps, 8)
    return layout.starts
