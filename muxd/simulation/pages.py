"""The imagined browser: the verified fake, which takes time and breaks as the plan says."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, cast

import trio

from muxd.errors import BrowserLost
from muxd.simulation.faults import Fault, Place
from muxd.testing import FakePages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from muxd.abc import Lease
    from muxd.simulation.life import Life
    from muxd.testing import FakePage

__all__ = ["SimulatedPages", "open_browser"]

LAUNCH, OPEN, CLEAN, SAVE, CLOSE = 1.0, 0.05, 0.02, 0.1, 0.2
"""How long the browser takes for each, seconds, as measured on a machine with nothing else to do."""
LAUNCH_BOUND, OPEN_BOUND, REVOKE_BOUND, CLEAN_BOUND = 60.0, 8.0, 2.0, 3.0
SAVE_BOUND, CLOSE_BOUND = 10.0, 10.0
"""After how long the real one gives up, seconds."""
SLOWER = 10


class SimulatedPages(FakePages):
    """A browser of nothing that takes time and breaks."""

    def __init__(self, generation: int, life: Life) -> None:
        """A browser that is up."""
        super().__init__(generation)
        world = life.world
        self.pid = 100_000 + world.launches
        self.version = "simulated"
        self.page: FakePage | None = None
        """That of the lease that is out."""
        self.hangs = False
        """True: its pages can't be closed; it has to be killed."""
        self._world, self._life = world, life

    @contextlib.asynccontextmanager
    async def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AsyncIterator[Lease]:
        """A page, if the plan gives one."""
        world = self._world
        world.leasing = True
        try:
            await self._take(Place.lease, OPEN, OPEN_BOUND, "no page could be opened")
            async with self._leased(session, block) as lease:
                yield lease
        finally:
            world.leasing = False

    @contextlib.asynccontextmanager
    async def _leased(self, session: str, block: Sequence[str] | None) -> AsyncIterator[Lease]:
        world = self._world
        async with super().lease(session, block=block) as lease:
            world.leases += 1
            world.most_leases = max(world.most_leases, world.leases)
            self.page = cast("FakePage", lease.page)
            try:
                yield lease
            finally:
                with trio.CancelScope(shield=True):
                    await self._clean()
                world.leases -= 1
                self.page = None
                if not self._life.dead:
                    self._life.freed()

    async def keep_session(self, lease: Lease, session: str) -> None:
        """Take a while; raise what the plan says."""
        fault = await self._world.meet(Place.keep_session, run=self._world.running)
        if fault is Fault.browser_lost:
            self.kill("it crashed")
        if fault is Fault.fails:
            raise OSError("no space left for the session")
        await trio.sleep(SAVE_BOUND if fault is Fault.hang else SAVE)
        if fault is Fault.hang:
            self.kill("the session could not be read")
        if self.lost is not None:
            raise self.lost
        await super().keep_session(lease, session)

    async def revoke(self, lease: Lease) -> None:
        """Close the page, or hang for as long as the contract allows."""
        if self.hangs:
            await trio.sleep(REVOKE_BOUND)
        else:
            await trio.sleep(CLEAN)
            await super().revoke(lease)

    def kill(self, reason: str) -> None:
        """Be gone; a page's calls in flight end."""
        super().kill(reason)
        if self.page is not None:
            self.page.closed.set()

    def crash(self) -> None:
        """Lose the page; its calls in flight end."""
        super().crash()
        if self.page is not None:
            self.page.closed.set()

    async def _clean(self) -> None:
        fault = await self._world.meet(Place.clean, run=self._world.running)
        if self.lost is not None:
            return
        if fault is Fault.browser_lost:
            self.kill("it crashed")
        elif fault is Fault.hang or self.hangs:
            await trio.sleep(CLEAN_BOUND)
            self.kill("its pages would not close")
        else:
            await trio.sleep(CLEAN * SLOWER if fault is Fault.slow else CLEAN)

    async def _take(self, place: Place, seconds: float, bound: float, trouble: str) -> None:
        fault = await self._world.meet(place)
        if fault is Fault.browser_lost:
            self.kill("it crashed")
        elif fault is Fault.hang:
            await trio.sleep(bound)
            self.kill(f"{trouble} in {bound:g} s")
        else:
            await trio.sleep(seconds * SLOWER if fault is Fault.slow else seconds)
        if self.lost is not None:
            raise self.lost


@contextlib.asynccontextmanager
async def open_browser(number: int, life: Life) -> AsyncIterator[SimulatedPages]:
    """Launch one for a daemon; close it on leaving.

    Raises:
      BrowserLost: the plan has the launch fail.
    """
    world = life.world
    world.launches += 1
    fault = await world.meet(Place.launch)
    await trio.sleep(
        {Fault.hang: LAUNCH_BOUND, Fault.slow: LAUNCH * SLOWER}.get(fault, LAUNCH)
        if fault
        else LAUNCH
    )
    if fault in (Fault.fails, Fault.hang):
        raise BrowserLost("it would not start")
    pages = SimulatedPages(number, life)
    world.browsers += 1
    world.most_browsers = max(world.most_browsers, world.browsers)
    try:
        if fault is Fault.browser_lost:
            pages.kill("it crashed at its start")
        life.pages = pages
        yield pages
    finally:
        life.pages = None
        with trio.CancelScope(shield=True):
            if pages.lost is None and not life.dead:
                fault = await world.meet(Place.close)
                if not life.dead:
                    await trio.sleep(CLOSE_BOUND if fault is Fault.hang else CLOSE)
        world.browsers -= 1
