"""The pages of a browser that many tests use one after another: each test has sessions of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from muxd.browser.sessions import FRESH
from muxd.lentpages import LentPages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from muxd.abc import Lease, PageSource

__all__ = ["BorrowedPages"]


@final
class BorrowedPages(LentPages):
    """Lends the pages of a browser to the runs of a test.

    Sessions, `main` too, are the test's alone: nothing comes from the tests before it.
    """

    def __init__(self, pages: PageSource, owner: str) -> None:
        """For this test.

        Args:
          pages: the browser.
          owner: whose the sessions are: letters and digits.
        """
        super().__init__(pages)
        self._owner = owner

    def _own(self, session: str) -> str:
        return session if session == FRESH else f"{self._owner}.{session}"

    def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AbstractAsyncContextManager[Lease]:
        """See `PageSource.lease`."""
        return self._pages.lease(self._own(session), block=block)

    async def keep_session(self, lease: Lease, session: str) -> None:
        """See `PageSource.keep_session`."""
        await self._pages.keep_session(lease, self._own(session))
