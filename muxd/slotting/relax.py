"""Best response: every slot in turn moves to the legal start where it presses least on others.

After Al Sheikh, Brun, Hladik & Prabhu (ECRTS 2011), who centre each task in its gap; here the
centre is that of the pressure field, so long and uneven jobs get more room behind them.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

import attrs

from . import bitset
from .pressure import UNIT, Pressure
from .slot import circular_distance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .board import Board
    from .demand import Demand
    from .steps import Steps

__all__ = ["WISH_SECONDS", "Wishes", "best_start", "relax"]

WISH_SECONDS = 10.0
"""What the largest distance from a preferred phase is worth, in seconds of waiting per run."""

_POINTS = 5
_HOLES = 48
_PROMISING = 6
_QUARTER = 900


@attrs.frozen
class Wishes:
    """What it costs to be away from a preferred phase.

    Half of it counts on the scale of people (a quarter of an hour away is the full half), half on
    the scale of the interval.
    """

    demands: Sequence[Demand]
    periods: Sequence[int]
    strength: float
    """Seconds of expected wait per release that the largest distance is worth; 0: ignore."""

    def wish(self, slot: int) -> int | None:
        """The wished start modulo the board period; None if there is none or none counts."""
        wish = self.demands[slot].wish
        return wish % self.periods[slot] if wish is not None and self.strength else None

    def cost(self, slot: int, start: int) -> int:
        """In units of `UNIT`."""
        wish = self.wish(slot)
        if wish is None:
            return 0
        period = self.periods[slot]
        distance = circular_distance(start, wish, period)
        near = min(distance, _QUARTER) / (2 * _QUARTER)
        return round(self.strength * UNIT * (near + distance / period))


def relax(
    board: Board,
    pressure: Pressure,
    wishes: Wishes,
    movable: Iterable[int],
    steps: Steps,
    *,
    sweeps: int = 6,
) -> int:
    """Move slots on ``board`` (complete, legal for its lengths) until none gains by moving.

    Args:
        board: changed in place; stays legal for its lengths.
        pressure: of the same starts; kept up to date.
        wishes: preferences to weigh against it.
        movable: slots that may move.
        steps: ends the walk when used up.
        sweeps: at most so many rounds.

    Returns:
        How many moves were made.
    """
    moves = 0
    order = sorted(movable, key=lambda i: (-board.periods[i], i))
    for _ in range(sweeps):
        moved = 0
        for slot in order:
            if steps.left <= 0:
                return moves + moved
            old = board.remove(slot)
            pressure.lift(slot, old)
            new = best_start(slot, board, pressure, wishes, old)
            board.place(slot, new)
            pressure.settle(slot, old, new)
            moved += new != old
        moves += moved
        if moved <= len(order) // 50:
            break
    return moves


def best_start(
    slot: int, board: Board, pressure: Pressure, wishes: Wishes, old: int | None = None
) -> int:
    """The legal start of least cost, looked for at a few points of every hole; -1 if none.

    ``old`` is a start known to be legal; the slot itself must be off the board and lifted.
    """
    period = board.periods[slot]

    def cost(start: int) -> int:
        return pressure.cost(slot, start) + wishes.cost(slot, start)

    legal = board.legal(slot)
    found = list(bitset.holes(legal, period))
    if not found:
        return -1 if old is None else old
    best, least, stride, hole = -1, 0, 0, (0, 0)
    if old is not None:
        best, least = old, cost(old)
    wish = wishes.wish(slot)
    if wish is not None:
        for here in bitset.nearest(legal, wish, period):
            price = cost(here)
            if best < 0 or price < least:
                best, least = here, price
    tried = 3
    board.steps.spend(2 + len(found))
    if len(found) > _PROMISING:
        # Where there are many holes, look at all their middles, then closely at the best.
        found = nsmallest(_HOLES, found, key=lambda hole: (-hole[1], hole[0]))
        middles = [(cost((start + length // 2) % period), start, length) for start, length in found]
        tried += len(found)
        found = [(start, length) for _, start, length in sorted(middles)[:_PROMISING]]
    for start, length in found:
        step = max(1, (length - 1) // (_POINTS - 1))
        for offset in range(0, length, step):
            here = (start + offset) % period
            price = cost(here)
            tried += 1
            if best < 0 or price < least:
                best, least, stride, hole = here, price, step, (start, length)
    # Then close in on the best point within its hole.
    while stride > 1:
        stride = (stride + 1) // 2 if stride > 2 else 1
        for offset in (-stride, stride):
            inside = (best + offset - hole[0]) % period
            if inside < hole[1]:
                here = (hole[0] + inside) % period
                price = cost(here)
                tried += 1
                if price < least:
                    best, least = here, price
    board.steps.spend(tried * 4 + (period >> 8))
    return best
