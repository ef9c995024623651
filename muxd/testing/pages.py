"""Pages in memory: the verified fake of the browser, for tests without one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

import attrs
import trio

from muxd.abc import Lease, PageSource
from muxd.errors import BrowserLost, PageCrashed
from muxd.observation import Observation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from muxd.errors import WorldError

__all__ = ["FakePage", "FakePages"]


@attrs.define(eq=False)
class FakePage:
    """Stands in for a page: it can be waited on, closed, and lost."""

    closed: trio.Event = attrs.field(factory=trio.Event)

    async def hang(self) -> None:
        """Like a call that never ends: raises `RuntimeError` once the page is closed."""
        await self.closed.wait()
        raise RuntimeError("Target page, context or browser has been closed")


class FakePages(PageSource):
    """A browser of nothing: keeps the laws of `PageSource`, and breaks when it is told to.

    `muxd.testing.contracts.PageSourceContract` holds it to the same laws as the real one.
    """

    def __init__(self, generation: int = 1) -> None:
        """A browser that is up."""
        self.generation = generation
        self.lost: WorldError | None = None
        self.sessions: list[str] = []
        """The sessions that pages were leased in, oldest first."""
        self.blocked: list[tuple[str, ...] | None] = []
        """What was to be blocked in each of them."""
        self.prepared: list[str] = []
        """The sessions that pages were made ready in, oldest first."""
        self.ready: set[str] = set()
        """Those of which one is ready now."""
        self.kept: list[str] = []
        """The sessions that were saved, oldest first."""
        self.leased = 0
        """How many leases are out: 0 or 1."""
        self.most_leased = 0
        """The most leases that were ever out at once."""
        self.leave_errors: list[Exception] = []
        """What the next lease finds raised by listeners when it is left."""
        self.stubborn = False
        """True: `revoke` does not close pages; only killing helps."""
        self.traced = 0
        """How many traces were begun."""
        self.pictured = 0
        """How many of them with pictures."""
        self.observed = 0
        """How often the pages were looked at."""
        self.shows = Observation(
            url="https://fake.example/",
            title="a fake page",
            pages=("https://fake.example/",),
            html="<h1>fake</h1>",
            console=(),
            network=(),
            secrets=frozenset(),
            missing={"screenshot": "a fake has no picture", "trace": "a fake has no trace"},
        )
        """What the next page shows when it is looked at and neither closed nor lost."""
        self._gone = trio.Event()
        self._crashed = trio.Event()  # the page of the newest lease, or the browser with it

    async def prepare(self, session: str, *, trace: bool = False) -> bool:
        """Note it."""
        await trio.lowlevel.checkpoint()
        if self.lost is None and session not in self.ready:
            self.prepared.append(session)
            kept = self.ready if session == "main" else self.ready & {"main"}
            self.ready = {session, *kept}
        return self.lost is None

    @contextlib.asynccontextmanager
    async def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AsyncIterator[Lease]:
        """A page; closed on leaving."""
        await trio.lowlevel.checkpoint()
        if self.lost is not None:
            raise self.lost
        self.leased += 1
        self.most_leased = max(self.most_leased, self.leased)
        self.sessions.append(session)
        self.blocked.append(None if block is None else tuple(block))
        self.ready &= {"main"} - {session}
        self._crashed = trio.Event()
        page, errors = FakePage(), list[Exception]()
        stand_in = cast("Any", page)
        try:
            yield Lease(
                page=stand_in,
                context=stand_in,
                browser=stand_in,
                generation=self.generation,
                errors=errors,
            )
        finally:
            self.leased -= 1
            page.closed.set()
            errors += self.leave_errors
            self.leave_errors = []

    async def wait_gone(self) -> None:
        """Return when it was killed."""
        await self._gone.wait()

    async def wait_lost(self, lease: Lease) -> WorldError:
        """Return when it was killed, or `crash` was called."""
        await self._crashed.wait()
        return self.lost or PageCrashed("the page's renderer process died")

    async def revoke(self, lease: Lease) -> None:
        """Close the page, unless it is `stubborn`."""
        await trio.lowlevel.checkpoint()
        if not self.stubborn:
            cast("FakePage", lease.page).closed.set()

    def kill(self, reason: str) -> None:
        """Be gone."""
        self.lost = self.lost or BrowserLost(reason)
        self._gone.set()
        self._crashed.set()

    def crash(self) -> None:
        """Lose the page that is leased, not the browser."""
        self._crashed.set()

    async def trace(self, lease: Lease, *, pictures: bool = True) -> None:
        """Note it."""
        await trio.lowlevel.checkpoint()
        self.traced += 1
        self.pictured += pictures

    async def observe(self, lease: Lease, folder: Callable[[], Awaitable[Path]]) -> Observation:
        """Show what it is told to; nothing once the page is closed or lost."""
        await trio.lowlevel.checkpoint()
        self.observed += 1
        if self.lost is not None:
            return Observation(missing={"pages": f"the browser was lost: {self.lost}"})
        if self._crashed.is_set() or cast("FakePage", lease.page).closed.is_set():
            return Observation(missing={"pages": "the page is gone"})
        return self.shows

    async def keep_session(self, lease: Lease, session: str) -> None:
        """Note the session."""
        await trio.lowlevel.checkpoint()
        self.kept.append(session)
