"""Sets that can't all fit: every job still gets a phase, where it hurts least."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .board import Board
from .cover import cover
from .headroom import widest
from .layout import Layout
from .many import crowd
from .pack import Packer
from .problem import Problem
from .steps import Steps
from .why import gap_ceiling, impossible_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .demand import Demand

__all__ = ["culprits", "squeeze"]


def squeeze(
    demands: Sequence[Demand], steps: Steps, held: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Starts that keep the priority-weighted wait low although some runs must overlap.

    Two ways in, and the better one is kept: pack all with durations cut as little as possible; or
    pack what can avoid each other and drop the few that can't in between. From there every job
    settles where the expected wait, its own and that of its victims, is least.

    Args:
        demands: the jobs.
        steps: the budget.
        held: {slot: start} of those in force, which stay; the others are fitted in between.
    """
    problem = Problem.of(demands, by_priority=True)
    if problem.many:
        return crowd(problem, steps, held or {})
    lengths = [1] * len(demands)
    if held:
        anchored = {**held, **problem.pinned}
        new = [i for i in problem.movable if i not in anchored]
        starts = {**anchored, **{i: (demands[i].wish or 0) % problem.periods[i] for i in new}}
        layout = Layout(problem, lengths, starts, None, steps, movable=new)
        layout.relax(steps, 4)
        return layout.starts
    best: Layout | None = None
    least = 0.0
    for starts in (_shortened(problem, steps), _without_culprits(problem, steps)):
        layout = Layout(problem, lengths, starts, None, steps)
        layout.relax(steps, 6)
        value = layout.pressure.total(layout.starts)
        if best is None or value < least:
            best, least = layout, value
    assert best is not None
    best.improve(steps)
    return best.starts


def _shortened(problem: Problem, steps: Steps) -> dict[int, int]:
    packer = Packer(problem.periods, problem.pinned)
    for percent in (100, 90, 80, 70, 60, 50, 40, 30, 20, 10):
        lengths = [max(1, d * percent // 100) for d in problem.durations]
        for number in range(3):
            starts = packer.attempt(lengths, Steps(steps.left // 20), number)
            steps.spend(len(lengths) * 20)
            if starts is not None:
                return starts
    # More jobs than seconds, or pins on top of each other: start from the wishes.
    return {i: (d.wish or 0) % problem.periods[i] for i, d in enumerate(problem.demands)}


def _without_culprits(problem: Problem, steps: Steps) -> dict[int, int]:
    out = culprits(problem.demands)
    stay = [i for i in range(len(problem.demands)) if i not in out]
    demands = [problem.demands[i] for i in stay]
    ceiling = gap_ceiling(demands)
    starts: dict[int, int] = {}
    if demands and ceiling >= 0:
        part = Problem.of(demands, by_priority=True)
        purse = steps.share(0.3)
        packing = widest(Packer(part.periods, part.pinned), part.durations, ceiling, purse)
        steps.refund(purse)
        if packing is not None:
            # A long interval may be drawn with another board period in the smaller set.
            starts = {
                stay[k]: part.phase(k, start) % problem.periods[stay[k]]
                for k, start in packing.starts.items()
            }
    board = Board(problem.periods, problem.durations, steps)
    for i in range(len(problem.demands)):
        if i not in starts:
            starts[i] = (problem.demands[i].wish or 0) % board.periods[i]
    return starts


def culprits(demands: Sequence[Demand]) -> set[int]:
    """A small set of slots without which no pair is left that can't avoid each other.

    Pinned slots are taken last, and of equals the one that matters least.
    """
    return cover(
        impossible_pairs(demands),
        lambda i, count: (demands[i].pinned, -count, demands[i].priority, i),
    )
