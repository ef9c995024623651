"""The board on which slots are laid: which seconds are taken, as seen by each period."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from . import bitset

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .steps import Steps

__all__ = ["MASK_LIMIT", "Board", "board_periods"]

MASK_LIMIT = 1_300_000
"""Longest circle, in seconds, that is drawn as a mask: fifteen days."""


def board_periods(intervals: Sequence[int]) -> list[int]:
    """The period with which each interval is laid on the board: itself, or a divisor of it.

    A yearly job alone in its class only ever meets others modulo their common divisors, and
    reserving its time more often than it needs it is always safe. So a long interval is drawn as
    the longest of its divisors within `MASK_LIMIT` (a multiple of all those common divisors where
    there is one), which keeps memory flat whatever the intervals are.
    """
    distinct = set(intervals)
    drawn = {t: _board_period(t, distinct) if t > MASK_LIMIT else t for t in distinct}
    return [drawn[t] for t in intervals]


def _board_period(interval: int, all_intervals: Collection[int]) -> int:
    divisors = _divisors(interval)
    needs = {gcd(interval, t) for t in all_intervals if t <= MASK_LIMIT}
    fitting = [p for p in divisors if p <= MASK_LIMIT and all(p % g == 0 for g in needs)]
    return max(fitting or [p for p in divisors if p <= MASK_LIMIT])


def _divisors(n: int) -> list[int]:
    found = []
    d = 1
    while d * d <= n:
        if n % d == 0:
            found += [d, n // d]
        d += 1
    return found


class Board:
    """Seconds taken by the slots placed so far, for each period present.

    A slot is known by its number. ``lengths`` are the seconds each one takes, headroom included;
    they may be changed between uses by making a new board.
    """

    def __init__(self, periods: Sequence[int], lengths: Sequence[int], steps: Steps) -> None:
        self.periods = list(periods)
        self.lengths = list(lengths)
        self.steps = steps
        self.starts: dict[int, int] = {}  # {slot: start, modulo its period}
        self._members: dict[int, set[int]] = {t: set() for t in sorted(set(periods))}
        self._taken: dict[int, int] = dict.fromkeys(self._members, 0)
        self._overlapping: set[int] = set()  # periods in which two members share a second
        self._version: dict[int, int] = dict.fromkeys(self._members, 0)
        self._total = 0
        # {(viewed period, g): (version, mask of g seconds)}
        self._folds: dict[tuple[int, int], tuple[int, int]] = {}
        # {viewing period: (sum of the versions of the others, mask)}
        self._views: dict[int, tuple[int, int]] = {}
        # {viewing period: [(other period, greatest common divisor)]}, made when first needed
        self._others: dict[int, list[tuple[int, int]]] = {}

    def place(self, slot: int, start: int) -> None:
        """Take the slot's seconds from ``start`` (any integer) on, whether they are free or not."""
        period = self.periods[slot]
        start %= period
        bits = bitset.run(start, self.lengths[slot], period)
        taken = self._taken[period]
        if taken & bits:
            self._overlapping.add(period)
        self._taken[period] = taken | bits
        self._members[period].add(slot)
        self.starts[slot] = start
        self._touch(period)

    def remove(self, slot: int) -> int:
        """Give the slot's seconds back; returns where it was."""
        period = self.periods[slot]
        start = self.starts.pop(slot)
        self._members[period].discard(slot)
        if period in self._overlapping:
            taken = 0
            for other in self._members[period]:
                taken |= bitset.run(self.starts[other], self.lengths[other], period)
            self._taken[period] = taken
            self.steps.spend(len(self._members[period]))
        else:
            self._taken[period] ^= bitset.run(start, self.lengths[slot], period)
        self._touch(period)
        return start

    def _touch(self, period: int) -> None:
        self._version[period] += 1
        self._total += 1
        self.steps.left -= 1 + (period >> 15)

    def taken(self, period: int) -> int:
        """All seconds of a circle of ``period`` at which some slot, at some time, is running."""
        signature = self._total - self._version[period]
        cached = self._views.get(period)
        if cached is not None and cached[0] == signature:
            return self._taken[period] | cached[1]
        pairs = self._others.get(period)
        if pairs is None:
            pairs = [(t, gcd(t, period)) for t in self._members if t != period]
            self._others[period] = pairs
        by_g: dict[int, int] = {}  # each divisor is folded onto once, however many share it
        cost = 0
        for other, g in pairs:
            version = self._version[other]
            if version:
                fold = self._folds.get((other, g))
                if fold is None or fold[0] != version:
                    fold = version, bitset.fold(self._taken[other], other, g)
                    self._folds[other, g] = fold
                    cost += 2 + (other >> 12)
                by_g[g] = by_g.get(g, 0) | fold[1]
        view = 0
        for g, mask in by_g.items():
            view |= bitset.tile(mask, g, period)
        self.steps.left -= cost + len(by_g) * (2 + (period >> 13))
        self._views[period] = (signature, view)
        return self._taken[period] | view

    def legal(self, slot: int) -> int:
        """Every start, modulo the slot's period, at which it meets nobody: a mask.

        The slot itself must not be on the board.
        """
        period = self.periods[slot]
        self.steps.left -= 4 + (period >> 11)
        free = bitset.full(period) & ~self.taken(period)
        return bitset.erode(free, self.lengths[slot], period) if free else 0
