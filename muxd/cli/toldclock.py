"""Times of day as a daemon's timetable has them: in a rehearsal that runs faster than the wall's clock."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, final
from zoneinfo import ZoneInfo

from muxd.cli.output import clock_text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ToldClock"]

BEFORE = 5.0
"""How long before it was up a daemon may have begun, seconds."""


@final
class ToldClock:
    """Says instants in the time that a status was told with, as the dashboard does.

    How long something takes, or has to wait, is real time always.
    """

    def __init__(self, told: Mapping[str, Any], now: float) -> None:
        """Make one of this moment.

        Args:
          told: the status; an older daemon's as well.
          now: real Unix seconds.
        """
        self._zone, self._now = ZoneInfo(told["timezone"]), now
        self.speed: float = told.get("speed") or 1
        """Timetable seconds a real second."""
        self._shift, self._begun = 0.0, 0.0
        if self.speed != 1 and told.get("timetable_now") and told.get("now"):
            self._shift = _unix(told["timetable_now"]) - self.speed * _unix(told["now"])
            self._begun = _unix(told["started_at"]) - BEFORE if told.get("started_at") else 0.0

    def __call__(self, instant: float | None) -> str:
        """The time of day at a real instant, with the date if it isn't today's; "-" for None."""
        if instant is None or not self._shift or instant < self._begun:
            return clock_text(instant, self._zone, now=self._shown(self._now))
        return clock_text(self._shown(instant), self._zone, now=self._shown(self._now))

    def _shown(self, instant: float) -> float:
        return self._shift + self.speed * instant if self._shift else instant

    def real(self, seconds: float) -> float:
        """How long so many seconds of the timetable really take."""
        return seconds / self.speed


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
