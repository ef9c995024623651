"""One set of demands, numbered and prepared for the solver's parts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from .board import board_periods
from .slot import Slot
from .why import gap_ceiling, utilisation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .demand import Demand

__all__ = ["MANY", "Problem"]

MANY = 2_000
"""More jobs than this are not arranged, but placed once."""
_HOPELESS = 200
"""So many that ask for more than all of the time aren't arranged either."""
_BOARDS = 300
"""A board of more intervals than this takes too much memory and time."""


@attrs.frozen(kw_only=True, slots=False)
class Problem:
    """Slots are numbers here: positions in ``demands``. Starts are modulo the board period."""

    demands: Sequence[Demand]
    periods: Sequence[int]
    """Board period of each slot, seconds: its interval, or a divisor of a very long one."""
    pinned: Mapping[int, int]
    """{slot: start} of those that may not move."""
    weights: Sequence[int]
    """What a second of waiting costs each, >= 1."""

    @classmethod
    def of(cls, demands: Sequence[Demand], *, by_priority: bool = False) -> Problem:
        """Prepare demands; ``by_priority`` weighs waiting by priority instead of mildly so."""
        periods = board_periods([d.interval for d in demands])
        return cls(
            demands=demands,
            periods=periods,
            pinned={
                i: d.wish % periods[i]
                for i, d in enumerate(demands)
                if d.pinned and d.wish is not None
            },
            weights=[d.weight for d in demands] if by_priority else _mild(demands),
        )

    @cached_property
    def many(self) -> bool:
        """More than can be arranged in a few seconds, or hopelessly many: they are only placed."""
        count = len(self.demands)
        return (
            count > MANY or self.scattered or (count > _HOPELESS and utilisation(self.demands) > 1)
        )

    @cached_property
    def scattered(self) -> bool:
        """Of so many intervals that a board takes too much time, and bound to collide anyway."""
        return len(set(self.periods)) > _BOARDS and gap_ceiling(self.demands) < 0

    @cached_property
    def wishes(self) -> Mapping[int, int]:
        """{slot: start} that is asked for, of those that may move."""
        return {
            i: d.wish % period
            for i, (d, period) in enumerate(zip(self.demands, self.periods, strict=True))
            if d.wish is not None and not d.pinned
        }

    @property
    def durations(self) -> list[int]:
        """Seconds of each slot."""
        return [d.duration for d in self.demands]

    @property
    def movable(self) -> list[int]:
        """Slots that are not pinned."""
        return [i for i in range(len(self.demands)) if i not in self.pinned]

    def phase(self, slot: int, start: int) -> int:
        """The phase within the true interval that this start stands for, nearest to the wish."""
        demand = self.demands[slot]
        period = self.periods[slot]
        if demand.pinned or period == demand.interval or demand.wish is None:
            return demand.wish or 0 if demand.pinned else start
        laps = round((demand.wish - start) / period)
        return (start + laps * period) % demand.interval

    def slots(self, starts: Mapping[int, int]) -> tuple[Slot, ...]:
        """The slots that these starts stand for."""
        return tuple(Slot.of(d, self.phase(i, starts[i])) for i, d in enumerate(self.demands))


def _mild(demands: Sequence[Demand]) -> list[int]:
    """Weights that let priority break ties of need without starving the many of headroom."""
    mean = sum(d.weight for d in demands) / max(1, len(demands))
    return [max(1, round(8 * (d.weight / mean) ** 0.25)) for d in demands]
