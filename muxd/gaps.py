"""Gaps of the timetable: where something fits that has no slot. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from muxd.civil import Calendar
    from muxd.slotting import Slot, Timetable

__all__ = ["first_free", "first_gap", "longest_free"]


def first_gap(
    timetable: Timetable,
    calendar: Calendar,
    slot: Slot,
    *,
    earliest: float,
    until: float = math.inf,
    taken: Collection[tuple[float, float]] = (),
    own: bool = False,
) -> float | None:
    """The first instant from which a run of this slot's length meets no other slot.

    Args:
      timetable: all slots. The job's own counts only if `own` says so: it is the one that needs
        the time.
      calendar: where the timetable is in time.
      slot: the job's own.
      earliest: Unix seconds.
      until: Unix seconds; the run must be over by then.
      taken: stretches of time that are promised to others, each from when to when, Unix seconds.
      own: whether the job's own slots are to be left free as well.

    Returns:
      Unix seconds; None if there is none, or none within a week.
    """
    return first_free(
        timetable,
        calendar,
        slot.duration,
        earliest=earliest,
        until=until,
        taken=taken,
        ignore=None if own else slot.name,
    )


def first_free(
    timetable: Timetable,
    calendar: Calendar,
    length: int,
    *,
    earliest: float,
    until: float = math.inf,
    taken: Collection[tuple[float, float]] = (),
    ignore: str | None = None,
) -> float | None:
    """The first instant from which for `length` seconds there is no slot, and nothing promised.

    Args:
      timetable: all slots.
      calendar: where the timetable is in time.
      length: 1 or more.
      earliest: Unix seconds.
      until: Unix seconds; it must be over by then.
      taken: stretches of time that are promised, each from when to when, Unix seconds.
      ignore: the name of a slot that does not count.

    Returns:
      Unix seconds; None if there is none, or none within a week.
    """
    instant = earliest
    while True:
        free = timetable.next_free(calendar.to_timetable(instant), length, ignore=ignore)
        if free is None:
            return None
        instant = max(instant, calendar.to_unix(free, not_before=instant))
        if instant + length > until:
            return None
        ends = [end for start, end in taken if start < instant + length and end > instant]
        if not ends:
            return instant
        instant = max(ends)


def longest_free(
    timetable: Timetable,
    calendar: Calendar,
    *,
    earliest: float,
    until: float,
    taken: Collection[tuple[float, float]] = (),
) -> tuple[float, float] | None:
    """The longest stretch with no slot and nothing promised; of several, the first.

    Args:
      timetable: all slots.
      calendar: where the timetable is in time.
      earliest: Unix seconds.
      until: Unix seconds, later than that.
      taken: stretches of time that are promised, each from when to when, Unix seconds.

    Returns:
      When it begins, Unix seconds, and its length, above 0; None if all is taken.
    """
    before = max((slot.duration for slot in timetable.slots), default=0)
    first, last = calendar.to_timetable(earliest), calendar.to_timetable(until)
    busy = [
        (start, start + slot.duration)
        for instant, slot in timetable.releases(math.floor(first) - before, math.ceil(last))
        for start in (calendar.to_unix(instant),)
    ]
    best, free_from = (earliest, 0.0), earliest
    for start, end in sorted([*busy, *taken, (until, until)]):
        length = min(start, until) - free_from
        if length > best[1]:
            best = free_from, length
        free_from = max(free_from, end)
    return best if best[1] > 0 else None
