"""Closing what a run has open: pages, contexts, and what its listeners raised meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio
from playwright.async_api import Error

from muxd.bridge import bridged
from muxd.left import Left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from playwright.async_api import Browser, BrowserContext, Page

    from muxd.browser.leftovers import Leftovers, NoLeftovers
    from muxd.browser.ready import Shelf

__all__ = ["FUTILE", "Account", "Closer", "is_closed"]

FUTILE = 3
"""How often pages are told to close, without one that does, before the browser is given up."""


@attrs.frozen(eq=False)
class Account:
    """What is found of one run; its parts become those of the lease."""

    errors: list[Exception] = attrs.field(factory=list)
    left: Left = attrs.field(factory=Left)
    harms: list[str] = attrs.field(factory=list)
    pages: set[Page] = attrs.field(factory=set)
    """Those that have been counted, or need not be."""

    def count_pages(self, pages: Iterable[Page]) -> None:
        """Count those that the run left, each once."""
        new = set(pages) - self.pages
        self.pages.update(new)
        self.left["page"] += len(new)


class Closer:
    """Closes what runs have open in one browser. Its methods are unbounded: the caller bounds."""

    def __init__(
        self,
        main: BrowserContext,
        browser: Browser,
        shelf: Shelf,
        leftovers: Leftovers | NoLeftovers,
        *,
        is_lost: Callable[[], bool],
        give_up: Callable[[str], object],
    ) -> None:
        """Make one.

        Args:
          main: the shared context: it stays open, with the pages that it has now.
          browser: whose it is.
          shelf: what it has ready stays open.
          leftovers: insists where pages don't close.
          is_lost: whether the browser is gone.
          give_up: kills it, for this reason.
        """
        self._main, self._browser, self._shelf, self._leftovers = main, browser, shelf, leftovers
        self._is_lost, self._give_up = is_lost, give_up
        self.keepers = tuple(main.pages)
        """The pages that are no run's."""

    async def close_pages(self, context: BrowserContext, account: Account) -> None:
        """Close all pages of a run, those too that open meanwhile."""
        futile = 0
        staying = {*self.keepers, *self._shelf.pages}
        while pages := [page for page in context.pages if page not in staying]:
            account.count_pages(pages)
            async with trio.open_nursery() as insisting:
                insisting.start_soon(self._leftovers.insist)
                async with trio.open_nursery() as nursery:
                    for page in pages:
                        nursery.start_soon(self._close, page, account)
                insisting.cancel_scope.cancel()
            if self._is_lost():
                return
            futile = futile + 1 if not any(page.is_closed() for page in pages) else 0
            if futile == FUTILE:
                self._give_up("Playwright's connection is broken")

    async def close_contexts(self, own: BrowserContext, account: Account) -> None:
        """Close all contexts but the shared one and those of pages that are ready: the run's."""
        staying = {self._main, *self._shelf.contexts}
        for attempt in range(FUTILE):
            contexts = [each for each in self._browser.contexts if each not in staying]
            if not contexts or self._is_lost():
                return
            if attempt == 0:
                account.left["context"] += len([each for each in contexts if each is not own])
            for each in contexts:
                await self._close(each, account)
        self._give_up("Playwright's connection is broken")

    async def _close(self, what: Page | BrowserContext, account: Account) -> None:
        """Close it; an error of a listener, which any call may raise instead, is kept."""
        self.charge(account)
        try:
            await bridged(what.close)()
        except Exception as error:
            if not is_closed(error):
                account.errors.append(error)

    def charge(self, account: Account) -> None:
        """Have the run pay for what a listener raised."""
        if error := self.take_error():
            account.errors.append(error)

    def take_error(self) -> Exception | None:
        """What a listener raised, before the next call by anybody would raise it.

        Playwright has no public way to ask. Should its insides change, such an error comes out of
        our own next call, and is charged all the same.
        """
        connection = getattr(getattr(self._browser, "_impl_obj", None), "_connection", None)
        error = getattr(connection, "_error", None)
        if not isinstance(error, Exception) or connection is None:
            return None
        connection._error = None
        return None if is_closed(error) else error


def is_closed(error: BaseException) -> bool:
    """True if it says only that a page or context is closed: by us, or with its browser."""
    return isinstance(error, Error) and ("closed" in error.message or "crashed" in error.message)
