"""The pages of a browser that many tests use one after another: each test has sessions of its own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, final

import trio

from muxd.browser.sessions import FRESH
from muxd.lentpages import LentPages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from muxd.abc import Lease, PageSource
    from muxd.testing.har import Har

__all__ = ["BorrowedPages"]


@final
class BorrowedPages(LentPages):
    """Lends the pages of a browser to the runs of a test.

    Sessions, `main` too, are the test's alone: nothing comes from the tests before it.
    """

    def __init__(self, pages: PageSource, owner: str, har: Har | None = None) -> None:
        """For this test.

        Args:
          pages: the browser.
          owner: whose the sessions are: letters and digits.
          har: stands between the pages and the network.
        """
        super().__init__(pages)
        self._owner, self._har = owner, har

    def _own(self, session: str) -> str:
        return session if session == FRESH else f"{self._owner}.{session}"

    @contextlib.asynccontextmanager
    async def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AsyncIterator[Lease]:
        """See `PageSource.lease`."""
        async with self._pages.lease(self._own(session), block=block) as lease:
            if self._har is None:
                yield lease
                return
            await self._har.begin(lease.context)
            try:
                yield lease
            finally:
                with trio.CancelScope(shield=True), contextlib.suppress(Exception):
                    await self._har.end(lease.context)

    async def keep_session(self, lease: Lease, session: str) -> None:
        """See `PageSource.keep_session`."""
        await self._pages.keep_session(lease, self._own(session))
