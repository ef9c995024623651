"""The daemon as its control surfaces and the services of plugins see it: what can be asked of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import trio

from muxd.jobdata import JobData, NoData
from muxd.section import Section

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from starlette.responses import HTMLResponse

    from muxd.events import Event
    from muxd.links import PageLink
    from muxd.logins import Logins
    from muxd.record import Record
    from muxd.release import Release
    from muxd.slotting import Timetable
    from muxd.store import Store

__all__ = ["Controlled", "Layout"]

_T = TypeVar("_T")

_PLAIN = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} · muxd</title></head>
<body><main><h1>{title}</h1>
{body}
</main></body></html>
"""


class Layout(Protocol):
    """Puts what a plugin has to say into a page of the dashboard."""

    async def __call__(self, title: str, body_html: str, *, path: str, status: int) -> HTMLResponse:
        """The page."""


class Controlled(ABC):
    """A daemon that can be looked at, and steered while it runs.

    Laws: no look changes anything, and none but `configured` takes longer the more jobs or runs there are. What steers
    says who wants it (`by`, for people: ``uid 1000 (ann)``) and is in the audit trail once it is done.
    """

    # --- To look at -------------------------------------------------------------------------------

    @property
    @abstractmethod
    def grace(self) -> float:
        """How long the run in progress may go on after a stop was asked for, seconds."""

    @property
    @abstractmethod
    def store(self) -> Store:
        """Where the records are, to be read only."""

    @property
    @abstractmethod
    def timetable(self) -> Timetable:
        """The timetable in force; an empty one before the first."""

    @abstractmethod
    def status(self, *, upcoming: int = 10) -> dict[str, Any]:
        """The daemon's state, for JSON, with so many of the next releases, 0 or more."""

    @abstractmethod
    def jobs(self, *, after: str = "", limit: int = 100) -> dict[str, Any]:
        """So many jobs by name from the first after this one on, for JSON."""

    @abstractmethod
    def health(self) -> dict[str, Any]:
        """Is all well, for JSON.

        ``state``: ``ok``; ``ailing``: something is wrong that muxd tries to mend; ``stuck``: only a
        new start would help; ``starting``, ``draining``. ``stuck`` and ``ailing`` say what, in words.
        """

    @abstractmethod
    def settings(self, section: str) -> Mapping[str, Any]:
        """The values in force of a section of the configuration. Raises KeyError: there is none."""

    def section(self, plugin: str) -> Section:
        """The section of a plugin that is in force: after a reload the new one, unless it was refused.

        A service that goes by it asks again once `muxd.events.Reloaded` has come. One whose plugin was
        loaded anew meanwhile, in a newer version, may find in it what it does not know.
        """
        return Section(plugin)

    def configured(self, kind: type[_T]) -> Mapping[str, _T]:
        """The configurations of this class (`muxd.Run.config`), by the names of the jobs that have them.

        Those of a class that was loaded anew since, as a newer version of the plugin, are among them.
        All jobs are looked through: it takes the longer the more there are, a millisecond for 10,000.
        """
        return {}

    @abstractmethod
    def events(
        self, name: str, *, only: tuple[type[Event], ...] | None = None
    ) -> AbstractContextManager[AsyncIterator[Event]]:
        """All events from now on, in order.

        Who takes them more slowly than they come loses the oldest. It ends when the daemon does.

        Args:
          name: who wants them, for statistics.
          only: of which classes; the others don't wake anybody. None: of all.
        """

    @abstractmethod
    def tell(self, event: Event) -> None:
        """Let all that listen know what a service has done. Never blocks, never raises."""

    @abstractmethod
    async def wait_ended(self, run_id: str) -> Record:
        """The record of a run, once it has ended. Raises KeyError if it can't be found."""

    @abstractmethod
    def evidence(self, run_id: str) -> Mapping[str, Path]:
        """The files that are kept of a run, by name; none if there are none."""

    async def logged(self, record: Record, *, limit: int = 500) -> list[dict[str, Any]]:
        """The newest lines that a run has logged, oldest first: what was logged, for JSON.

        A daemon that keeps none has none, as here.
        """
        await trio.lowlevel.checkpoint()
        return []

    async def look(self, run_id: str | None = None) -> bytes | None:
        """What the page of the run in progress shows now: a JPEG; None if there is none to be had.

        With `run_id` only of that run.

        One is taken at most once a second, however many ask, and none unless somebody asks. A page that
        hangs costs a second, and the run nothing. A daemon that shows nothing has none, as here.
        """
        await trio.lowlevel.checkpoint()
        return None

    def data(self, job: str) -> JobData:
        """What this job has saved, to be read. A daemon that keeps nothing has nothing, as here."""
        return NoData(job)

    def found(self) -> list[dict[str, Any]]:
        """All plugins, those that are left out too, for JSON, as `muxd plugins --json` gives them."""
        return []

    # --- Pages -------------------------------------------------------------------------------------

    layout: Layout | None = None
    """How pages of plugins are made to look like those of the dashboard, which sets it."""

    def links(self) -> Sequence[PageLink]:
        """The pages of the services, those of one together, in the order in which they started."""
        return ()

    async def page(
        self, title: str, body_html: str, *, path: str = "", status: int = 200
    ) -> HTMLResponse:
        """A page of a plugin, in the dashboard's layout: with its style sheet and its navigation.

        Where there is no dashboard it is a plain page.

        Args:
          title: of the page, a text.
          body_html: what is below the title, HTML: what others wrote is escaped by who made it. The
            content security policy lets nothing run or be styled that stands in it.
          path: which of the `Service.pages` it is part of; by default the one with this title.
          status: of the answer.
        """
        if self.layout is not None:
            return await self.layout(title, body_html, path=path, status=status)
        from starlette.responses import HTMLResponse

        await trio.lowlevel.checkpoint()
        text = _PLAIN.format(title=escape(title), body=body_html)
        return HTMLResponse(text.encode("utf-8", "backslashreplace"), status_code=status)

    # --- To log in ---------------------------------------------------------------------------------

    logins: Logins
    """People's logins: who may see one may drive its page."""

    # --- To steer ---------------------------------------------------------------------------------

    @abstractmethod
    async def request(self, job: str, *, by: str) -> Release:
        """Ask for a run now. Raises `UserError` when that can't be, `UnknownJob`."""

    @abstractmethod
    async def request_in_gap(self, job: str, *, by: str) -> tuple[Release, float | None]:
        """Ask for a run in the next gap of the timetable that is long enough for it.

        Returns:
          Its release, and when its gap is, Unix seconds: that may become later; None: not known yet.

        Raises `UserError` when that can't be, `UnknownJob`.
        """

    @abstractmethod
    async def cancel(self, run: str, *, by: str) -> dict[str, Any]:
        """End a run that waits or is in progress, and wait for its end.

        Args:
          run: its id, or how that begins or ends.
          by: who wants it.

        Returns:
          For JSON: what it was doing (``was``), and its record (``run``).

        Raises `UserError`: there is none, or several.
        """

    @abstractmethod
    def skip(self, job: str, note: str = "", *, by: str) -> float:
        """Pass over the next release of a job by its slot, once.

        Gives when that is, Unix seconds. Raises `UserError`: it has no slot; `UnknownJob`.
        """

    @abstractmethod
    def unskip(self, job: str, *, by: str) -> bool:
        """Don't pass over it after all; False if it was not to be. Raises as `skip`."""

    async def forget_state(self, job: str, *, by: str) -> bool:
        """Have the next run of a job begin without a state (`muxd.Run.state`); False if it has none.

        A daemon that keeps none has none, as here. Raises `~muxd.errors.DataError`.
        """
        await trio.lowlevel.checkpoint()
        return False

    @abstractmethod
    def pause(self, job: str | None, note: str, *, seconds: float | None, by: str) -> None:
        """Pause a job, or (None) all, for so long or until it is resumed. Raises `UnknownJob`."""

    @abstractmethod
    def resume(self, job: str | None, *, by: str) -> Sequence[str]:
        """End the pause of a job; or (None) that of the whole muxd; or, without one, all pauses.

        All but those of jobs that wait for a login, which ends them: without, they would only be
        paused again. Gives those that were paused, and are no more: jobs, or ``*`` for the whole muxd and ``*drain`` for a drain,
        which ends as well. Raises `UnknownJob`.
        """

    @abstractmethod
    def drain(self, note: str = "", *, by: str) -> None:
        """Let nothing become a run any more, until it is resumed; what waits is run."""

    @abstractmethod
    async def wait_drained(self) -> bool:
        """Wait until no run waits and none is in progress; False if the drain ends before."""

    @abstractmethod
    async def reload(self, note: str = "", *, by: str) -> dict[str, Any]:
        """Read the configuration, jobs directories and plugins anew, and take over what changed.

        `note` says why, for the audit trail.
        Gives what changed, for JSON. Raises `UserError`: that can't be, and nothing has changed.
        """

    @abstractmethod
    async def restart(self, *, at_once: bool = False, by: str) -> dict[str, Any]:
        """Have another daemon take the place of this one, in the next gap that is long enough.

        Gives, for JSON, when (``at``), and how long the gap is (``length``). Raises `UserError`.
        """

    @abstractmethod
    async def audit(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """Who wanted what of the daemon, for JSON, newest first."""

    @abstractmethod
    def stop(self, *, at_once: bool = False, by: str = "") -> None:
        """Begin to stop; `at_once` also cuts the run in progress short."""
