"""A window on this machine's screen in which a person logs in, until they close it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import trio

from muxd.browser.sessions import MAIN

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

__all__ = ["hold_window"]

BOUND = 10.0
"""How long opening the window may take, seconds."""
GO_BOUND = 60.0
"""How long the first page may take to begin to show."""


async def hold_window(context: BrowserContext, page: Page, session: str, url: str) -> None:
    """Show the page `url`, and return once the person has closed all pages of the login.

    What the page can't load the person sees. To be bridged.

    Args:
      context: the run's.
      page: the run's.
      session: whose; of ``main`` there is a window already, that keeps the browser open.
      url: where it begins.
    """
    pages = {page}
    closed = trio.Event()

    def on_close(one: Page) -> None:
        pages.discard(one)
        if not pages:
            closed.set()

    def on_page(one: Page) -> None:
        pages.add(one)
        one.on("close", on_close)

    page.on("close", on_close)
    context.on("page", on_page)
    try:
        if session == MAIN:
            page = await _in_its_own_window(context, page)
        with trio.move_on_after(GO_BOUND), contextlib.suppress(Exception):
            await page.bring_to_front()
            if url:
                await page.goto(url, wait_until="commit", timeout=GO_BOUND * 1000)
        await closed.wait()
    finally:
        context.remove_listener("page", on_page)


async def _in_its_own_window(context: BrowserContext, page: Page) -> Page:
    """Another page in place of this one, in a window that can be closed without the browser's end.

    Where that can't be had, it is this one.
    """
    with trio.move_on_after(BOUND), contextlib.suppress(Exception):
        session = await context.new_cdp_session(page)
        async with context.expect_page(timeout=BOUND * 1000) as coming:
            await session.send("Target.createTarget", {"url": "about:blank", "newWindow": True})
        new = await coming.value
        window = await session.send("Browser.getWindowForTarget")
        await page.close()
        with contextlib.suppress(Exception):  # nobody manages windows here
            behind = await context.new_cdp_session(context.pages[0])
            bounds = {"windowId": window["windowId"], "bounds": {"windowState": "minimized"}}
            await behind.send("Browser.setWindowBounds", bounds)
        return new
    return page
