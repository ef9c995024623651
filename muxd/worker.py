"""The worker: takes releases from the channel and has them run, on one browser after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from muxd.errors import BrowserLost
from muxd.holding import Answer
from muxd.whereabouts import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from muxd.abc import PageSource
    from muxd.channel import PriorityReceiveChannel
    from muxd.holding import Holding
    from muxd.record import Record
    from muxd.release import Release
    from muxd.runner import Runner

__all__ = ["Worker"]

TRIES = 3
"""How many browsers may be lost while they open the page of a run before the run is charged."""


class Worker:
    """Runs what comes out of the channel, one at a time.

    It outlives the browsers: a release that it has taken and that had not started when the
    browser was lost, or retired, is the first to run on the next.
    """

    def __init__(
        self,
        receive: PriorityReceiveChannel[Release],
        runner: Runner,
        ended: Callable[[Record], None],
        *,
        holding: Holding | None = None,
        rested: Callable[[], object] = lambda: None,
        coming: Callable[[], Iterable[str]] = lambda: (),
    ) -> None:
        """Make one.

        Args:
          receive: where the releases come from.
          runner: carries out each.
          ended: is told of each record.
          holding: is asked before each run whether there is memory and disk enough for it.
          rested: is told whenever nothing is left to do at the moment.
          coming: asked then for the sessions of which a page is to be ready, the likeliest first.
        """
        self._receive, self._runner, self._ended = receive, runner, ended
        self._holding, self._rested, self._coming = holding, rested, coming
        self._taken: Release | None = None
        self._tries = 0
        self._unready: set[str] = set()  # of which no page could be made ready since the last run
        self._idle: trio.CancelScope | None = None
        self._works = self._serves = False
        self.runs = 0
        """How many runs were made on the browser that is up, or was last. A run that was given up is
        none: it had no page."""
        self.retired: str | None = None
        """Why this browser is to be replaced, or was; None if it isn't."""

    @property
    def idle(self) -> bool:
        """True while a browser is up and nothing is in hand."""
        return self._idle is not None and self._taken is None

    def retire(self, reason: str) -> None:
        """Begin no further run on this browser: `work` returns at once, or after the run in hand.

        Nothing happens if none is up. Never blocks.
        """
        if self._works and self.retired is None:
            self.retired = reason
            if self._idle is not None:
                self._idle.cancel()

    def drop(self, run_id: str) -> None:
        """This run was ended before it has begun: have it in hand no more. Never blocks."""
        if self._taken is not None and self._taken.id == run_id and not self._serves:
            self._taken = None

    async def work(self, pages: PageSource, lost: Callable[[], Awaitable[object]]) -> bool:
        """Work on this browser.

        Args:
          pages: the browser.
          lost: returns when that browser is lost.

        Returns:
          True if the channel has ended: no release will come any more. False if the browser is
          lost or retired. When cancelled, a release that has not started stays taken or in the
          channel.
        """
        self.runs, self.retired = 0, None
        gone = over = False

        async def watch() -> None:
            nonlocal gone
            await lost()
            gone = True
            if self._idle is not None:
                self._idle.cancel()

        self._works = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                while not (gone or over or self.retired):
                    with trio.CancelScope() as self._idle:
                        over = not await self._take(pages)
                    self._idle = None
                    if self._taken is not None and not (gone or self.retired):
                        self._serves = True
                        # `watch` may have found out meanwhile: that must not be forgotten.
                        gone = not await self._serve(self._taken, pages) or gone
                        self._serves = False
                nursery.cancel_scope.cancel()
        finally:
            self._works, self._serves, self._idle = False, False, None
        return over

    async def _take(self, pages: PageSource) -> bool:
        """Have a release in hand, and meanwhile pages ready; False if none will come."""
        if self._taken is not None:
            return True
        self._tries = 0
        self._rested()
        over = False
        try:
            self._taken = self._receive.receive_nowait()  # who waits, waits for no other page
        except trio.EndOfChannel:
            over = True
        except trio.WouldBlock:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._get_ready, pages)
                try:
                    self._taken = await self._receive.receive()
                except trio.EndOfChannel:
                    over = True
                    nursery.cancel_scope.cancel()
        return not over

    async def _get_ready(self, pages: PageSource) -> None:
        """Have pages ready, one after another, until a release comes.

        Where that loses the browser it is not done again before a run has been made: what can't be
        opened costs its own run, and not one browser after another.
        """
        for session in dict.fromkeys(self._coming()):
            if self._taken is not None:
                return
            if session in self._unready:
                continue
            ready = False
            try:
                ready = await self._runner.prepare(session, pages)
            finally:
                if not ready and self.retired is None:
                    self._unready.add(session)
            if not ready:
                return

    async def _serve(self, release: Release, pages: PageSource) -> bool:
        """Run it, or whatever else is right; False if the browser was lost before it had its page."""
        if self._holding is not None:
            answer = await self._holding.ask(release, used=self.runs > 0)
            if answer is Answer.held:
                self._taken = None
                return True
            if answer is Answer.recycle:
                self.retire(f"recycled: {self._holding.shortage}")
                return True
        return await self._run(release, pages)

    async def _run(self, release: Release, pages: PageSource) -> bool:
        """Run it; False if the browser was lost before the run had its page."""
        try:
            try:
                record = await self._runner.run(release, pages)
                self.runs += 1
            except BrowserLost as error:
                self._tries += 1
                if self._tries < TRIES:
                    return False
                record = await self._runner.give_up(release, pages, error)
        except Withdrawn:
            self._taken = None
            return True
        self._taken = None
        self._unready.clear()
        self._ended(record)
        return True
