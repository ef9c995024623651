"""The pages of a source, by way of somebody who has a say in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd.abc import PageSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from muxd.abc import Lease
    from muxd.errors import WorldError
    from muxd.observation import Observation

__all__ = ["LentPages"]


class LentPages(PageSource):
    """Does all as the source that it is of: to be inherited from, and changed where it is to differ."""

    def __init__(self, pages: PageSource) -> None:
        """Of this source."""
        self._pages = pages
        self.generation = pages.generation

    @property
    def pages(self) -> int | None:
        """See `PageSource.pages`."""
        return self._pages.pages

    async def prepare(self, session: str, *, trace: bool = False) -> bool:
        """See `PageSource.prepare`."""
        return await self._pages.prepare(session, trace=trace)

    def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AbstractAsyncContextManager[Lease]:
        """See `PageSource.lease`."""
        return self._pages.lease(session, block=block)

    async def keep_session(self, lease: Lease, session: str) -> None:
        """See `PageSource.keep_session`."""
        await self._pages.keep_session(lease, session)

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

    async def observe(self, lease: Lease, folder: Callable[[], Awaitable[Path]]) -> Observation:
        """See `PageSource.observe`."""
        return await self._pages.observe(lease, folder)

    async def look(self, lease: Lease) -> bytes | None:
        """See `PageSource.look`."""
        return await self._pages.look(lease)
