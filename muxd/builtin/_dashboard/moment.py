"""What every page shows of this moment: the daemon's state, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

import attrs

from muxd import events
from muxd.builtin._dashboard.words import Almanac, unix
from muxd.login import login_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.abc import Controlled

__all__ = ["EVENTS", "Moment"]

EVENTS = " ".join(
    sorted(
        kind.__new__(kind).name
        for kind in vars(events).values()
        if isinstance(kind, type)
        and issubclass(kind, events.Event)
        and kind not in (events.Event, events.RunLogged)
    )
)
"""The names of the events that pages are kept up to date by; of a log there are its own page's."""
STATES = {
    "ok": ("good", "All is well"),
    "ailing": ("warn", "Something is wrong"),
    "stuck": ("bad", "Stuck"),
    "starting": ("quiet", "Starting"),
    "draining": ("quiet", "Stopping"),
}

PILE = 5
"""How many runs may wait, if that is less than half of the jobs, before it is worth a word."""


@attrs.frozen
class Moment:
    """The state of the daemon, and the time that it has."""

    told: Mapping[str, Any]
    """As `muxd status --json` gives it."""
    almanac: Almanac
    health: Mapping[str, Any]

    @classmethod
    def of(cls, daemon: Controlled, *, upcoming: int) -> Self:
        """Now."""
        told = daemon.status(upcoming=upcoming)
        now = unix(told["now"]) or 0.0
        almanac = Almanac(
            ZoneInfo(told["timezone"]),
            now=now,
            timetable_now=unix(told["timetable_now"]) or now,
            speed=told["speed"],
            begun=(unix(told["started_at"]) or 0.0) - 5,
        )
        return cls(told, almanac, daemon.health())

    @property
    def started_at(self) -> float:
        """When the daemon was up, Unix seconds."""
        return unix(self.told["started_at"]) or 0.0

    @property
    def kind(self) -> str:
        """``good``, ``warn``, ``bad`` or ``quiet``."""
        return self._state[0]

    @property
    def headline(self) -> str:
        """How muxd is, in a few words."""
        return self._state[1]

    @property
    def details(self) -> list[str]:
        """What there is to say about it."""
        return [*self.health["stuck"], *self.health["ailing"]]

    @property
    def events(self) -> str:
        """See `EVENTS`."""
        return EVENTS

    @property
    def _trifles(self) -> tuple[str, str] | None:
        """What the daemon gets on with, and a person should all the same see at a glance."""
        told, jobs = self.told, self.told["timetable"]["jobs"]
        if told["waiting_total"] >= max(PILE, jobs / 2):
            return "warn", f"{told['waiting_total']} runs wait"
        # Those of a timetable that is feasible are for its page: they last as long as it does.
        timetable = told["timetable"]["warnings"] if told["timetable"]["feasible"] else []
        if set(told["warnings"]) - set(timetable):
            return "warn", "Something needs a look"
        if out := {login_session(one["note"]) for one in told["paused"]} - {None}:
            return "warn", f"Logged out of {', '.join(sorted(filter(None, out)))}"
        if paused := told["paused_total"]:
            return "quiet", f"{paused} of {jobs} jobs {'is' if paused == 1 else 'are'} paused"
        return None

    @property
    def _state(self) -> tuple[str, str]:
        state, told = self.health["state"], self.told
        if state == "ok" and not told["browser"]["up"]:
            return "warn", "The browser is gone; another is being launched"
        if state == "ok" and told["drained"]:
            return "quiet", "Drained: nothing new is run"
        if state == "ok" and told["paused_whole"]:
            return "quiet", "All jobs are paused"
        if state == "ok":
            return self._trifles or STATES["ok"]
        return STATES.get(state, ("quiet", state))
