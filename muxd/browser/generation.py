"""One life of the browser: launched, watched, lent to one run at a time, closed or killed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import psutil
import structlog
import trio
from playwright.async_api import Error

from muxd.abc import Lease, PageSource
from muxd.bridge import bridged
from muxd.browser.driver import open_driver
from muxd.browser.processes import WatchedProcess, browsers_of_profile, kill_group
from muxd.browser.profile import claim_profile
from muxd.browser.sessions import FRESH, MAIN
from muxd.errors import BrowserLost, PageCrashed, WorldError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import BrowserContext, Page

    from muxd.browser.launch import LaunchPlan
    from muxd.browser.sessions import SessionFiles

__all__ = ["Generation", "open_generation"]

OPEN_BOUND = 15.0
"""How long a new page or context may take, seconds."""
REVOKE_BOUND = 3.0
"""How long closing a run's pages may take before the browser is killed, seconds."""
SAVE_BOUND = 10.0
"""How long reading a session's state may take, seconds."""
CLOSE_BOUND = 5.0
"""How long the browser may take to close, seconds."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def _within(
    seconds: float, call: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """One call to Playwright under a deadline of trio's: none is ever made without.

    Raises:
      trio.TooSlowError: it took longer; it was cancelled.
    """
    with trio.fail_after(seconds):
        return await bridged(call)(*args, **kwargs)


class Generation(PageSource):
    """One browser, from launch to death. Made by `open_generation`."""

    def __init__(
        self,
        number: int,
        main: BrowserContext,
        leader: WatchedProcess,
        sessions: SessionFiles,
    ) -> None:
        browser = main.browser
        assert browser is not None  # Chromium's persistent contexts have one
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
        self._keepers = list(main.pages)
        self._page_crashed = trio.Event()
        self._leased = False
        self._closing = False

    @contextlib.asynccontextmanager
    async def lease(self, session: str) -> AsyncIterator[Lease]:
        """A page in this session, closed on leaving with all that was opened under it.

        On leaving, also by cancellation, the pages are closed within `REVOKE_BOUND`, or the
        browser is killed.

        Raises:
          BrowserLost: no page can be had: the browser is gone or does not answer (it is killed).
          ValueError: the session's file is damaged.
        """
        assert not self._leased, "a lease is out already"
        self._leased = True
        self._page_crashed = trio.Event()
        context = self._main
        errors: list[Exception] = []
        try:
            try:
                if session != MAIN:
                    state: Any = None if session == FRESH else self._sessions.load(session)
                    context = await _within(
                        OPEN_BOUND, self._browser.new_context, storage_state=state
                    )
                page = await _within(OPEN_BOUND, context.new_page)
            except trio.TooSlowError:
                raise self._give_up(f"no page could be opened in {OPEN_BOUND:g} s") from None
            except Error as error:
                raise await self._lost_because(error) from error
            page.on("crash", self._on_crash)
            yield Lease(
                page=page,
                context=context,
                browser=self._browser,
                generation=self.generation,
                errors=errors,
            )
        finally:
            self._leased = False
            with trio.CancelScope(shield=True):
                await self._clean(context, errors)

    async def wait_gone(self) -> None:
        """Return when the browser or its driver is gone; `lost` then says why."""
        await self._lost.wait()

    async def wait_lost(self, lease: Lease) -> WorldError:
        """Return why the lease is worth nothing any more, as soon as that is so."""
        async with trio.open_nursery() as nursery:

            async def either(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(either, self._lost)
            nursery.start_soon(either, self._page_crashed)
        return self.lost or PageCrashed("the page's renderer process died")

    async def revoke(self, lease: Lease) -> None:
        """Close the lease's pages, so that calls in flight end; bounded by `REVOKE_BOUND`."""
        with trio.move_on_after(REVOKE_BOUND):
            await self._close_pages(lease.context)

    def kill(self, reason: str) -> None:
        """Kill the browser at once; who waits for `wait_lost` is told."""
        self._give_up(reason)

    async def keep_session(self, lease: Lease, session: str) -> None:
        """Save a named session's state.

        Raises:
          BrowserLost: the browser does not answer.
          OSError: the file can't be written; what was saved before is still there.
        """
        if session in (MAIN, FRESH):
            return  # the profile keeps itself; a fresh session is not kept
        try:
            state = await _within(SAVE_BOUND, lease.context.storage_state, indexed_db=True)
        except trio.TooSlowError:
            raise BrowserLost(
                f"the state of session {session!r} could not be read in {SAVE_BOUND:g} s"
            ) from None
        await trio.to_thread.run_sync(self._sessions.save, session, state)

    async def _close_pages(self, context: BrowserContext) -> None:
        """Close all pages of a run, those too that open meanwhile. Unbounded: the caller bounds."""

        async def close(page: Page) -> None:
            with contextlib.suppress(Error):
                await bridged(page.close)()

        if self._lost.is_set():
            return
        while pages := [page for page in context.pages if page not in self._keepers]:
            async with trio.open_nursery() as nursery:
                for page in pages:
                    nursery.start_soon(close, page)

    async def _clean(self, context: BrowserContext, errors: list[Exception]) -> None:
        """Leave nothing of a run behind, or kill the browser."""
        with trio.move_on_after(REVOKE_BOUND) as scope:
            for _ in range(3):
                # An error of a listener is raised by the next call of anybody. Here that's us,
                # so it is still charged to the run that it belongs to; then we call again.
                try:
                    await self._close_pages(context)
                    if context is self._main:
                        await bridged(context.unroute_all)()
                        await bridged(context.cookies)("http://muxd.invalid")
                    else:
                        await bridged(context.close)()
                    break
                except Error:
                    break
                except Exception as error:
                    errors.append(error)
        if scope.cancelled_caught:
            self._give_up(f"the run's pages would not close in {REVOKE_BOUND:g} s")

    def _on_crash(self, _page: Page) -> None:
        self._page_crashed.set()

    def _on_close(self, _context: BrowserContext) -> None:
        if not self._closing:
            self._give_up("its persistent context was closed")

    def _give_up(self, reason: str) -> WorldError:
        if self.lost is None:
            self.lost = BrowserLost(reason)
        kill_group(self._leader)
        self._lost.set()
        return self.lost

    async def _lost_because(self, error: Error) -> WorldError:
        """What a failed call of ours means: the watchers may need a moment to say so."""
        with trio.move_on_after(1.0):
            await self._lost.wait()
        return self.lost or self._give_up(f"the browser refused a page: {error.message}")

    async def _watch(self, process: WatchedProcess, name: str) -> None:
        await process.wait_death()
        self._give_up(f"{name} (process {process.pid}) died")

    async def _aclose(self) -> None:
        """Close the browser, or kill it after `CLOSE_BOUND`. Bounded, never raises."""
        self._closing = True
        if not self._lost.is_set():
            with trio.move_on_after(CLOSE_BOUND), contextlib.suppress(Exception):
                await bridged(self._main.close)()
        kill_group(self._leader)
        with trio.move_on_after(CLOSE_BOUND):
            await self._leader.wait_death()


