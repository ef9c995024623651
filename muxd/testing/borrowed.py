"""The pages of a browser that many tests use one after another: each test has sessions of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from muxd.abc import PageSource
from muxd.browser.sessions import FRESH
from muxd.evidence import Case

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from muxd.abc import Lease
    from muxd.errors import WorldError
    from muxd.evidence import Evidence
    from muxd.observation import Observation
    from muxd.release import Release

__all__ = ["BorrowedPages"]


@final
class BorrowedPages(PageSource):
    """Lends the pages of a browser to one run of a test.

    Sessions, `main` too, are the test's alone: nothing comes from the tests before it. And a run
    that ended well is looked at before its page is closed, for the test may fail all the same.
    """

    def __init__(self, pages: PageSource, owner: str, evidence: Evidence, release: Release) -> None:
        """For this run.

        Args:
          pages: the browser.
          owner: whose the sessions are: letters and digits.
          evidence: keeps what is seen.
          release: the run.
        """
        self._pages, self._owner = pages, owner
        self._case = Case(evidence, release, pages)
        self.generation = pages.generation

    @property
    def case(self) -> Case:
        """What was seen of the run if it ended well."""
        return self._case

    def _own(self, session: str) -> str:
        return session if session == FRESH else f"{self._owner}.{session}"

    def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AbstractAsyncContextManager[Lease]:
        """See `PageSource.lease`."""
        return self._pages.lease(self._own(session), block=block)

    async def keep_session(self, lease: Lease, session: str) -> None:
        """See `PageSource.keep_session`; the run has ended well: look at it now."""
        await self._case.look(lease)
        await self._pages.keep_session(lease, self._own(session))

    async def wait_lost(self, lease: Lease) -> WorldError:
        """See `PageSource.wait_lost`."""
        return await self._pages.wait_lost(lease)

    async def revoke(self, lease: Lease) -> None:
        """See `PageSource.revoke`."""
        await self._pages.revoke(lease)

    def kill(self, reason: str) -> None:
        """See `PageSource.kill`."""
        self._pages.kill(reason)

    async def trace(self, lease: Lease, *, pictures: bool = True) -> None:
        """See `PageSource.trace`."""
        await self._pages.trace(lease, pictures=pictures)

    async def untrace(self, lease: Lease) -> None:
        """See `PageSource.untrace`."""
        await self._pages.untrace(lease)

    async def has_sign(self, lease: Lease, sign: str) -> bool:
        """See `PageSource.has_sign`."""
        return await self._pages.has_sign(lease, sign)

    async def observe(self, lease: Lease, folder: Path) -> Observation:
        """See `PageSource.observe`."""
        return await self._pages.observe(lease, folder)
