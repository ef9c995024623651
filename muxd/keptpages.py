"""A page that stays open after its run, to be looked at, until the next run or the end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, final

import attrs
import outcome
import trio

from muxd.lentpages import LentPages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from muxd.abc import Lease, PageSource

__all__ = ["PageKeeper"]


@attrs.define(eq=False)
class _Kept:
    lease: contextlib.AbstractAsyncContextManager[Lease]
    page: outcome.Outcome[Lease] | None = None
    there: trio.Event = attrs.field(factory=trio.Event)
    let_go: trio.Event = attrs.field(factory=trio.Event)
    gone: trio.Event = attrs.field(factory=trio.Event)

    async def hold(self) -> None:
        """Enter the lease, and leave it when it is let go."""
        try:
            async with self.lease as page:
                self.page = outcome.Value(page)
                self.there.set()
                await self.let_go.wait()
        except Exception as error:
            self.page = outcome.Error(error)
        finally:
            self.there.set()
            self.gone.set()


@final
class PageKeeper:
    """Keeps the page of the last run open. What the run has left is then taken away later, too."""

    def __init__(self) -> None:
        """With none yet."""
        # Of a task of its own: one that a run begins would be charged to it.
        self._send, self._asked = trio.open_memory_channel[_Kept](1)
        self._kept: _Kept | None = None

    async def run(self) -> None:
        """Keep pages, until cancelled. It must outlive the runs that get theirs here."""
        async for kept in self._asked:
            await kept.hold()

    def keeping(self, pages: PageSource) -> PageSource:
        """These pages, of which the last is kept."""
        return _KeptPages(pages, self)

    async def let_go(self) -> None:
        """Close what is kept, as a lease is left. Bounded by that; never raises."""
        if self._kept is not None:
            self._kept.let_go.set()
            await self._kept.gone.wait()

    async def take(self, lease: contextlib.AbstractAsyncContextManager[Lease]) -> Lease:
        """Enter a lease, which is left when it is let go. Raises what entering it raises."""
        await self.let_go()
        self._kept = kept = _Kept(lease)
        self._send.send_nowait(kept)
        await kept.there.wait()
        assert kept.page is not None
        return kept.page.unwrap()


class _KeptPages(LentPages):
    def __init__(self, pages: PageSource, keeper: PageKeeper) -> None:
        super().__init__(pages)
        self._keeper = keeper

    @contextlib.asynccontextmanager
    async def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AsyncIterator[Lease]:
        """See `PageSource.lease`: it is left by and by."""
        yield await self._keeper.take(self._pages.lease(session, block=block))
