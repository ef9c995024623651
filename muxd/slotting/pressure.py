"""Where headroom is needed: the expected wait that every pair of slots costs, as a field.

Two slots whose intervals have the greatest common divisor g follow each other at the distances
x, x + g, x + 2g, ... equally often. So the expected wait that one causes the other, per second, is
a sum over those distances of the expected overrun of the first: a function of x alone. Summed over
all others, and folded onto each g, that makes for one period a field in which the cost of any
start is a handful of look-ups. Jobs that are long or uneven press further than short and even
ones; victims that come often or matter more weigh more.
"""

from __future__ import annotations

from bisect import bisect_left
from math import gcd
from typing import TYPE_CHECKING

from .overrun import overrun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .demand import Demand
    from .steps import Steps

__all__ = ["UNIT", "Pressure"]

_SCALE = 1 << 20
UNIT = _SCALE * 1000
"""The cost of one second of waiting, per release, of a job of weight 1."""


class _Field:
    """The pressure on the slots of one period."""

    def __init__(self, period: int, periods: Sequence[int]) -> None:
        self.period = period
        gs = sorted({gcd(period, t) for t in periods})
        # {g: expected wait at each second of the circle of g, scaled milliseconds}
        self.suffered: dict[int, list[int]] = {g: [0] * g for g in gs}
        # {g: sorted (second, weight) of the releases that a run here may delay}
        self.victims: dict[int, list[tuple[int, int]]] = {g: [] for g in gs}


class Pressure:
    """The fields of all periods, kept up to date as slots are placed and taken away.

    Args:
        demands: all jobs.
        periods: their board periods.
        weights: what a second of each one's waiting costs, >= 1.
        starts: {slot: start} of those placed.
        only: keep the field of this one period: enough to place one newcomer.
    """

    def __init__(
        self,
        demands: Sequence[Demand],
        periods: Sequence[int],
        weights: Sequence[int],
        starts: Mapping[int, int],
        steps: Steps,
        *,
        only: int | None = None,
    ) -> None:
        self.weights = weights
        self._periods = periods
        self._intervals = [d.interval for d in demands]
        self._steps = steps
        idle = max(0.3, round(1 - sum(d.duration / d.interval for d in demands), 2))
        self._tables = [overrun(d.duration, d.spread, idle) for d in demands]
        self._folded: dict[tuple[int, int], tuple[int, ...]] = {}
        wanted = sorted(set(periods)) if only is None else [only]
        self._fields = {t: _Field(t, periods) for t in wanted}
        steps.spend(sum(sum(f.suffered) for f in self._fields.values()) >> 6)
        for field in self._fields.values():
            for slot, start in starts.items():
                self._press(field, slot, start, 1)
            for victims in field.victims.values():
                victims.sort()

    def lift(self, slot: int, start: int) -> None:
        """Look at one placed slot as if it were not there; `settle` puts it back."""
        self._take(self._fields[self._periods[slot]], slot, start)

    def settle(self, slot: int, old: int | None, new: int) -> None:
        """Put down a slot that was lifted from ``old`` (or, with None, is new)."""
        own = self._fields[self._periods[slot]]
        self._add(own, slot, new)
        if new != old:
            for field in self._fields.values():
                if field is not own:
                    if old is not None:
                        self._take(field, slot, old)
                    self._add(field, slot, new)

    def remove(self, slot: int, start: int) -> None:
        """A slot is taken away altogether."""
        for field in self._fields.values():
            self._take(field, slot, start)

    def _add(self, field: _Field, slot: int, start: int) -> None:
        g, victim = self._press(field, slot, start, 1)
        victims = field.victims[g]
        victims.pop()
        victims.insert(bisect_left(victims, victim), victim)

    def _take(self, field: _Field, slot: int, start: int) -> None:
        g, victim = self._press(field, slot, start, -1)
        victims = field.victims[g]
        del victims[bisect_left(victims, victim)]

    def _press(
        self, field: _Field, slot: int, start: int, sign: int
    ) -> tuple[int, tuple[int, int]]:
        g = gcd(field.period, self._periods[slot])
        rate = g * _SCALE // self._intervals[slot]
        suffered = field.suffered[g]
        at = start % g
        r = sign * rate
        table = self._table(slot, g)
        room = g - at
        for s, left in enumerate(table[:room], at):
            suffered[s] += r * left
        for s, left in enumerate(table[room:]):
            suffered[s] += r * left
        self._steps.left -= 2 + len(table) // 12
        victim = (at, rate * self.weights[slot])
        if sign > 0:
            field.victims[g].append(victim)
        return g, victim

    def cost(self, slot: int, start: int) -> int:
        """Expected weighted wait, suffered and caused, per release of ``slot`` if it starts there.

        The slot itself must have been lifted or removed. In units of `UNIT`.
        """
        field = self._fields[self._periods[slot]]
        weight = self.weights[slot]
        total = 0
        work = 4
        for g, suffered in field.suffered.items():
            at = start % g
            total += weight * suffered[at]
            victims = field.victims[g]
            if not victims:
                continue
            # A table is never longer than g, so no victim is met twice.
            table = self._table(slot, g)
            k = bisect_left(victims, (at, 0))
            end = at + len(table)
            n = len(victims)
            while k < n and victims[k][0] < end:
                total += victims[k][1] * table[victims[k][0] - at]
                k += 1
                work += 1
            if end > g:
                k = 0
                while victims[k][0] < end - g:
                    total += victims[k][1] * table[victims[k][0] + g - at]
                    work += 1
                    k += 1
                    if k == n:
                        break
        self._steps.left -= work // 2
        return total

    def _table(self, slot: int, g: int) -> tuple[int, ...]:
        """The slot's overrun table, folded onto g seconds if it is longer."""
        table = self._tables[slot]
        if len(table) <= g:
            return table
        folded = self._folded.get((slot, g))
        if folded is None:
            folded = tuple(sum(table[s::g]) for s in range(g))
            self._folded[slot, g] = folded
            self._steps.left -= len(table) // 8
        return folded

    def total(self, starts: Mapping[int, int]) -> float:
        """Expected weighted wait per release over all slots, seconds: the sum over all pairs."""
        total = rate = 0.0
        for slot, start in starts.items():
            self.lift(slot, start)
            # Half: every pair is seen from both of its sides.
            total += self.cost(slot, start) / self._intervals[slot] / 2
            self.settle(slot, start, start)
            rate += self.weights[slot] / self._intervals[slot]
        return total / rate / UNIT if rate else 0.0
