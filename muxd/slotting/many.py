"""Very many jobs: each is placed once, where there is room; there is no time to improve on that.

With ten thousand jobs one greedy pass takes the better part of a second. A few passes find how wide
the gap can be, and one more takes the preferences into account.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from . import bitset
from .board import Board
from .pack import Packer
from .slot import circular_distance
from .why import gap_ceiling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .problem import Problem
    from .steps import Steps

__all__ = ["crowd", "place"]

_GOLDEN = 0.6180339887498949
_SHORTER = (75, 50, 25)


def place(problem: Problem, headroom: float, steps: Steps) -> dict[int, int] | None:
    """Starts without collisions, or None if none were found.

    Args:
        problem: what is asked for.
        headroom: the share of the widest gap that was found which preferences leave, 0 to 1.
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
    if not problem.wishes:
        return best
    lengths = [d + ceil(headroom * low) for d in problem.durations]
    packer = Packer(problem.periods, problem.pinned, problem.wishes)
    return packer.attempt(lengths, steps, 0) or _nearer(problem, best, lengths, steps)


def _nearer(
    problem: Problem, starts: Mapping[int, int], lengths: Sequence[int], steps: Steps
) -> dict[int, int]:
    """The starts, with those that ask for one moved towards it as far as there is room."""
    board = Board(problem.periods, lengths, steps)
    for slot, start in starts.items():
        board.place(slot, start)
    for slot in sorted(problem.wishes, key=lambda i: (problem.periods[i], i)):
        period, wish, old = problem.periods[slot], problem.wishes[slot], board.remove(slot)
        near = bitset.nearest(board.legal(slot), wish, period)
        board.place(slot, min((old, *near), key=lambda s: circular_distance(s, wish, period)))
    return board.starts


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
