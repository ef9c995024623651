"""muxd's own slotter: phases that are solved for, in `muxd.slotting`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd import hookimpl
from muxd.abc import Slotter
from muxd.slotting import solve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd.slotting import Demand, Timetable

__all__ = ["SolvingSlotter"]


class SolvingSlotter(Slotter):
    """No two runs collide where that is possible at all; see ``docs/slotting.md``."""

    name = "muxd"

    def solve(
        self, demands: Sequence[Demand], *, fixed: Mapping[str, int], headroom: float
    ) -> Timetable:
        """See `Slotter.solve`."""
        return solve(demands, fixed=fixed, headroom=headroom)


@hookimpl(trylast=True)
def muxd_slotter() -> Slotter:
    """Any other plugin's slotter comes before this one."""
    return SolvingSlotter()
