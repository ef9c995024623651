"""Jobs that need a login: paused together when their session is logged out, resumed by a login."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from muxd.errors import LoggedOut, qualified_name
from muxd.events import LoginNeeded
from muxd.login import is_login, login_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from muxd.bus import Bus
    from muxd.events import Event
    from muxd.job import Job
    from muxd.pause import Pause
    from muxd.pauses import Pauses
    from muxd.record import Record

__all__ = ["LoginNeeds", "paused_for_login"]

_LOGGED_OUT = qualified_name(LoggedOut)


def paused_for_login(pauses: Mapping[str, Pause], session: str) -> list[str]:
    """The jobs that a login to this session resumes, by their pauses: no others, whoever paused them."""
    return [name for name, pause in pauses.items() if pause.note == login_note(session)]


@final
class LoginNeeds:
    """Pauses what needs a login, and ends these pauses. The pauses alone know which these are."""

    def __init__(
        self,
        pauses: Pauses,
        bus: Bus[Event],
        *,
        jobs: Callable[[], Iterable[Job]],
        real_now: Callable[[], float],
    ) -> None:
        """Nothing happens yet.

        Args:
          pauses: all there are.
          bus: is told when a login is needed.
          jobs: those that there are.
          real_now: Unix seconds.
        """
        self._pauses, self._bus, self._jobs, self._real_now = pauses, bus, jobs, real_now

    def ended(self, record: Record) -> None:
        """A run is over: to be told of every one, logins too. Never blocks."""
        session, outcome = record.session, record.outcome
        if outcome is not None and outcome.good:
            if is_login(record.job):
                self._resume(session, by=f"a login to the session {session!r}")
            elif record.job in paused_for_login(self._pauses.all, session):
                self._resume(session, by=f"its run {record.id}, which was logged in")
        elif record.error_type == _LOGGED_OUT and not is_login(record.job):
            self._pause(record)

    def _pause(self, record: Record) -> None:
        session, paused = record.session, []
        alike = [each.name for each in self._jobs() if each.session == session and each.needs_login]
        for name in dict.fromkeys((record.job, *alike)):
            if (
                name not in self._pauses.all
            ):  # else it has its own reason, which a login does not end
                self._pauses.pause(name, login_note(session))
                paused.append(name)
        if paused:
            self._bus.publish(
                LoginNeeded(
                    at=self._real_now(), job=record.job, session=session, paused=tuple(paused)
                )
            )

    def _resume(self, session: str, *, by: str) -> None:
        for name in paused_for_login(self._pauses.all, session):
            self._pauses.resume(name, by=by)
