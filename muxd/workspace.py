"""What a body finds beside its page, for one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs
import structlog
import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from muxd.abc import Lease
    from muxd.body.attachments import Attachments
    from muxd.body.news import News
    from muxd.body.progress import Progress
    from muxd.record import Record
    from muxd.release import Release

__all__ = ["KEEP_BOUND", "Workspace"]

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
    _attachments: Attachments | None = None
    _in_thread: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync

    def artifact(self, name: str) -> Path:
        """See `muxd.Run.artifact`."""
        if self._attachments is None:
            raise RuntimeError("nothing keeps the files of this run")
        return self._attachments.path(name)

    def leave(self) -> None:
        """The body has ended, or is told to: nothing is to reach the pages from here any more.

        Before the pages are looked through for what was left. Never blocks, never raises.
        """
        self.progress.close()
        self.news.close()
        if self._attachments is not None:
            self._attachments.close()

    async def finish(self, *, good: bool) -> None:
        """Keep what is to be kept; the browser is free already, the record not yet written.

        Bounded (`muxd.workplace.FINISH_BOUND`), and never raises for what the world does.

        Args:
          good: the run has ended well.
        """
        if self._attachments is not None and self._attachments.used:
            await self._keep(self._attachments)
        self.news.finish()

    async def _keep(self, attachments: Attachments) -> None:
        problem: object = f"it was not done in {KEEP_BOUND:g} s"
        with trio.move_on_after(KEEP_BOUND):
            try:
                await self._in_thread(attachments.keep, abandon_on_cancel=True)
                return
            except Exception as error:
                # Full disks are the world's; whatever else, it must not cost the run its record.
                problem = repr(error)
        log = structlog.get_logger()
        log.warning("the artifacts of a run could not be kept", error=problem)
