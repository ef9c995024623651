"""One set of demands, numbered and prepared for the solver's parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .board import board_periods
from .slot import Slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .demand import Demand

__all__ = ["Problem"]


@attrs.frozen(kw_only=True)
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
