"""Gaps of the timetable: where a run fits that has no slot. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from muxd.civil import Calendar
    from muxd.slotting import Slot, Timetable

__all__ = ["first_gap"]


def first_gap(
    timetable: Timetable,
    calendar: Calendar,
    slot: Slot,
    *,
    earliest: float,
    until: float = math.inf,
    taken: Collection[tuple[float, float]] = (),
) -> float | None:
    """The first instant from which a run of this slot's length meets no other slot.

    Args:
      timetable: all slots. The job's own doesn't count: it is the one that needs the time.
      calendar: where the timetable is in time.
      slot: the job's own.
      earliest: Unix seconds.
      until: Unix seconds; the run must be over by then.
      taken: stretches of time that are promised to others, each from when to when, Unix seconds.

    Returns:
      Unix seconds; None if there is none, or none within a week.
    """
    instant = earliest
    while True:
        free = timetable.next_free(calendar.to_timetable(instant), slot.duration, ignore=slot.name)
        if free is None:
            return None
        instant = max(instant, calendar.to_unix(free, not_before=instant))
        if instant + slot.duration > until:
            return None
        ends = [end for start, end in taken if start < instant + slot.duration and end > instant]
        if not ends:
            return instant
        instant = max(ends)
