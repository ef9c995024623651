"""Pages that are ready before a run asks for them, opened while nothing else is to be done."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import attrs
import trio
from playwright.async_api import Error, Page

from muxd.bridge import bridged
from muxd.browser.sessions import FRESH, MAIN
from muxd.browser.tracer import Tracer, dropped

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import BrowserContext

    from muxd.browser.leftovers import Leftovers, NoLeftovers
    from muxd.browser.sessions import SessionFiles, Stamp

__all__ = ["Opened", "Shelf"]

STALE = 3 * 3600.0
"""How long a page is kept ready, seconds. A blank page does not age, but what is wrong with one that
nobody has looked at for so long would be seen by its run only. The usual job comes every hour or two;
one that comes less often can wait for a page."""


class _Untouched(Page):
    """A page that nobody has used: whoever uses it in any way makes an ordinary one of it.

    A run of another session can reach what is ready of `main`, by way of the browser, and leave a
    listener, a route or a script there. No call tells of all that; that the object was used does.
    """

    def __getattribute__(self, name: str) -> Any:
        object.__setattr__(self, "__class__", Page)
        return getattr(self, name)


@attrs.frozen(eq=False, kw_only=True)
class Opened:
    """A page in its context, for one run."""

    session: str
    context: BrowserContext
    page: Page
    crashed: trio.Event
    """Set when its renderer has died."""
    stamp: Stamp | None = None
    """Of the session's file, as it was when it was read."""
    taken: int = 0
    """How many pages had been taken before it was opened."""
    at: float = attrs.field(factory=trio.current_time)
    """When it was opened, trio's time."""
    tracer: Tracer | None = None
    """Its trace, if one was begun."""
    target: str | None = None
    """What the browser calls the page, if it has been asked."""

    @property
    def untouched(self) -> bool:
        """Whether nobody has used the page since `watch`."""
        return type(self.page) is _Untouched

    def watch(self) -> None:
        """Note from now on whether somebody uses the page."""
        object.__setattr__(self.page, "__class__", _Untouched)


class Shelf:
    """Opens pages for runs; has one of `main` and one of another session ready, at most.

    Its methods are not bounded: the caller bounds them, and what it cancels half-way is its own to
    close. They raise what Playwright raises. None is called before another has returned.
    """

    def __init__(
        self,
        main: BrowserContext,
        sessions: SessionFiles,
        leftovers: Leftovers | NoLeftovers,
        give_up: Callable[[str], Exception],
    ) -> None:
        """With nothing ready.

        Args:
          main: the shared context.
          sessions: where the others come from.
          leftovers: is told of what is to stay open.
          give_up: kills the browser, for this reason, and says so.
        """
        self._main, self._sessions, self._leftovers = main, sessions, leftovers
        self._give_up = give_up
        # {whether it is of main: what is ready}
        self._ready: dict[bool, Opened] = {}
        self._taken = 0

    @property
    def pages(self) -> frozenset[Page]:
        """Those that are ready: no run's, and to be left alone."""
        return frozenset(ready.page for ready in self._ready.values())

    @property
    def contexts(self) -> frozenset[BrowserContext]:
        """Theirs."""
        return frozenset(ready.context for ready in self._ready.values())

    @property
    def traces(self) -> frozenset[str]:
        """The names of theirs."""
        return frozenset(each.tracer.name for each in self._ready.values() if each.tracer)

    async def prepare(self, session: str, *, trace: bool) -> None:
        """Have a page of this session ready; if one is, nothing happens.

        What is ready of another one than `main` makes way.

        Args:
          session: which.
          trace: begin a trace without pictures, too.

        Raises:
          SessionError: the session's file is damaged.
        """
        is_main = session == MAIN
        for kind, ready in list(self._ready.items()):
            in_the_way = kind == is_main and ready.session != session
            if in_the_way or not await self._is_good(ready):
                await self._discard(kind)
            else:
                ready.watch()  # it was we who looked
        if is_main in self._ready:
            return
        opened = await self._open(session)
        target = await self._leftovers.spare(opened.context, opened.page)
        tracer = Tracer(opened.context, pictures=False) if trace else None
        try:
            if tracer is not None:
                await bridged(tracer.begin)()
        except BaseException:
            self._leftovers.spare_no_more(target)
            with trio.CancelScope(shield=True):
                await dropped(tracer)
            raise
        self._ready[is_main] = attrs.evolve(opened, target=target, tracer=tracer)
        self._ready[is_main].watch()

    async def take(self, session: str) -> Opened:
        """A page of this session: the one that is ready, else a new one.

        Raises:
          SessionError: the session's file is damaged.
        """
        is_main = session == MAIN
        ready = self._ready.get(is_main)
        good = ready is not None and ready.session == session and await self._is_good(ready)
        self._taken += 1
        if ready is not None and good:
            # Of a browser that hangs it would be worth nothing, and the run would be charged.
            await self._leftovers.answers()
            del self._ready[is_main]
            self._leftovers.spare_no_more(ready.target)
            return ready
        if is_main:
            await self._discard(is_main)  # or the run would find it among its own
        return await self._open(session)

    async def _is_good(self, ready: Opened) -> bool:
        """Whether it is as it was, and its session too. Touches it."""
        if not ready.untouched:
            return False  # a run has, and may have left something there
        if ready.page.is_closed() or ready.crashed.is_set() or ready.page.url != "about:blank":
            return False
        if trio.current_time() - ready.at > STALE:
            return False
        if ready.session == MAIN:
            return True
        if ready.taken != self._taken:
            return False  # another run might have put something there
        return ready.session == FRESH or ready.stamp == await self._stamp(ready.session)

    async def _discard(self, is_main: bool) -> None:
        """Close what is ready, if anything is.

        Raises what `give_up` returns where something of it would stay on the shared context.
        """
        ready = self._ready.pop(is_main, None)
        if ready is None:
            return
        self._leftovers.spare_no_more(ready.target)
        try:
            stuck = await dropped(ready.tracer)
        except Exception as error:  # a listener's, raised instead of ending the trace
            stuck = f"a trace would not end: {error!r}"
        if stuck and is_main:  # any other's ends with its context
            raise self._give_up(f"{stuck}, which can't be undone")
        with contextlib.suppress(Error):  # it is closed
            await bridged((ready.page if is_main else ready.context).close)()

    async def _open(self, session: str) -> Opened:
        stamp, context = None, self._main
        if session != MAIN:
            if session != FRESH:
                stamp = await self._stamp(session)
            context = await self._open_context(session)
        page = await bridged(context.new_page)()
        crashed = trio.Event()
        page.on("crash", lambda _: crashed.set())
        return Opened(
            session=session,
            context=context,
            page=page,
            crashed=crashed,
            stamp=stamp,
            taken=self._taken,
        )

    async def _open_context(self, session: str) -> BrowserContext:
        state: Any = None
        if session != FRESH:
            state = await trio.to_thread.run_sync(self._sessions.load, session)
        browser = self._main.browser
        assert browser is not None
        try:
            return await bridged(browser.new_context)(storage_state=state)
        except Error as error:
            if "storage" in error.message.lower() and browser.is_connected():
                raise self._sessions.damaged(session) from error
            raise

    async def _stamp(self, session: str) -> Stamp | None:
        return await trio.to_thread.run_sync(self._sessions.stamp, session, abandon_on_cancel=True)
