"""One life of the browser: launched, watched, lent to one run at a time, closed or killed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import structlog
import trio
from playwright.async_api import Error

from muxd.abc import Lease, PageSource
from muxd.bridge import bridged
from muxd.browser.blocking import open_blocking
from muxd.browser.closing import FUTILE, Account, Closer, is_closed
from muxd.browser.deadline import within
from muxd.browser.driver import open_driver
from muxd.browser.evidence import observe
from muxd.browser.eye import Eye
from muxd.browser.launching import launch, watch_leftovers
from muxd.browser.leftovers import Leftovers, NoLeftovers
from muxd.browser.litter import sweep
from muxd.browser.processes import WatchedProcess, kill_group
from muxd.browser.profile import claim_profile, note_lock, nothing_left_of, release_profile
from muxd.browser.ready import Shelf
from muxd.browser.sessions import FRESH, MAIN
from muxd.browser.shared import Traces
from muxd.browser.sign import has_sign
from muxd.browser.tracer import Tracer, dropped
from muxd.errors import BrowserLost, BrowserUnusable, PageCrashed, SessionError, WorldError
from muxd.observation import Observation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from playwright.async_api import BrowserContext, Page

    from muxd.browser.blocking import Blocking, RoutedBlocking
    from muxd.browser.launch import LaunchPlan
    from muxd.browser.sessions import SessionFiles

__all__ = ["Generation", "open_generation"]

OPEN_BOUND = 8.0
"""How long a new page may take, with its context, seconds. It's 0.1 to 3: one that takes so long is
of a browser that hangs, and the run waits for the next browser."""
REVOKE_BOUND = 2.0
"""How long closing a run's pages may take at its deadline, seconds."""
CLEAN_BOUND = 2.5
"""How long taking away what a run left may take before the browser is killed, seconds."""
OWN_BOUND = 4.5
"""The same for a body that has ended by itself: the time to end it is left of the ten seconds."""
LAST_BOUND = 1.0
"""The same for pages that did not close at the deadline: they are being closed all the while."""
TRACE_BOUND = 5.0
"""How long beginning a trace may take, seconds."""
SWEEP_BOUND = 1.0
"""How long removing what Playwright has left on the disk may take, seconds."""
SAVE_BOUND = 10.0
"""How long reading a session's state may take, seconds."""
NOTICE = 1.0
"""How long a death may take to be noticed after a call has failed because of it, seconds."""
CLOSE_BOUND = 10.0
"""How long the browser may take to close, seconds: one that is killed loses what pages stored last."""
DEATH_BOUND = 2.0
"""How long the end of one that was killed is waited for, seconds."""


