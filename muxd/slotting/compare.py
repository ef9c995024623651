"""The same jobs as others would place them, played through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .baselines import BASELINES
from .simulate import Waiting, simulate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .demand import Demand

__all__ = ["OURS", "compare_ways"]

OURS = "muxd"
"""What the timetable itself is called among the ways."""

_RELEASES = 60_000
_DAY = 86_400


def compare_ways(demands: Sequence[Demand], phases: Mapping[str, int]) -> list[tuple[str, Waiting]]:
    """Each way to choose phases with what it does to the runs; the given phases come last.

    Durations are taken as exact. A week is played through, or as much of one as has some sixty
    thousand releases, at least a day.
    """
    per_day = sum(_DAY / d.interval for d in demands)
    days = max(1, min(7, round(_RELEASES / max(1.0, per_day))))
    ways = [(way, choose(demands)) for way, choose in BASELINES.items()]
    ways.append((OURS, dict(phases)))
    return [(way, simulate(demands, chosen, horizon=days * _DAY)) for way, chosen in ways]
