"""Packing: find a start for every slot so that none meet.

A greedy pass places short periods before long ones and long runs before short ones. Its first
variant takes the first legal start; the others vary the order a little and put each slot at an
edge of one of the tightest holes that hold it (best fit, with chance), which leaves wide holes
whole. Where a slot finds no place, the pass takes the last few back and goes on in another order:
most dead ends are made shortly before they show.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import attrs

from . import bitset
from .board import Board
from .slot import circular_distance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .steps import Steps

__all__ = ["Packer"]


@attrs.frozen
class _Variant:
    """How one pass chooses."""

    shuffle: float
    """How far the order may stray from the rule; below 0 only within one period."""
    spread: float
    """Small: any hole may win; large: nearly always the tightest."""
    retreats: int
    """How often it may take slots back."""


# Found by counting successes per second on sets near their limit: none dominates.
_VARIANTS = (
    _Variant(-0.3, 0.5, 20),
    _Variant(-0.3, 0.1, 20),
    _Variant(-0.3, 0.1, 4),
    _Variant(0.5, 0.3, 20),
    _Variant(-0.3, 0.1, 60),
    _Variant(-0.3, 0.5, 60),
)
_FIRST_FIT = _Variant(0.0, 0.0, 4)


@attrs.frozen
class Packer:
    """Packs one set of slots for any headroom.

    Args:
        periods: board period of each slot, seconds.
        pinned: {slot: start} of those that may not move. They are laid down first, as they are.
        wishes: {slot: start} of those that are put as near as possible to where they ask for.
    """

    periods: Sequence[int]
    pinned: Mapping[int, int]
    wishes: Mapping[int, int] = attrs.field(factory=dict)

    def attempt(self, lengths: Sequence[int], steps: Steps, number: int) -> dict[int, int] | None:
        """Starts for all slots, each taking ``lengths`` seconds, or None if this attempt failed.

        Args:
            lengths: seconds each slot takes, headroom included.
            steps: the budget; an attempt ends early, without result, when it is used up.
            number: which attempt: 0 is the plain first fit, any other a variant with chance.
        """
        variant = _VARIANTS[number % len(_VARIANTS)] if number else _FIRST_FIT
        random = Random(number)
        board = Board(self.periods, lengths, steps)
        for slot, start in self.pinned.items():
            board.place(slot, start)
        free = (i for i in range(len(self.periods)) if i not in self.pinned)
        order = self._sorted(free, lengths, variant, random)
        retreats = variant.retreats
        done = 0
        while done < len(order):
            slot = order[done]
            legal = board.legal(slot)
            if legal:
                board.place(slot, self._start(slot, legal, variant, random, steps))
                done += 1
                continue
            retreats -= 1
            if retreats < 0 or steps.left <= 0:
                return None
            back = min(done, 1 + int(random.expovariate(1 / 3 if random.random() < 0.7 else 1 / 8)))
            taken = order[done - back : done]
            for other in taken:
                board.remove(other)
            if random.random() < 0.5:
                again = [slot, *self._sorted(taken, lengths, variant, random)]
            else:
                again = self._sorted([*taken, slot], lengths, variant, random)
            order[done - back : done + 1] = again
            done -= back
        return board.starts

    def _sorted(
        self, slots: Iterable[int], lengths: Sequence[int], variant: _Variant, random: Random
    ) -> list[int]:
        across, within = max(0.0, variant.shuffle), abs(variant.shuffle)
        keyed = [
            (
                self.periods[i] * (1 + across * random.random()),
                -lengths[i] * (1 + within * random.random()),
                i,
            )
            for i in slots
        ]
        keyed.sort()
        return [slot for _, _, slot in keyed]

    def _start(self, slot: int, legal: int, variant: _Variant, random: Random, steps: Steps) -> int:
        period = self.periods[slot]
        wish = self.wishes.get(slot)
        if wish is not None and random.random() < 0.9:
            found = bitset.nearest(legal, wish, period)
            return min(found, key=lambda start: circular_distance(start, wish, period))
        if variant is _FIRST_FIT:
            return bitset.first(legal)
        holes = list(bitset.holes(legal, period))
        steps.spend(len(holes) + (period >> 9))
        start, length = min(holes, key=lambda h: h[1] * (variant.spread + random.random()))
        return start if random.random() < 0.5 else start + length - 1
