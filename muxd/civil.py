"""From the timetable's own time to Unix time, and back: the wall clock of one time zone.

The timetable counts seconds on the local wall clock, from one midnight. So "15m" on a 60 m job is
:15 on the wall, and a daily job keeps its wall-clock time through the year. As long as the zone's
offset from UTC stays what it is, all releases lie on one grid, and what was proved of the timetable
holds.

Where the offset changes
------------------------
Let T be the interval. The release after the one at `p` is the first on the grid then in force that
comes more than T/2 after `p`. Where that is more than 3T/2 after `p` (the wall clock jumped over a
place of the grid), there is one at `p` + T first: where the old grid would have had it.

- So two releases of a job are T/2 to 3T/2 apart, and T apart away from the changes.
- An interval that divides the change simply goes on: a 5 m job runs every five real minutes. An
  hour that the wall clock repeats is run through twice.
- A longer one runs once for each of its times on the wall: a daily 02:30 job runs once on the day
  that has two, and at 03:30 on the day that has none.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

__all__ = ["EPOCH", "Calendar"]

EPOCH = datetime(2001, 1, 1)
"""Where the timetable's seconds are counted from: this midnight, a Monday's, on the local clock."""

_EPOCH_SECONDS = int(EPOCH.replace(tzinfo=UTC).timestamp())
_DAY = 86_400


@final
class Calendar:
    """Converts between Unix time and the timetable's, in one time zone.

    Instants from year 2 to 9995 can be asked for. It is pure but for what it remembers of the zone.
    """

    def __init__(self, zone: tzinfo) -> None:
        """Make the calendar of this zone."""
        self.zone = zone
        # {year in UTC: the instants in it at which the offset changes, ascending}
        self._changes: dict[int, tuple[int, ...]] = {}

    def local(self, unix: float) -> datetime:
        """What the wall clock and the calendar on the wall show."""
        return datetime.fromtimestamp(unix, self.zone)

    def to_timetable(self, unix: float) -> float:
        """Seconds since the timetable's epoch. An hour that the wall repeats is counted twice."""
        return unix + self._offset(unix) - _EPOCH_SECONDS

    def to_unix(self, seconds: float, *, not_before: float = -math.inf) -> float:
        """The instant at which the wall clock is `seconds` after the epoch.

        Args:
          seconds: timetable time.
          not_before: Unix seconds. Of two instants (the wall repeats an hour) the second is
            taken if the first is before this.

        Returns:
          Unix seconds. For a time that the wall jumps over: as long after the jump.
        """
        whole = math.floor(seconds)
        wall = (EPOCH + timedelta(seconds=whole)).replace(tzinfo=self.zone)
        first = wall.timestamp() + (seconds - whole)
        if first >= not_before:
            return first
        return max(first, wall.replace(fold=1).timestamp() + (seconds - whole))

    def next_release(
        self, interval: int, phase: int, after: float, previous: float | None = None
    ) -> float:
        """The first release of a slot at or after an instant.

        Args:
          interval: seconds, >= 1.
          phase: seconds from the epoch, 0 <= phase < interval.
          after: Unix seconds.
          previous: the job's release before, Unix seconds, of this slot or of one that it had
            earlier; None if there was none. The release found is more than half an interval
            after it, and at most one and a half if `after` is no later than `previous`.

        Returns:
          Unix seconds, whole.
        """
        if previous is None:
            # Some intervals back, so that a change shortly before `after` is gone through.
            start = math.floor(after) - 4 * interval
            start -= (start + self._offset(start) - _EPOCH_SECONDS - phase) % interval
        else:
            start = math.floor(previous)
        for stretch in self._stretches(interval, phase, start):
            if stretch[-1] >= after:
                return float(stretch[max(0, math.ceil((after - stretch[0]) / interval))])
        raise AssertionError("there is always a next release")

    def passed(self, interval: int, phase: int, first: float, until: float) -> tuple[range, ...]:
        """All releases from `first`, which is one, to `until`, ascending, as ranges.

        However long that is, it costs no more than the changes of the offset in it.

        Args:
          interval: seconds, >= 1.
          phase: seconds from the epoch, 0 <= phase < interval.
          first: Unix seconds.
          until: Unix seconds, >= first.
        """
        found = [range(math.floor(first), math.floor(first) + 1, interval)]
        end = math.floor(until) + 1
        for stretch in self._stretches(interval, phase, math.floor(first)):
            if stretch[0] >= end:
                break
            found.append(range(stretch[0], min(stretch.stop, end), interval))
        return tuple(found)

    def _stretches(self, interval: int, phase: int, previous: int) -> Iterator[range]:
        """The releases that follow `previous`, for ever, in stretches `interval` apart."""
        while True:
            # More than half an interval later, not exactly half: that would run a 2 h job at both
            # of the two 02:00s of a day with a repeated hour.
            at = previous + interval // 2 + 1
            while True:
                change = self._next_change(at)
                at += (phase + _EPOCH_SECONDS - at - self._offset(at)) % interval
                if at < change:
                    break
                at = change
            if 2 * (at - previous) > 3 * interval:
                at = previous + interval
                yield range(at, at + 1, interval)
                previous = at
            else:
                stretch = range(at, change, interval)
                yield stretch
                previous = stretch[-1]

    def _offset(self, unix: float) -> int:
        """Local time minus UTC, seconds."""
        offset = datetime.fromtimestamp(math.floor(unix), self.zone).utcoffset()
        assert offset is not None
        return int(offset.total_seconds())

    def _next_change(self, unix: int) -> int:
        """The first change of the offset after an instant, or a later instant that is none."""
        year = datetime.fromtimestamp(unix, UTC).year
        for candidate in (year, year + 1):
            changes = self._changes_in(candidate)
            i = bisect_right(changes, unix)
            if i < len(changes):
                return changes[i]
        return _new_year(year + 2)

    def _changes_in(self, year: int) -> tuple[int, ...]:
        if year not in self._changes:
            # No zone keeps an offset for less than a day.
            days = [*range(_new_year(year), _new_year(year + 1), _DAY), _new_year(year + 1)]
            self._changes[year] = tuple(
                self._change_between(before, after)
                for before, after in pairwise(days)
                if self._offset(before) != self._offset(after)
            )
        return self._changes[year]

    def _change_between(self, before: int, after: int) -> int:
        offset = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == offset:
                before = middle
            else:
                after = middle
        return after


def _new_year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
