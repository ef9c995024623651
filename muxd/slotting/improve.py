"""Ruin and recreate: take a few slots off, put them back in another order, keep what is better.

A timetable with the widest gap is rigid: hardly any slot can move alone. Several at once can. Each
round goes for the slot that waits most, makes others wait most, or is furthest from its
preference, and takes what stands in its way off with it.
"""

from __future__ import annotations

from math import gcd
from random import Random
from typing import TYPE_CHECKING

from . import bitset
from .relax import Wishes, best_start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .board import Board
    from .pressure import Pressure
    from .steps import Steps

__all__ = ["Improver"]


class Improver:
    """Improves one complete timetable in place.

    Args:
        board: complete, and legal for its lengths; stays so.
        pressure: of the same starts; kept up to date.
        wishes: preferences to weigh.
        movable: the slots that may move.
        value: what a timetable is worth, lower is better, by simulation; None: go by pressure.
        blame: how much each slot should move, higher is more; asked now and then.
    """

    def __init__(
        self,
        board: Board,
        pressure: Pressure,
        wishes: Wishes,
        movable: Sequence[int],
        value: Callable[[Mapping[int, int]], float] | None,
        blame: Callable[[Mapping[int, int]], Mapping[int, float]] | None,
        *,
        seed: int = 1,
    ) -> None:
        self._board = board
        self._pressure = pressure
        self._wishes = wishes
        self._movable = list(movable)
        self._may_move = set(movable)
        self._value = value
        self._blame = blame
        self._random = Random(seed)
        self._intervals = [d.interval for d in wishes.demands]

    def run(self, steps: Steps) -> int:
        """Rounds until the steps are spent; says how many were kept."""
        if len(self._movable) < 2 or steps.left <= 0:
            return 0
        board = self._board
        kept = rounds = 0
        value = self._value(board.starts) if self._value else 0.0
        blame: Mapping[int, float] = {}
        stale = True
        while steps.left > 0:
            if stale and rounds % 8 == 0 and self._blame:
                blame, stale = self._blame(board.starts), False
            rounds += 1
            before = dict(board.starts)
            gain = self._round(blame)
            if gain is None:
                continue
            if self._value is None:
                better = gain > 0
            else:
                new = self._value(board.starts)
                better = new < value
                value = new if better else value
            if better:
                kept += 1
                stale = True
            else:
                self._restore(before)
        return kept

    def _round(self, blame: Mapping[int, float]) -> float | None:
        """One ruin and recreate; the pressure gained, or None if it failed and was undone."""
        random, board = self._random, self._board
        target, wished = self._target(blame)
        out = [target]
        if wished is not None:
            out += self._in_the_way(target, wished)
            if len(out) > 6 or any(slot not in self._may_move for slot in out[1:]):
                return None
        else:
            out += self._near(target, 1 + random.randrange(4))
        before = dict(board.starts)
        energy = sum(self._lift(slot) for slot in out)
        first = out[0]
        rest = out[1:]
        rest.sort(
            key=lambda i: (board.periods[i], -board.lengths[i] * (0.5 + random.random())),
        )
        order = [first, *rest] if wished is not None or random.random() < 0.5 else [*rest, first]
        for slot in order:
            cost = self._put(slot, wished if slot == first else None)
            if cost is None:
                self._restore(before)
                return None
            energy -= cost
        if board.starts == before:
            return None
        return energy

    def _target(self, blame: Mapping[int, float]) -> tuple[int, int | None]:
        """Which slot to go for, and the wish to fulfil if that is why."""
        random, board = self._random, self._board
        if self._wishes.strength and random.random() < 0.4:
            far = [
                (self._wishes.cost(i, board.starts[i]) * random.random(), i)
                for i in self._movable
                if self._wishes.wish(i) is not None
            ]
            if far:
                cost, slot = max(far)
                if cost > 0:
                    return slot, self._wishes.wish(slot)
        if blame and random.random() < 0.8:
            return max(self._movable, key=lambda i: blame.get(i, 0) * random.random()), None
        return self._movable[random.randrange(len(self._movable))], None

    def _in_the_way(self, slot: int, start: int) -> list[int]:
        board = self._board
        period, length = board.periods[slot], board.lengths[slot]
        found = []
        for other, at in board.starts.items():
            if other != slot:
                g = gcd(period, board.periods[other])
                x = (start - at) % g
                if x < board.lengths[other] or g - x < length:
                    found.append(other)
        board.steps.spend(len(board.starts) // 3)
        return found

    def _near(self, slot: int, count: int) -> list[int]:
        """Some movable neighbours in time: only what is close can trade places."""
        board, random = self._board, self._random
        at, period = board.starts[slot], board.periods[slot]
        sample = (
            self._movable
            if len(self._movable) <= 60
            else [self._movable[random.randrange(len(self._movable))] for _ in range(60)]
        )
        ranked = []
        for other in sample:
            if other != slot:
                g = gcd(period, board.periods[other])
                x = (board.starts[other] - at) % g
                ranked.append((min(x, g - x) * (0.2 + random.random()), other))
        ranked.sort()
        board.steps.spend(len(sample) // 2)
        return list(dict.fromkeys(other for _, other in ranked))[:count]

    def _lift(self, slot: int) -> float:
        start = self._board.remove(slot)
        self._pressure.remove(slot, start)
        return self._cost(slot, start)

    def _cost(self, slot: int, start: int) -> float:
        cost = self._pressure.cost(slot, start) + self._wishes.cost(slot, start)
        return cost / self._intervals[slot]

    def _put(self, slot: int, wished: int | None) -> float | None:
        board = self._board
        period = board.periods[slot]
        if wished is not None:
            legal = board.legal(slot)
            if not legal:
                return None
            start = min(
                bitset.nearest(legal, wished, period), key=lambda s: self._wishes.cost(slot, s)
            )
        elif self._random.random() < 0.75:
            start = best_start(slot, board, self._pressure, self._wishes)
        else:
            found = list(bitset.holes(board.legal(slot), period))
            if not found:
                return None
            hole = found[self._random.randrange(len(found))]
            start = (hole[0] + self._random.choice((0, hole[1] // 2, hole[1] - 1))) % period
        if start < 0:
            return None
        cost = self._cost(slot, start)
        board.place(slot, start)
        self._pressure.settle(slot, None, start)
        return cost

    def _restore(self, before: Mapping[int, int]) -> None:
        board = self._board
        changed = [i for i, start in before.items() if board.starts.get(i) != start]
        for slot in changed:
            if slot in board.starts:
                self._pressure.remove(slot, board.remove(slot))
        for slot in changed:
            board.place(slot, before[slot])
            self._pressure.settle(slot, None, before[slot])
