"""Packing: find a start for every slot so that none meet.

A greedy pass places short periods before long ones and long runs before short ones. Its first
variant takes the first legal start; the others vary the order a little and put each slot at an
edge of one of the tightest holes that hold it (best fit, with chance), which leaves wide holes
whole. A pass that fails by a few slots may be repaired by *ejection*: those few are forced in
where they hurt least, and what they pushed out finds new places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd
from random import Random

import attrs

from . import bitset
from .board import Board
from .steps import Steps

__all__ = ["Packer"]


@attrs.frozen
class _Variant:
    """How one greedy pass chooses."""

    shuffle: float
    """How far the order may stray from the rule; below 0 only within one period."""
    spread: float
    """Small: any hole may win; large: nearly always the tightest."""
    ejections: int
    """How many slots may be forced in to repair it."""


# Found by counting successes per second on sets planted near the limit: none dominates.
_VARIANTS = (
    _Variant(0.0, 0.5, 0),
    _Variant(-0.3, 0.1, 0),
    _Variant(-0.3, 0.5, 6),
    _Variant(0.5, 0.3, 20),
    _Variant(-0.3, 0.1, 0),
    _Variant(-1.0, 0.5, 20),
    _Variant(-0.3, 0.5, 0),
    _Variant(0.5, 0.1, 60),
)


@attrs.frozen
class Packer:
    """Packs one set of slots for any headroom.

    Args:
        periods: board period of each slot, seconds.
        pinned: {slot: start} of those that may not move. They are laid down first, as they are.
    """

    periods: Sequence[int]
    pinned: Mapping[int, int]

    def attempt(self, lengths: Sequence[int], steps: Steps, number: int) -> dict[int, int] | None:
        """Starts for all slots, each taking ``lengths`` seconds, or None if this attempt failed.

        Args:
            lengths: seconds each slot takes, headroom included.
            steps: the budget; an attempt may overdraw it by its own cost, once.
            number: which attempt: 0 is the plain first fit, any other a variant with chance.
        """
        variant = _VARIANTS[number % len(_VARIANTS)] if number else _Variant(0.0, 0.0, 0)
        random = Random(number)
        board = Board(self.periods, lengths, steps)
        for slot, start in self.pinned.items():
            board.place(slot, start)
        order = self._order(lengths, variant.shuffle, random)
        tolerable = 2 + len(order) // 20 if variant.ejections else 0
        failed = []
        for slot in order:
            legal = board.legal(slot)
            if not legal:
                failed.append(slot)
                if len(failed) > tolerable:
                    return None
            elif number == 0:
                board.place(slot, bitset.first(legal))
            else:
                board.place(slot, _edge(legal, self.periods[slot], variant.spread, random, steps))
        if not failed:
            return board.starts
        walk = _Ejection(board, self.pinned, random)
        return board.starts if walk.place_all(failed, variant.ejections) else None

    def _order(self, lengths: Sequence[int], shuffle: float, random: Random) -> list[int]:
        free = [i for i in range(len(self.periods)) if i not in self.pinned]
        noise = {i: (random.random(), random.random()) for i in free} if shuffle else {}
        if not shuffle:
            return sorted(free, key=lambda i: (self.periods[i], -lengths[i], i))
        across, within = max(0.0, shuffle), abs(shuffle)
        return sorted(
            free,
            key=lambda i: (
                self.periods[i] * (1 + across * noise[i][0]),
                -lengths[i] * (1 + within * noise[i][1]),
                i,
            ),
        )


def _edge(legal: int, period: int, spread: float, random: Random, steps: Steps) -> int:
    """A start at one edge of a hole, tight ones preferred."""
    found = list(bitset.holes(legal, period))
    steps.spend(len(found) + (period >> 9))
    start, length = min(found, key=lambda hole: hole[1] * (spread + random.random()))
    return start if random.random() < 0.5 else start + length - 1


class _Ejection:
    """A walk that forces slots in, each time at the start that evicts least.

    What is evicted often grows heavy, so that the walk doesn't go round in circles.
    """

    def __init__(self, board: Board, pinned: Mapping[int, int], random: Random) -> None:
        self.board = board
        self.pinned = pinned
        self.random = random
        self.weight = [
            length / period for length, period in zip(board.lengths, board.periods, strict=True)
        ]
        for slot in pinned:
            self.weight[slot] = float("inf")
        present = sorted(set(board.periods))
        # {period: {other period: greatest common divisor}}
        self.gcds = {a: {b: gcd(a, b) for b in present} for a in present}

    def place_all(self, waiting: Sequence[int], limit: int) -> bool:
        """Place all that wait, with at most ``limit`` forced placements."""
        board = self.board
        queue = sorted(waiting, key=lambda i: (board.periods[i], -board.lengths[i]))
        while queue:
            slot = queue.pop(0)
            legal = board.legal(slot)
            if legal:
                board.place(slot, self._any(legal, board.periods[slot]))
                continue
            limit -= 1
            if limit < 0 or board.steps.left <= 0:
                return False
            choice = self._least_harm(slot)
            if choice is None:
                return False
            start, evicted = choice
            for other in evicted:
                board.remove(other)
                self.weight[other] *= 1.6
            board.place(slot, start)
            queue += evicted
            queue.sort(key=lambda i: (board.periods[i], -board.lengths[i]))
        return True

    def _any(self, legal: int, period: int) -> int:
        """The first legal start after a random second: keeps to the edges of holes mostly."""
        turn = self.random.randrange(period)
        after = legal >> turn
        return turn + bitset.first(after) if after else bitset.first(legal)

    def _least_harm(self, slot: int, samples: int = 24) -> tuple[int, list[int]] | None:
        board, random = self.board, self.random
        period, length = board.periods[slot], board.lengths[slot]
        placed = list(board.starts)
        best: tuple[float, int, list[int]] | None = None
        starts = set()
        for _ in range(samples):
            other = placed[random.randrange(len(placed))]
            g = self.gcds[period][board.periods[other]]
            edge = board.starts[other]
            edge += board.lengths[other] if random.random() < 0.5 else -length
            starts.add((edge + g * random.randrange(period // g)) % period)
        for start in sorted(starts):
            ceiling = best[0] if best else float("inf")
            cost, evicted = self._evicted(slot, start, ceiling)
            if cost < ceiling:
                best = cost, start, evicted
        return None if best is None else best[1:]

    def _evicted(self, slot: int, start: int, ceiling: float) -> tuple[float, list[int]]:
        board = self.board
        gcds, length = self.gcds[board.periods[slot]], board.lengths[slot]
        periods, lengths, weight = board.periods, board.lengths, self.weight
        cost = 0.0
        evicted = []
        for other, at in board.starts.items():
            g = gcds[periods[other]]
            x = (start - at) % g
            if x < lengths[other] or g - x < length:
                cost += weight[other]
                if cost >= ceiling:
                    break
                evicted.append(other)
        board.steps.spend(1 + len(board.starts) // 6)
        return cost, evicted
