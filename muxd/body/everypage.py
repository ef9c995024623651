"""What a body wants done with every page that its run opens: `Run.every_page`."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
from typing import TYPE_CHECKING, Any

import trio

from muxd.bridge import Abandoned, Leash
from muxd.errors import message_of
from muxd.hints import shown
from muxd.performance import split

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page

    from muxd.abc import Lease

__all__ = ["EveryPage"]


class EveryPage:
    """Calls functions of one run's body with the pages that it opens, each in a task of its own.

    In such a task Playwright's calls and trio's work as in the body. Without a function it does nothing.
    """

    def __init__(self, lease: Lease, bodies: trio.Nursery) -> None:
        """For the run that has this lease; `bodies`: where the tasks live."""
        self._lease, self._bodies = lease, bodies
        self._listeners: list[Callable[[Page], None]] = []
        self._calls: dict[Leash, trio.CancelScope] = {}
        self._closed = False

    async def add(self, fn: Callable[[Page], Awaitable[object]]) -> None:
        """See `muxd.Run.every_page`."""
        if self._closed:
            raise RuntimeError("the run is over: it opens no page any more")
        call = functools.partial(_call, fn)
        context = contextvars.copy_context()  # the run's: Playwright tells of pages in its own

        def opened(page: Page) -> None:
            if not self._closed:
                context.run(self._bodies.start_soon, self._call, call, page)

        self._lease.context.on("page", opened)
        self._listeners.append(opened)
        await call(self._lease.page)

    async def _call(self, fn: Callable[[Page], Awaitable[object]], page: Page) -> None:
        leash, scope = Leash(), trio.CancelScope()
        self._calls[leash] = scope
        try:
            with scope:
                try:
                    await leash.run(fn, page)
                except (trio.Cancelled, Abandoned):
                    raise
                except BaseException as error:
                    own, cancelled = split(error)
                    if own is not None:
                        self._charge(own, page)
                    if cancelled is not None:
                        raise cancelled from None
        except Abandoned:
            pass
        finally:
            del self._calls[leash]

    def _charge(self, error: BaseException, page: Any) -> None:
        # A page that is closed meanwhile, as popups are, needs nothing any more.
        if self._closed or ("closed" in message_of(error) and page.is_closed()):
            return
        if not isinstance(error, Exception):  # SystemExit ends nothing but its run
            error = RuntimeError(f"what was to be done with every page raised {shown(error)}")
        self._lease.errors.append(error)

    def close(self) -> None:
        """Call nothing any more, and cancel what was called. Never blocks, never raises."""
        self._closed = True
        while self._listeners:
            with contextlib.suppress(Exception):  # the run has removed it, or closed its context
                self._lease.context.remove_listener("page", self._listeners.pop())
        for scope in self._calls.values():
            scope.cancel()

    def let_go(self) -> None:
        """Never resume again what has ignored its cancellation. Never blocks."""
        for leash in tuple(self._calls):
            leash.let_go()


async def _call(fn: Callable[[Page], Awaitable[object]], page: Page) -> None:
    done = fn(page)
    if not inspect.isawaitable(done):
        raise TypeError(
            f"run.every_page() takes an `async def` function of a page: {fn!r:.200} gives "
            f"{type(done).__name__}, which can't be awaited"
        )
    await done
