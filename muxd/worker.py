"""The worker: takes releases from the channel and has them run, on one browser after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from muxd.errors import BrowserLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from muxd.abc import PageSource
    from muxd.record import Record
    from muxd.release import Release
    from muxd.runner import Runner

__all__ = ["Worker"]

TRIES = 3
"""How many browsers may be lost while they open the page of a run before the run is charged."""


class Worker:
    """Runs what comes out of the channel, one at a time.

    It outlives the browsers: a release that it has taken and that had not started when the
    browser was lost is the first to run on the next.
    """

    def __init__(
        self,
        receive: trio.abc.ReceiveChannel[Release],
        runner: Runner,
        ended: Callable[[Record], None],
    ) -> None:
        """Make one.

        Args:
          receive: where the releases come from.
          runner: carries out each.
          ended: is told of each record.
        """
        self._receive, self._runner, self._ended = receive, runner, ended
        self._taken: Release | None = None
        self._tries = 0

    async def work(self, pages: PageSource, lost: Callable[[], Awaitable[object]]) -> bool:
        """Work on this browser.

        Args:
          pages: the browser.
          lost: returns when that browser is lost.

        Returns:
          True if the channel has ended: no release will come any more. False if the browser is
          lost. When cancelled, a release that has not started stays taken or in the channel.
        """
        idle = trio.CancelScope()
        gone = over = False

        async def watch() -> None:
            nonlocal gone
            await lost()
            gone = True
            idle.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            while not (gone or over):
                idle = trio.CancelScope()
                with idle:
                    over = not await self._take()
                if self._taken is not None and not gone:
                    # `watch` may have found out meanwhile: that must not be forgotten.
                    gone = not await self._run(self._taken, pages) or gone
            nursery.cancel_scope.cancel()
        return over

    async def _take(self) -> bool:
        """Have a release in hand; False if none will come."""
        if self._taken is None:
            self._tries = 0
            try:
                self._taken = await self._receive.receive()
            except trio.EndOfChannel:
                return False
        return True

    async def _run(self, release: Release, pages: PageSource) -> bool:
        """Run it; False if the browser was lost before the run had its page."""
        try:
            record = await self._runner.run(release, pages)
        except BrowserLost as error:
            self._tries += 1
            if self._tries < TRIES:
                return False
            record = await self._runner.give_up(release, pages, error)
        self._taken = None
        self._ended(record)
        return True
