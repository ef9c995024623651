"""When muxd is restarted: in the next gap of the timetable that is long enough for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, final

import trio

from muxd.gaps import first_free, longest_free
from muxd.recycling import relaunch_time

if TYPE_CHECKING:
    from muxd.civil import Calendar
    from muxd.core import Core

__all__ = ["Gap", "RestartGap"]

START = 5.0
"""How long muxd itself takes to end and to start, beside its browser, seconds."""
SLACK = 2.0
"""How much of the gap may have passed when it is used, seconds."""
AHEAD = 86_400.0
"""How far ahead a gap is looked for, seconds; the longest within that must do else."""
NAME = "restart"


class Gap(NamedTuple):
    """Where the restart goes."""

    at: float
    """Real Unix seconds."""
    length: float
    """Real seconds."""


@final
class RestartGap:
    """Finds the gap, keeps it free of what has no slot, and waits for it."""

    def __init__(self, core: Core, calendar: Calendar) -> None:
        """Nothing is looked for yet."""
        self._core, self._calendar = core, calendar
        self.waits_for: float | None = None
        """When it is to be, real Unix seconds; later, once that was in vain. None: it isn't to be."""

    @property
    def need(self) -> float:
        """How long a restart takes, real seconds."""
        supervisor = self._core.supervisor
        return START + SLACK + relaunch_time(supervisor.launches, supervisor.closes)

    def find(self) -> Gap:
        """The next gap that is long enough; the longest of the day if none is. Reserves it."""
        core, clock = self._core, self._core.clock
        if core.scheduler is None or clock is None:
            return Gap(0.0, math.inf)
        core.scheduler.reserve(NAME, None)
        now, need = clock.now(), self.need * clock.speed
        table, taken, until = core.planner.timetable, core.scheduler.promised(), now + AHEAD
        at = first_free(
            table, self._calendar, math.ceil(need), earliest=now, until=until, taken=taken
        )
        found = (
            (at, need)
            if at is not None
            else longest_free(table, self._calendar, earliest=now, until=until, taken=taken)
        )
        begin, length = found if found is not None else (now, 0.0)
        core.scheduler.reserve(NAME, (begin, begin + length))
        return Gap(clock.real(begin), length / clock.speed)

    async def wait(self, gap: Gap) -> None:
        """Wait for it; if it is not as the timetable said, for the next. At most a day and a gap."""
        core, clock = self._core, self._core.clock
        over = trio.current_time() + AHEAD
        while clock is not None and trio.current_time() < over:
            self.waits_for = gap.at
            if (wait := gap.at - clock.real(clock.now())) > 0:
                await trio.sleep(wait)
            if core.free_for() >= gap.length - SLACK:
                return
            with trio.move_on_after(gap.length):
                await core.motion()
            gap = _soonest(self.find(), gap)


def _soonest(found: Gap, before: Gap) -> Gap:
    """Another than the one that was in vain: else it would be looked at again at once."""
    return found._replace(at=max(found.at, before.at + SLACK / 2))
