"""The contract of what makes the timetable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd.slotting import Demand, Timetable

__all__ = ["Slotter"]


class Slotter(ABC):
    """Gives every job its place on the timetable. Called in a thread; pure.

    Laws:

    - One slot for each demand, in the order of the demands, with its interval and duration, and
      ``0 <= phase < interval``. A pinned demand is where it is pinned.
    - The same arguments give the same timetable, on every machine.
    - ``fixed`` phases are kept where that is safe; a demand that is new moves nobody where there
      is room.
    - Where not all can avoid each other, all have a phase all the same, and the warnings say why.

    muxd checks the first law, and the pair rule, itself: a timetable that breaks the first is
    refused, and the plugin left out. So is one whose slotter takes longer than a minute.
    """

    name: str
    """For messages."""

    @abstractmethod
    def solve(
        self, demands: Sequence[Demand], *, fixed: Mapping[str, int], headroom: float
    ) -> Timetable:
        """A timetable for `demands`.

        Args:
          demands: what the jobs ask for; names are unique.
          fixed: phases in force by name, seconds; also of jobs that are gone.
          headroom: the share of the best gap that preferred phases may not use up, 0 to 1.
        """