class Generation(PageSource):
    """One browser, from launch to death. Made by `open_generation`."""

    def __init__(
        self,
        number: int,
        main: BrowserContext,
        leader: WatchedProcess,
        sessions: SessionFiles,
        profile: Path,
        scratch: Path,
        leftovers: Leftovers | NoLeftovers,
        blocking: Blocking | RoutedBlocking,
    ) -> None:
        browser = main.browser
        assert browser is not None  # persistent contexts have one, of every engine
        self.generation = number
        self.pid = leader.pid
        self.version = browser.version
        self.lost: WorldError | None = None
        """Why the browser is gone; None while it lives."""
        self._lost = trio.Event()
        self._browser = browser
        self._main = main
        self._leader = leader
        self._sessions = sessions
        self._profile = profile
        self._scratch = scratch
        main.on("close", self._on_close)
        self._traces = Traces(main, browser)
        self._blocking = blocking
        self._leftovers = leftovers
        self._shelf = Shelf(main, sessions, leftovers, self._give_up)
        self._closer = Closer(
            main,
            browser,
            self._shelf,
            leftovers,
            is_lost=self._lost.is_set,
            give_up=self._give_up,
        )
        # The page of the lease that is out has crashed, or the browser is lost.
        self._lease_lost = trio.Event()
        self._account = Account()  # of the lease that is out
        self._leased = False
        self._bound = CLEAN_BOUND  # of taking away what it leaves
        self._closing = False
        self._tracer: Tracer | None = None
        self._eye = Eye() if isinstance(leftovers, Leftovers) else None

    @contextlib.asynccontextmanager
    async def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AsyncIterator[Lease]:
        """A page in this session, closed on leaving with all that was opened under it.

        On leaving, also by cancellation, the pages are closed within `OWN_BOUND` (`CLEAN_BOUND` after
        `revoke`), or the browser is killed.

        Raises:
          BrowserLost: no page can be had: the browser is gone or does not answer (it is killed).
          SessionError: the session's file is damaged.
        """
        assert not self._leased, "a lease is out already"
        self._leased = True
        self._bound = OWN_BOUND
        context, account = self._main, Account()
        try:
            if self.lost is not None:
                raise self.lost
            self._log_late()
            try:
                with trio.fail_after(OPEN_BOUND):
                    opened = await self._shelf.take(session)
                    await self._blocking.apply(block, opened.page)
            except trio.TooSlowError:
                raise self._give_up(f"no page could be opened in {OPEN_BOUND:g} s") from None
            except Error as error:
                raise await self._lost_because(error) from error
            page, context = opened.page, opened.context
            self._lease_lost, self._tracer = opened.crashed, opened.tracer
            account.pages.add(page)
            self._account = account
            yield Lease(
                page=page,
                context=context,
                browser=self._browser,
                generation=self.generation,
                errors=account.errors,
                left=account.left,
                harms=account.harms,
            )
        finally:
            self._leased = False
            with trio.CancelScope(shield=True):
                await self._clean(context, account)

    async def prepare(self, session: str, *, trace: bool = False) -> bool:
        """Have a page of this session ready for the next lease, within `OPEN_BOUND`.

        What Playwright has left on the disk of earlier runs is removed, within `SWEEP_BOUND`.
        A browser that can't do it in time is killed. What else goes wrong is left to the lease.
        """
        assert not self._leased, "a lease is out"
        if self.lost is not None:
            return False
        self._log_late()
        done = False
        # The driver goes on with what it was asked for: a page that nobody waits for any more would
        # open in the next run, and be charged to it.
        with trio.CancelScope(shield=True):
            try:
                with trio.fail_after(OPEN_BOUND):
                    await self._shelf.prepare(session, trace=trace)
                done = True
            except trio.TooSlowError:
                self._give_up(f"no page could be opened in {OPEN_BOUND:g} s")
            except Exception as error:
                # Whatever it is, a run that needs this page will find out, and be charged or not.
                structlog.get_logger().info("no page is ready", session=session, error=repr(error))
                self._bound, self._tracer = CLEAN_BOUND, None
                await self._clean(self._main, Account())
        await sweep(self._scratch, self._shelf.traces, within=SWEEP_BOUND)
        return done

    @property
    def pages(self) -> int:
        """How many pages are open, but those that keep the browser open. Asks nobody."""
        found = sum(len(context.pages) for context in self._browser.contexts)
        return max(0, found - len(self._closer.keepers))

    async def wait_gone(self) -> None:
        """Return when the browser or its driver is gone; `lost` then says why."""
        await self._lost.wait()

    async def wait_lost(self, lease: Lease) -> WorldError:
        """Return why the lease is worth nothing any more, as soon as that is so."""
        if self.lost is not None:
            await trio.lowlevel.checkpoint()
        else:
            await self._lease_lost.wait()
        return self.lost or PageCrashed("the page's renderer process died")

    async def revoke(self, lease: Lease) -> None:
        """Close the lease's pages, so that calls in flight end; bounded by `REVOKE_BOUND`."""
        with trio.move_on_after(REVOKE_BOUND) as scope:
            await self._closer.close_pages(lease.context, self._account)
        self._bound = LAST_BOUND if scope.cancelled_caught else CLEAN_BOUND

    def kill(self, reason: str) -> None:
        """Kill the browser at once; who waits for `wait_lost` is told."""
        self._give_up(reason)

    async def keep_session(self, lease: Lease, session: str) -> None:
        """Save a named session's state.

        Raises:
          BrowserLost: the browser is gone or does not answer.
          SessionError: the session can't be read (the run closed its context) or written; what
            was saved before is still there.
        """
        if session in (MAIN, FRESH):
            return  # the profile keeps itself; a fresh session is not kept
        if error := self._closer.take_error():
            lease.errors.append(error)
        try:
            try:
                state = await within(SAVE_BOUND, lease.context.storage_state, indexed_db=True)
            except trio.TooSlowError:
                raise BrowserLost(
                    f"the state of session {session!r} could not be read in {SAVE_BOUND:g} s"
                ) from None
            with trio.fail_after(SAVE_BOUND):
                await trio.to_thread.run_sync(
                    self._sessions.save, session, state, abandon_on_cancel=True
                )
        except BrowserLost:
            raise
        except Exception as error:
            with trio.move_on_after(NOTICE):
                await self._lost.wait()
            if self.lost is not None:
                raise self.lost from error
            why = "the disk does not answer" if isinstance(error, trio.TooSlowError) else error
            raise SessionError(f"session {session!r} was not saved: {why}") from error

    async def trace(self, lease: Lease, *, pictures: bool = True) -> None:
        """Begin a trace of Playwright's, within `TRACE_BOUND`. Never raises."""
        if self._tracer is not None and self._tracer.on and not pictures:
            return  # begun when the page was made ready
        try:
            if stuck := await dropped(self._tracer):
                # It stays this lease's, and is ended with it: forgotten, it would stay on the context.
                structlog.get_logger().warning("a run could not be traced", error=stuck)
                return
            self._tracer = Tracer(lease.context, pictures=pictures)
            await within(TRACE_BOUND, self._tracer.begin)
        except Exception as error:  # or that of a listener of an earlier run
            structlog.get_logger().warning("a run could not be traced", error=repr(error))

    async def untrace(self, lease: Lease) -> None:
        """Throw the trace away, within `DROP_BOUND`; one that stays goes with the page. Never raises."""
        try:
            if stuck := await dropped(self._tracer):
                structlog.get_logger().warning(stuck)
        except Exception as error:  # or that of a listener of an earlier run
            structlog.get_logger().warning("a trace would not end", error=repr(error))

    async def has_sign(self, lease: Lease, sign: str) -> bool:
        """Whether a page of the lease is where a sign says, or shows it, within `SIGN_BOUND`."""
        return not self._lost.is_set() and await has_sign(self._own_pages(lease), sign)

    async def observe(self, lease: Lease, folder: Callable[[], Awaitable[Path]]) -> Observation:
        """What the pages of the lease show, within `EVIDENCE_BOUND`. Never raises."""
        if self._lost.is_set():
            return Observation(missing={"pages": f"the browser was lost: {self.lost}"})
        if error := self._closer.take_error():
            lease.errors.append(error)
        pages = self._own_pages(lease)
        return await observe(pages, lease.context, self._tracer, folder, stray=lease.errors.append)

    def _own_pages(self, lease: Lease) -> list[Page]:
        others = (lease.page, *self._closer.keepers)
        return [lease.page, *(page for page in lease.context.pages if page not in others)]

    async def look(self, lease: Lease) -> bytes | None:
        """What the lease's page shows now, within `LOOK_BOUND`: see `Eye.look`. Never raises."""
        if self._eye is None or self._lost.is_set():
            return None
        return await self._eye.look(lease)

    async def _clean(self, context: BrowserContext, account: Account) -> None:
        """Leave nothing of a run behind, or kill the browser."""
        stain = None
        with trio.move_on_after(self._bound) as scope:
            if not self._lost.is_set():
                try:
                    stuck = await self._close_and_drop(context, account)
                    await self._closer.close_contexts(context, account)
                    # Else the next call would raise it, and do nothing.
                    self._closer.charge(account)
                    await self._blocking.lift()
                    self._closer.charge(account)
                    stain = await self._traces.undo(account.left)
                    if context is self._main:  # any other trace has gone with its context
                        stain = stain or stuck
                    # There and back: what the browser told before this has reached the listeners.
                    account.left.update(await self._leftovers.take_away())
                except Exception as error:
                    if not is_closed(error):
                        account.errors.append(error)
                self._closer.charge(account)
        if scope.cancelled_caught:
            self._give_up(f"the run's pages would not close in {self._bound:g} s")
            account.harms.append("its pages would not close: the browser was killed")
        elif stain is not None:
            self._give_up(f"{stain}, which can't be undone")

    async def _close_and_drop(self, context: BrowserContext, account: Account) -> str | None:
        """Close the pages; meanwhile throw away the trace, which only concerns the driver."""
        stuck = None

        async def drop() -> None:
            nonlocal stuck
            for _ in range(FUTILE):
                try:
                    # In less than all: else it would be told, and charged, as pages that do not close.
                    stuck = await dropped(self._tracer, within=0.8 * self._bound)
                    return
                except Exception as error:  # a listener's, raised instead of ending the trace
                    if not is_closed(error):
                        account.errors.append(error)
            stuck = "a trace would not end"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drop)
            await self._closer.close_pages(context, account)
        return stuck

    def _log_late(self) -> None:
        if late := self._closer.take_error():
            structlog.get_logger().warning("a listener raised after its run", error=repr(late))

    def _on_close(self, _context: BrowserContext) -> None:
        if not self._closing:
            self._give_up("its persistent context was closed")

    def _give_up(self, reason: str) -> WorldError:
        if self.lost is None:
            self.lost = BrowserLost(reason)
        kill_group(self._leader)
        self._lost.set()
        self._lease_lost.set()
        return self.lost

    async def _lost_because(self, error: Error) -> WorldError:
        """What a failed call of ours means: the watchers may need a moment to say so."""
        with trio.move_on_after(NOTICE):
            await self._lost.wait()
        return self.lost or self._give_up(f"the browser refused a page: {error.message}")

    async def _watch(self, process: WatchedProcess, name: str) -> None:
        await process.wait_death()
        self._give_up(f"{name} (process {process.pid}) died")

    async def _aclose(self) -> None:
        """Close the browser, or kill it after `CLOSE_BOUND`. Bounded, never raises."""
        self._closing = True
        if not self._lost.is_set():
            with trio.move_on_after(CLOSE_BOUND) as closing, contextlib.suppress(Exception):
                await bridged(self._main.close)()
            if closing.cancelled_caught:
                structlog.get_logger().warning(
                    f"the browser did not close in {CLOSE_BOUND:g} s and is killed: what pages stored "
                    "in its last half minute may be lost"
                )
        kill_group(self._leader)
        with trio.move_on_after(DEATH_BOUND):
            await self._leader.wait_death()
        await trio.to_thread.run_sync(release_profile, self._profile)


