"""Looks at a page: what of it is watched, as it is now."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import attrs
import trio
from playwright.async_api import Error, TimeoutError  # noqa: A004 - Playwright's own

from muxd.amounts import parse_amount
from muxd_watch.texts import normal

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from muxd_watch.options import WatchOptions

__all__ = ["Seen", "look"]

LOOK_AGAIN = 0.1
"""How often a page is looked at for what is to appear, seconds."""
LOOKS = 3
"""How often it is looked for what is not there: a page may just be drawing it anew."""
TALLEST = 15_000
"""How much of a page is in its picture, pixels: browsers draw no larger one."""
COVER = "#888888"
"""The colour of what is masked."""
_HIDE = "(all) => all.forEach((one) => one.style.setProperty('display', 'none', 'important'))"
_TEXT = """(one) => /^(INPUT|TEXTAREA|SELECT)$/.test(one.tagName) ? one.value
  : one.tagName === 'META' ? one.content : one.innerText ?? one.textContent ?? ''"""


@attrs.frozen
class Seen:
    """What a look has seen. One of these has a value, or none where nothing was there."""

    text: str | None = None
    number: float | None = None
    picture: bytes | None = attrs.field(default=None, repr=False)
    is_there: bool = True
    """Whether there is the element, or what was selected."""


async def look(page: Page, options: WatchOptions) -> Seen:
    """Open the page and look.

    Raises:
      LookupError: it answers with an error, or what is looked for is not there.
      ValueError: what is to be a number is none.
    """
    if options.size is not None:
        width, height = options.size
        await page.set_viewport_size({"width": width, "height": height})
    answer = await page.goto(options.url)
    if answer is not None and answer.status >= 400:
        raise LookupError(f"{options.url} answered {answer.status} {answer.status_text}".rstrip())
    patience = 1000 * options.patience
    for select in options.click:
        there = page.locator(select).first
        if await there.count() and await there.is_visible():
            await there.click(timeout=patience)
    if options.wait and not await _appears(page.locator(options.wait).first, options.patience):
        raise LookupError(
            f"wait = {options.wait!r}: it is not on {page.url} after {options.patience:g} s"
        )
    await trio.sleep(options.settle)
    part = page.locator(options.select or "body").first
    if options.what == "element":
        return Seen(is_there=await _is_there(page, part, options))
    if not await _appears(part, options.patience):
        if options.missing == "empty":
            return Seen(is_there=False)
        raise LookupError(
            f"select = {options.select!r}: it is not on {page.url} after {options.patience:g} s; "
            'should it not always be there, set missing = "empty"'
        )
    if options.what == "visual":
        return Seen(picture=await _picture(page, part, options))
    for select in options.mask:
        await page.locator(select).evaluate_all(_HIDE)
    if options.attribute:
        text = await part.get_attribute(options.attribute) or ""
    else:
        text = await part.evaluate(_TEXT)
    if options.what == "number":
        return Seen(number=parse_amount(text, decimal=options.decimal))
    return Seen(text=normal(text, options.ignored))


async def _appears(part: Locator, patience: float) -> bool:
    """Whether it is there, now or soon."""
    end = time.monotonic() + patience
    while not await part.count():
        if time.monotonic() > end:
            return False
        await trio.sleep(LOOK_AGAIN)
    return True


async def _is_there(page: Page, part: Locator, options: WatchOptions) -> bool:
    """Whether the element can be seen, once the page has loaded what it loads."""
    if await part.is_visible():
        return True
    # A page that never stops loading has had its time then.
    with contextlib.suppress(TimeoutError):
        await page.wait_for_load_state("networkidle", timeout=1000 * options.patience)
    for _ in range(LOOKS):
        if await part.is_visible():
            return True
        await trio.sleep(LOOK_AGAIN)
    return False


async def _picture(page: Page, part: Locator, options: WatchOptions) -> bytes:
    how: dict[str, Any] = {
        "animations": "disabled",
        "caret": "hide",
        "scale": "css",
        "mask": [page.locator(select) for select in options.mask],
        "mask_color": COVER,
        "timeout": 1000 * options.patience,
    }
    if options.select:
        return await _of_part(part, how, options.patience)
    size = await page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    if size[1] > TALLEST:
        how["clip"] = {"x": 0, "y": 0, "width": size[0], "height": TALLEST}
    return await page.screenshot(full_page=True, **how)


async def _of_part(part: Locator, how: dict[str, Any], patience: float) -> bytes:
    """The picture of an element, also if the page puts another one in its place meanwhile."""
    end = time.monotonic() + patience
    while True:
        try:
            return await part.screenshot(**how)
        except Error as error:
            if "not attached" not in error.message or time.monotonic() > end:
                raise
        await trio.sleep(LOOK_AGAIN)
