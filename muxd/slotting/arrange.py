"""Sets that fit: first the widest gap, then the arrangement within it that serves best."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from .headroom import widest
from .layout import Layout
from .many import place
from .pack import Packer
from .rehearse import Rehearsal
from .why import gap_ceiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from .problem import Problem
    from .steps import Steps

__all__ = ["arrange", "gap_to_keep"]

_NEARLY_ALL = 0.97


def gap_to_keep(best: int, longest: int, headroom: float) -> int:
    """The gap that is kept whatever preferences ask for: at least ``headroom * best``.

    While the best gap is scarce, nearly all of it is needed: what the last few percent cost in
    freedom, the first few return in safety. A gap beyond twice the longest run protects from
    hardly anything more: of that, preferences may have all but the stated share.

    Args:
        best: the widest gap found, seconds.
        longest: the longest duration, seconds.
        headroom: the stated share, 0 to 1. Below one half the rule for scarce gaps fades too.
    """
    scarce = min(1.0, 2 * headroom) * min(_NEARLY_ALL * best, 2 * longest)
    return ceil(max(headroom * best, scarce))


def arrange(problem: Problem, headroom: float, steps: Steps) -> dict[int, int] | None:
    """Starts without collisions and with headroom, or None if none were found.

    Args:
        problem: what is asked for.
        headroom: the least share of the best gap found to keep, 0 to 1.
        steps: spent to the last.
    """
    if problem.many:
        return place(problem, headroom, steps)
    ceiling = gap_ceiling(problem.demands)
    if ceiling < 0:
        return None
    durations = problem.durations
    purse = steps.share(0.4)
    packing = widest(Packer(problem.periods, problem.pinned), durations, ceiling, purse)
    steps.refund(purse)
    if packing is None:
        return None
    floor = gap_to_keep(packing.gap, max(durations), headroom)
    lengths = [d + floor for d in durations]
    rehearsal = Rehearsal(problem.demands, steps)
    # The less headroom is asked for, the more it is the preferences that are meant.
    make = partial(
        Layout, problem, lengths, rehearsal=rehearsal, steps=steps, pull=0.5 / max(0.05, headroom)
    )
    best = make(packing.starts)
    best.relax(steps, 3)
    best = _better(problem, lengths, best, make, steps)
    best.improve(steps)
    return best.starts


def _better(
    problem: Problem,
    lengths: list[int],
    best: Layout,
    make: Callable[[dict[int, int]], Layout],
    steps: Steps,
) -> Layout:
    """The best of several arrangements, each packed round the preferences in another order."""
    packer = Packer(problem.periods, problem.pinned, problem.wishes)
    least = best.value(best.starts)
    reserve = steps.left * 3 // 10
    number = 0
    while steps.left > reserve:
        starts = packer.attempt(lengths, steps, number)
        number += 1
        if starts is None or steps.left <= 0:
            continue
        layout = make(starts)
        layout.relax(steps, 2)
        value = layout.value(layout.starts)
        if value < least:
            best, least = layout, value
    return best