@contextlib.asynccontextmanager
async def open_generation(
    number: int, plan: LaunchPlan, sessions: SessionFiles
) -> AsyncIterator[Generation]:
    """Launch a browser; on leaving it and its driver are gone, whatever happened.

    The caller must hold the state directory's lock, as browsers that a dead muxd left on the
    profile are killed first. While it is open, `Generation.wait_lost` and `Generation.lost` tell
    of the death of the browser or the driver at once. On leaving, also by cancellation, it takes
    at most `CLOSE_BOUND`, `DEATH_BOUND` and the driver's `STOP_BOUND`.

    Raises:
      BrowserLost: it did not launch; the message has the last lines that it said.
      BrowserUnusable: it can't be launched before somebody does something; the message says what.
      ProfileInUse: somebody else holds the profile.
    """
    try:
        await trio.to_thread.run_sync(plan.make_profile)
        await trio.to_thread.run_sync(claim_profile, plan.profile)
    except OSError as error:
        raise BrowserUnusable(f"the browser profile can't be used: {error}") from error
    async with nothing_left_of(plan.profile), open_driver(plan.scratch) as (playwright, driver):
        main, leader = await launch(playwright, plan)
        await trio.to_thread.run_sync(note_lock, plan.profile)
        leftovers = await watch_leftovers(main, plan)
        assert main.browser is not None
        blocking = open_blocking(main.browser, plan.found.engine, plan.block)
        generation = Generation(
            number, main, leader, sessions, plan.profile, plan.scratch, leftovers, blocking
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(generation._watch, leader, "the browser")
            nursery.start_soon(generation._watch, driver, "Playwright's driver")
            try:
                yield generation
            finally:
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await generation._aclose()
                    if generation.lost is not None:
                        driver.kill()  # perhaps it's what hangs, and it has nothing left to close
