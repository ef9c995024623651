"""What must hold of timetables: no slot moves without need."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from muxd.replan import MOST_MOVES, is_clearly_better

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.job import Job
    from muxd.simulation.rules import Notes
    from muxd.slotting import Timetable

__all__ = ["PlanRules"]


@final
class PlanRules:
    """Holds each timetable to the one before."""

    def __init__(
        self, notes: Notes, jobs: Mapping[str, Job], phases: Mapping[str, tuple[int, int]]
    ) -> None:
        """The phases that are in force before the first timetable, if any."""
        self._notes = notes
        self._phases = {
            name: phase
            for name, (interval, phase) in phases.items()
            if name in jobs and jobs[name].interval == interval
        }

    def planned(self, table: Timetable) -> None:
        """A timetable comes into force."""
        before = self._phases
        self._phases = dict(table.phases)
        if before.keys() != table.phases.keys():
            return  # new jobs may need room
        moved = [name for name, phase in table.phases.items() if before[name] != phase]
        if not moved:
            return
        kept = attrs.evolve(
            table, slots=tuple(attrs.evolve(s, phase=before[s.name]) for s in table.slots)
        )
        needed = not kept.feasible
        better = len(moved) <= MOST_MOVES and is_clearly_better(table.min_gap, kept.min_gap)
        self._notes.holds(
            "phases", needed or better, f"{', '.join(moved)} moved, though no slots collided"
        )
