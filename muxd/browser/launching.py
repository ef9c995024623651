"""The launch of a browser, until it answers; or why it doesn't."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil
import trio
from playwright.async_api import Error

from muxd.browser.deadline import within
from muxd.browser.launch import launch_error
from muxd.browser.leftovers import Leftovers, NoLeftovers
from muxd.browser.processes import WatchedProcess, browsers_of_profile
from muxd.browser.profile import kill_browsers_of
from muxd.errors import BrowserLost

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Playwright

    from muxd.browser.launch import LaunchPlan

__all__ = ["launch", "watch_leftovers"]

ANSWER_BOUND = 15.0
"""How long a browser that was just launched may take to answer, seconds."""


async def launch(playwright: Playwright, plan: LaunchPlan) -> tuple[BrowserContext, WatchedProcess]:
    """Launch a browser: its persistent context, and its main process.

    Raises:
      BrowserLost: it did not launch; the message has the last lines that it said.
      BrowserUnusable: it can't be launched before somebody does something; the message says what.
    """
    options, browsers = plan.options(), getattr(playwright, plan.found.engine.playwrights)
    try:
        main = await within(plan.timeout + 5, browsers.launch_persistent_context, **options)
    except trio.TooSlowError:
        kill_browsers_of(plan.profile)
        raise BrowserLost(f"the browser did not launch in {plan.timeout:g} s") from None
    except Error as error:
        kill_browsers_of(plan.profile)
        raise launch_error(error, plan) from error
    except BaseException as error:
        kill_browsers_of(plan.profile)
        if type(error) is Exception:  # Playwright's, where its driver dies
            raise BrowserLost(f"the browser did not launch: {error}") from error
        raise
    leader = _leader(plan)
    if leader is None:
        raise BrowserLost("the browser ended as soon as it had launched")
    return main, leader


async def watch_leftovers(main: BrowserContext, plan: LaunchPlan) -> Leftovers | NoLeftovers:
    """Have the browser tell of what runs leave; the first that it is asked.

    Raises:
      BrowserLost: it was lost, or did not answer within `ANSWER_BOUND`.
    """
    if not plan.found.engine.is_chromium:
        return NoLeftovers()
    assert main.browser is not None
    try:
        return await within(ANSWER_BOUND, Leftovers.watch, main.browser, plan.scratch)
    except BaseException as error:
        kill_browsers_of(plan.profile)
        if isinstance(error, trio.TooSlowError):
            raise BrowserLost(f"the browser did not answer in {ANSWER_BOUND:g} s") from None
        if isinstance(error, Error):
            raise BrowserLost(f"the browser was lost as it launched: {error.message}") from error
        raise


def _leader(plan: LaunchPlan) -> WatchedProcess | None:
    for process in browsers_of_profile(plan.profile):
        with contextlib.suppress(psutil.NoSuchProcess):
            return WatchedProcess.of(process)
    return None
