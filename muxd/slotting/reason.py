"""Why a job is where it is, and not where it would like to be, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd.units import format_duration

from .rule import pair_gap

if TYPE_CHECKING:
    from collections.abc import Collection

    from .timetable import Timetable

__all__ = ["reason"]


def reason(table: Timetable, name: str, *, in_force: Collection[str] = ()) -> str:
    """Why one slot is where it is.

    What would stand in its way is looked up in the timetable itself, so it is true whatever made
    the timetable. It costs a look at every other slot.

    Args:
        table: the timetable.
        name: of the slot. KeyError if there is none.
        in_force: names of slots that were in force and kept their phase.

    Returns:
        A phrase of a few words, ``""`` for a slot that has no wish and was not in force.
    """
    slot = table.slot(name)
    if slot.pinned:
        return "pinned" if not slot.moved else "pinned elsewhere"
    if slot.preferred_phase is None:
        return "in force" if name in in_force else ""
    if not slot.moved:
        return "as wished"
    there = attrs.evolve(slot, phase=slot.preferred_phase)
    others = [other for other in table.slots if other is not slot]
    gaps = sorted(((pair_gap(there, other), other.name) for other in others), key=lambda p: p[0])
    taken = [other for gap, other in gaps if gap < 0]
    if taken:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        return f"its wish is taken by {taken[0]}{more}"
    if name in in_force:
        return "in force: its wish is free"
    if gaps and gaps[0][0] < table.min_gap:
        return (
            f"its wish is {format_duration(gaps[0][0])} from {gaps[0][1]}, "
            f"less than the gap of {format_duration(table.min_gap)}"
        )
    here = min((pair_gap(slot, other) for other in others), default=0)
    if gaps and gaps[0][0] < here:
        return (
            f"has {format_duration(here)} around it, at its wish {format_duration(gaps[0][0])} "
            f"to {gaps[0][1]}"
        )
    return "makes room for the others"
