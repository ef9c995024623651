"""What a body finds beside its page, for one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs
import structlog
import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from httpx import AsyncClient
    from playwright.async_api import Page

    from muxd.abc import Lease
    from muxd.body.attachments import Attachments
    from muxd.body.everypage import EveryPage
    from muxd.body.http import HttpSession
    from muxd.body.news import News
    from muxd.body.progress import Progress
    from muxd.body.rundata import RunData
    from muxd.errors import MuxdError
    from muxd.record import Record
    from muxd.release import Release

__all__ = ["KEEP_BOUND", "Workspace"]

HTTP_GRACE = 5.0
"""How much longer than its run a request may take, seconds: the run is to end first."""
KEEP_BOUND = 5.0
"""How long keeping its artifacts may take, seconds."""


@final
@attrs.define(eq=False)
class Workspace:
    """What is a run's own beside its page. Made by `Workplace.begin`; what is not asked for costs nothing."""

    release: Release
    record: Record
    """As it stands: the run has begun."""
    lease: Lease
    bodies: trio.Nursery
    """Where tasks of the run live."""
    progress: Progress
    """How far it says that it is."""
    news: News
    """What it wants people to know."""
    secret: Callable[[str], str]
    """Finds a secret, by its name."""
    _attachments: Attachments | None = None
    _in_thread: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync
    _data: RunData | None = None
    _every_page: EveryPage | None = None
    _http: HttpSession | None = None
    _is_left: bool = False

    @property
    def data(self) -> RunData:
        """What it saves, and what it knows of its job."""
        if self._data is None:
            raise RuntimeError("nothing keeps what this run saves")
        return self._data

    async def every_page(self, fn: Callable[[Page], Awaitable[object]]) -> None:
        """See `muxd.Run.every_page`."""
        if self._every_page is None:
            from muxd.body.everypage import EveryPage

            self._every_page = EveryPage(self.lease, self.bodies)
        await self._every_page.add(fn)

    @property
    def http(self) -> AsyncClient:
        """See `muxd.Run.http`."""
        if self._http is None:
            if self._is_left:
                raise RuntimeError("the run is over: it has no client any more")
            from muxd.body.http import HttpSession

            self._http = HttpSession(
                self.lease.context, longest=self.release.job.timeout + HTTP_GRACE
            )
        return self._http.client

    def artifact(self, name: str) -> Path:
        """See `muxd.Run.artifact`."""
        if self._attachments is None:
            raise RuntimeError("nothing keeps the files of this run")
        return self._attachments.path(name)

    def leave(self) -> None:
        """The body has ended, or is told to: nothing is to reach the pages from here any more.

        Before the pages are looked through for what was left. Never blocks, never raises.
        """
        self._is_left = True
        self.progress.close()
        if self._every_page is not None:
            self._every_page.close()
        if self._http is not None:
            self._http.close()
        self.news.close()
        if self._data is not None:
            self._data.close()
        if self._attachments is not None:
            self._attachments.close()

    async def finish(self, *, good: bool) -> MuxdError | None:
        """Keep what is to be kept; the browser is free already, the record not yet written.

        Bounded (`KEEP_BOUND` and `muxd.body.rundata.WRITE_BOUND` together), and never raises for what the
        world does.

        Args:
          good: the run has ended well.

        Returns:
          Why it has not ended well after all; None if nothing speaks against it.
        """
        if self._every_page is not None:
            self._every_page.let_go()
        if self._http is not None:
            await self._http.aclose()
        kept = None if self._attachments is None else self._attachments.kept
        if self._attachments is not None and self._attachments.used:
            kept = await self._keep(self._attachments)
        self.news.finish(kept)
        return None if self._data is None else await self._data.finish(good=good)

    async def _keep(self, attachments: Attachments) -> frozenset[str] | None:
        """The names of what is kept; None: not known, as it goes on."""
        log = structlog.get_logger()
        with trio.move_on_after(KEEP_BOUND):
            try:
                await self._in_thread(attachments.keep, abandon_on_cancel=True)
            except Exception as error:
                # Full disks are the world's; whatever else, it must not cost the run its record.
                log.warning("the artifacts of a run could not be kept", error=repr(error))
            return attachments.kept
        log.warning("the artifacts of a run are still being kept", seconds=KEEP_BOUND)
        return None