@contextlib.asynccontextmanager
async def open_generation(
    number: int, plan: LaunchPlan, sessions: SessionFiles
) -> AsyncIterator[Generation]:
    """Launch a browser; on leaving it and its driver are gone, whatever happened.

    The caller must hold the state directory's lock, as browsers that a dead muxd left on the
    profile are killed first. While it is open, `Generation.wait_lost` and `Generation.lost` tell
    of the death of the browser or the driver at once. On leaving, also by cancellation, it takes
    at most two `CLOSE_BOUND` and the driver's `STOP_BOUND`.

    Raises:
      BrowserLost: it did not launch; the message has the last lines that it said.
      ProfileInUse: somebody else holds the profile.
    """
    await trio.to_thread.run_sync(plan.make_profile)
    await trio.to_thread.run_sync(claim_profile, plan.profile)
    async with open_driver() as (playwright, driver):
        options = plan.options()
        try:
            main = await _within(
                plan.timeout + 5, playwright.chromium.launch_persistent_context, **options
            )
        except trio.TooSlowError:
            _kill_all_on(plan)
            raise BrowserLost(f"the browser did not launch in {plan.timeout:g} s") from None
        except Error as error:
            _kill_all_on(plan)
            raise BrowserLost(_launch_message(error, plan)) from error
        except BaseException:
            _kill_all_on(plan)
            raise
        leader = _leader(plan)
        if leader is None:
            raise BrowserLost("the browser ended as soon as it had launched")
        generation = Generation(number, main, leader, sessions)
        main.on("close", generation._on_close)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(generation._watch, leader, "the browser")
            nursery.start_soon(generation._watch, driver, "Playwright's driver")
            try:
                yield generation
            finally:
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await generation._aclose()


def _leader(plan: LaunchPlan) -> WatchedProcess | None:
    for process in browsers_of_profile(plan.profile):
        with contextlib.suppress(psutil.NoSuchProcess):
            return WatchedProcess.of(process)
    return None


def _kill_all_on(plan: LaunchPlan) -> None:
    for process in browsers_of_profile(plan.profile):
        with contextlib.suppress(psutil.NoSuchProcess):
            kill_group(WatchedProcess.of(process))


def _launch_message(error: Error, plan: LaunchPlan) -> str:
    text = error.message
    structlog.get_logger().debug("launch failed", output=text)
    if "No usable sandbox" in text or "SUID sandbox" in text:
        return (
            "the browser can't use its sandbox here: allow user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, or AppArmor's "
            "kernel.apparmor_restrict_unprivileged_userns=0), or run muxd in a container as root"
        )
    if plan.headed and ("DISPLAY" in text or "headed" in text):
        return (
            "a headed browser needs a screen and there is none: leave --headed out, or use xvfb-run"
        )
    if "Executable doesn't exist" in text:
        return "Playwright's own browser is not complete: run `muxd browser install`"
    first = next((line for line in text.splitlines() if line.strip()), "no reason given")
    return f"the browser did not launch: {first}"
