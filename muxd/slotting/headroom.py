"""Headroom: the packing with the widest minimum gap that the budget finds.

A gap of h seconds behind every run is the same as a packing in which every duration is h longer.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .pack import Packer
    from .steps import Steps

__all__ = ["Packing", "widest"]


@attrs.frozen
class Packing:
    """Starts that leave a gap."""

    starts: dict[int, int]
    gap: int
    """Seconds free behind every run, >= 0."""


def widest(packer: Packer, durations: Sequence[int], ceiling: int, steps: Steps) -> Packing | None:
    """The widest packing found, or None if none was.

    Args:
        packer: knows the periods and the pins.
        durations: seconds of each slot.
        ceiling: a proven bound of the gap, >= 0: reaching it ends the search.
        steps: spent until the ceiling is reached or nothing is left.
    """
    best: Packing | None = None
    number = 0

    def attempt(gap: int) -> bool:
        nonlocal best, number
        starts = packer.attempt([d + gap for d in durations], steps, number)
        number += 1
        if starts is not None and (best is None or gap > best.gap):
            best = Packing(starts, gap)
        return starts is not None

    # Halve the range first, giving each gap a few attempts.
    low, high = -1, ceiling
    while low < high and steps.left > 0:
        middle = (low + high + 1) // 2
        first = number = 0
        while number < first + 4 and steps.left > 0:
            if attempt(middle):
                low = middle
                break
        else:
            high = middle - 1
    # Then climb. Feasible gaps have holes in them (a sum that divides an interval may fit where
    # a smaller one doesn't), so now and then look further up.
    random = Random(len(durations))
    number = max(number, 4)
    while steps.left > 0 and (best is None or best.gap < ceiling):
        floor = -1 if best is None else best.gap
        reach = 1
        while random.random() < 0.3 and floor + reach < ceiling and best is not None:
            reach += 1
        attempt(floor + reach)
    return best
