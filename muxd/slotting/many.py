"""Very many jobs: each is placed once, where there is room; there is no time to improve on that.

With ten thousand jobs one greedy pass takes the better part of a second. A few passes find how wide
the gap can be, and one more takes the preferences into account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pack import Packer
from .why import gap_ceiling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .problem import Problem
    from .steps import Steps

__all__ = ["crowd", "place"]

_GOLDEN = 0.6180339887498949
_SHORTER = (75, 50, 25)


def place(problem: Problem, keep: float, steps: Steps) -> dict[int, int] | None:
    """Starts without collisions, or None if none were found.

    Args:
        problem: what is asked for.
        keep: the share of the widest gap that was found which preferences leave, 0 to 1.
        steps: when they are spent, no wider gap is looked for.
    """
    ceiling = gap_ceiling(problem.demands)
    if ceiling < 0:
        return None
    packer = Packer(problem.periods, problem.pinned)
    best = packer.attempt(problem.durations, steps, 0)
    if best is None:
        return None
    low, high = 0, ceiling
    while low < high and steps.left > 0:
        middle = (low + high + 1) // 2
        wider = packer.attempt([d + middle for d in problem.durations], steps, 0)
        if wider is None:
            high = middle - 1
        else:
            best, low = wider, middle
    wishes = problem.wishes
    if not wishes:
        return best
    gap = round(keep * low)
    packer = Packer(problem.periods, problem.pinned, wishes)
    return packer.attempt([d + gap for d in problem.durations], steps, 0) or best


def crowd(problem: Problem, steps: Steps, held: Mapping[int, int]) -> dict[int, int]:
    """Starts of a set that can't all fit: with shorter durations, if those fit, else spread out.

    Args:
        problem: what is asked for.
        steps: when they are spent, nothing more is tried.
        held: {slot: start} of those that stay, besides the pinned ones.
    """
    there = {**held, **problem.pinned}
    if not problem.scattered:
        packer = Packer(problem.periods, there, problem.wishes)
        for percent in _SHORTER:
            lengths = [max(1, d * percent // 100) for d in problem.durations]
            starts = packer.attempt(lengths, steps, 0) if steps.left > 0 else None
            if starts is not None:
                return starts
    return {
        i: there.get(i, problem.wishes.get(i, int(i * _GOLDEN % 1 * period)))
        for i, period in enumerate(problem.periods)
    }
