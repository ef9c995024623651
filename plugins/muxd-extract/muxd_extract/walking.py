"""Walks a list to its end, however it goes on: further pages, a button, scrolling."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urldefrag

import attrs
import trio
from playwright.async_api import Error, TimeoutError  # noqa: A004 - Playwright's own

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from playwright.async_api import Locator, Page, Request
    from structlog.typing import FilteringBoundLogger

    from muxd_extract.options import PageOptions

__all__ = ["Walk", "open_page"]

LOOK_AGAIN = 0.1
"""How often the list is looked at while more of it is expected, seconds."""
CLICK_AGAIN = 2.0
"""How long a click may take before it is looked whether it is needed still, seconds."""
QUIET = 1.0
"""A list that has not grown once nothing was loaded for so long is at its end, seconds."""
STATE = """(rows) => JSON.stringify([rows.length, location.href,
  ...[rows[0], rows[rows.length - 1]].map((row) => row && (row.innerText ?? row.textContent))])"""
TO_THE_END = """(rows) => {
  rows[rows.length - 1]?.scrollIntoView({block: "end"});
  const scroller = document.scrollingElement;
  scroller.scrollTo(0, scroller.scrollHeight);
}"""
IS_OVER = """(element) => element.matches(':disabled, [aria-disabled="true"], .disabled')
  || element.parentElement?.matches(".disabled") || false"""
ADDRESS = "(element) => /^https?:/.test(element.href) ? element.href : ''"


async def open_page(page: Page, url: str, options: PageOptions) -> None:
    """Open the page, and click away what is in front of it.

    Raises:
      LookupError: it answers with an error, or what to wait for does not come.
    """
    answer = await page.goto(url)
    if answer is not None and answer.status >= 400:
        raise LookupError(f"{url} answered {answer.status} {answer.status_text}".rstrip())
    for select in options.click:
        there = page.locator(select).first
        if await there.count() and await there.is_visible():
            await there.click(timeout=1000 * options.patience)
    if options.wait:
        await _wait_for(page, options.wait, options, must=True)
    elif options.row:
        await _wait_for(page, options.row, options, must=False)
    await trio.sleep(options.settle)


async def _wait_for(page: Page, select: str, options: PageOptions, *, must: bool) -> None:
    there = page.locator(select).first
    end = time.monotonic() + options.patience
    while not await there.count():
        if time.monotonic() > end:
            if must:
                raise LookupError(
                    f"wait = {select!r}: it is not on {page.url} after {options.patience} s"
                )
            return
        await trio.sleep(LOOK_AGAIN)


@attrs.define
class Walk:
    """One walk through a list, from the page that is open."""

    page: Page
    options: PageOptions
    log: FilteringBoundLogger
    whole: bool = True
    """Whether the end of the list was seen; known once the walk is over."""
    _seen: set[str] = attrs.field(factory=set, init=False)

    async def parts(self) -> AsyncGenerator[Locator]:
        """The rows of each part of the list in turn. The caller may end it early."""
        options, page = self.options, self.page
        for number in range(1, options.pages + 1):
            # What has no row is one row itself.
            rows = page.locator(options.row) if options.row else page.locator("html")
            yield rows
            if not await self._go_on(rows):
                return
            self.log.debug("the list goes on", part=number + 1, url=page.url)
        self.whole = False
        self.log.info("the list goes on, but is read no further", pages=options.pages)

    async def _go_on(self, rows: Locator) -> bool:
        """Have more of the list shown; False if that was all."""
        options, page = self.options, self.page
        before = await rows.evaluate_all(STATE)
        if before in self._seen:
            self.log.info("the list begins anew: it is read no further", url=page.url)
            return False
        self._seen.add(before)
        if options.scroll:
            with _Traffic(page) as traffic:
                await rows.evaluate_all(TO_THE_END)
                if await self._changes(rows, before, until=traffic.is_quiet):
                    return True
                if traffic.is_busy:
                    self.whole = False
                    self.log.warning("it was scrolled, and what the list asked for did not come")
                return False
        select = options.next or options.more
        if not select:
            return False
        button = page.locator(select).first
        if not await button.count() or not await button.is_visible():
            return False
        if await button.evaluate(IS_OVER):
            return False
        address = await button.evaluate(ADDRESS) if options.next else ""
        if address and urldefrag(address).url != urldefrag(page.url).url:
            await open_page(page, address, attrs.evolve(options, click=()))
            return True
        await self._click(button, rows, before)
        if await self._changes(rows, before):
            return True
        self.whole = False
        self.log.warning("it was clicked, and the list did not change", select=select)
        return False

    async def _click(self, button: Locator, rows: Locator, before: str) -> None:
        """Click it. It may go meanwhile, or the list grow by itself: then it need not be clicked."""
        end = time.monotonic() + self.options.patience
        while True:
            try:
                await button.click(timeout=1000 * min(self.options.patience, CLICK_AGAIN))
                return
            except TimeoutError:
                is_needed = await button.count() and await rows.evaluate_all(STATE) == before
                if not is_needed:
                    return
                if time.monotonic() > end:
                    raise

    async def _changes(
        self, rows: Locator, before: str, *, until: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until the list has changed, and does so no more; False if it doesn't."""
        end = time.monotonic() + self.options.patience
        last = before
        while time.monotonic() < end:
            await trio.sleep(LOOK_AGAIN)
            try:
                now = await rows.evaluate_all(STATE)
            except Error as error:
                if "navigat" not in str(error):
                    raise
                await self.page.wait_for_load_state("domcontentloaded")
                continue
            if now == last != before:
                return True
            if now == before and until():
                return False
            last = now
        return last != before


class _Traffic:
    """Whether the page asks its site for anything."""

    def __init__(self, page: Page) -> None:
        self._page, self._open, self._looks = page, 0, 0

    def __enter__(self) -> Self:
        self._page.on("request", self._begin)
        self._page.on("requestfinished", self._end)
        self._page.on("requestfailed", self._end)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._page.remove_listener("request", self._begin)
        self._page.remove_listener("requestfinished", self._end)
        self._page.remove_listener("requestfailed", self._end)

    @property
    def is_busy(self) -> bool:
        """An answer is to come."""
        return self._open > 0

    def is_quiet(self) -> bool:
        """Nothing was asked for, and no answer is to come, for as many looks as make `QUIET`.

        Each look is an answer of the page's: on a busy machine a second may pass in which it could do nothing.
        """
        self._looks += 1
        return self._open == 0 and self._looks > QUIET / LOOK_AGAIN

    def _begin(self, request: Request) -> None:
        if request.resource_type in ("fetch", "xhr", "script"):
            self._open += 1
            self._looks = 0

    def _end(self, request: Request) -> None:
        if request.resource_type in ("fetch", "xhr", "script"):
            self._open = max(self._open - 1, 0)
            self._looks = 0
