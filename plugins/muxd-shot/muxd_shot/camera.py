"""The body of every job here: opens the pages and takes the pictures."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import attrs
import trio
from playwright.async_api import Error as BrowserError

from muxd_shot.album import small_of, write_whole
from muxd_shot.devices import device
from muxd_shot.sheet import write_sheets
from muxd_shot.small import small_picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page, ViewportSize

    from muxd import Run
    from muxd_shot.album import Album
    from muxd_shot.settings import PageShots
    from muxd_shot.variants import Variant

__all__ = ["ShotError", "shoot"]

SCROLLED = 100
"""How many windows a page is scrolled through, at most: some have no end."""
LONGEST_NAME = 90
"""Characters of the name of a run's file, before what tells it from others: 100 are possible in all."""
_SCROLL = """async (most) => {
  for (let n = 0; n < most && scrollY + innerHeight < document.documentElement.scrollHeight - 1; n++) {
    scrollBy(0, innerHeight);
    await new Promise(done => setTimeout(done, 50));
  }
  scrollTo(0, 0);
}"""
_HIDE = """found => found.forEach(each => {
  each.style.setProperty("visibility", "hidden", "important");
  each.style.setProperty("opacity", "0", "important");
})"""


class ShotError(Exception):
    """Pictures that could not be taken, or that show an error: all of a run in one."""


async def shoot(run: Run, album: Album) -> list[str]:
    """Take all pictures of a page's table (`run.config`); gives the names of their files.

    One that fails costs none of the others. The old ones are thinned out only if none failed.

    Raises:
      ShotError: some failed; it says which, and why.
      OSError: the folder can't be written.
    """
    page: PageShots = run.config
    now = time.time()
    taken: list[str] = []
    wrong: list[str] = []
    wanted = page.variants()
    tabs = _Tabs(run)
    for number, variant in enumerate(wanted):
        run.progress(number, len(wanted), variant.label)
        try:
            async with tabs.open(variant) as tab:
                status = await _open(tab, page, variant)
                picture, glance = await _take(tab, page)
        except BrowserError as error:
            wrong.append(f"{variant.label}: {_first_line(error)}")
            continue
        path = album.path(now, variant.label, page.suffix)
        with_run = run.artifact(_name_with_run(variant.label, number))
        await trio.to_thread.run_sync(_put, path, picture, glance, with_run)
        taken.append(path.name)
        run.log.info("taken", file=path.name, kilobytes=len(picture) // 1000)
        if status is not None and status >= 400 and not page.any_status:
            wrong.append(f"{variant.label}: {variant.url} answered {status}")
    await tabs.close()
    run.progress(len(wanted), len(wanted))
    if not wrong:
        keep, keep_for = page.keep or 0, page.keep_for or 0.0
        gone = await trio.to_thread.run_sync(
            lambda: album.thin_out(keep=keep, keep_for=keep_for, now=now)
        )
        if gone:
            run.log.info("thinned out", files=len(gone))
    await trio.to_thread.run_sync(write_sheets, album.folder.parent)
    if wrong:
        raise ShotError(f"{len(wrong)} of {len(wanted)} failed: " + "; ".join(wrong))
    return taken


@attrs.define
class _Tabs:
    """Pages of the right size, one at a time."""

    run: Run
    _plain: Page | None = None
    """For sizes alone. None: it has to be opened."""
    _used: bool = False

    @asynccontextmanager
    async def open(self, variant: Variant) -> AsyncIterator[Page]:
        """A page. What needs a context of its own gets the session's cookies there."""
        screen, scheme = variant.screen, _scheme(variant)
        options: dict[str, Any]
        if isinstance(screen, str):
            options = device(screen, self.run.browser.version)
        else:
            size: ViewportSize = {"width": screen.width, "height": screen.height}
            if screen.scale == 1:
                async with self._one() as page:
                    await page.set_viewport_size(size)
                    await page.emulate_media(color_scheme=scheme)
                    yield page
                return
            options = {"viewport": size, "device_scale_factor": screen.scale}
        state = None
        if self.run.job.session != "fresh":
            state = await self.run.context.storage_state()
        context = await self.run.browser.new_context(
            storage_state=state, color_scheme=scheme, **options
        )
        try:
            yield await context.new_page()
        finally:
            await context.close()

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[Page]:
        """The run's page; once something went wrong on it, others: it may hang for good."""
        if self._plain is None:
            self._plain = await self.run.context.new_page() if self._used else self.run.page
            self._used = True
        page = self._plain
        try:
            yield page
        except BrowserError:
            await self.close()
            raise

    async def close(self) -> None:
        """Be done with the page for sizes; muxd closes its own."""
        page, self._plain = self._plain, None
        if page is not None and page is not self.run.page:
            await page.close()


def _scheme(variant: Variant) -> Literal["light", "dark", "null"]:
    if variant.scheme == "dark":
        return "dark"
    return "light" if variant.scheme == "light" else "null"


async def _open(tab: Page, page: PageShots, variant: Variant) -> int | None:
    """Have the page ready for its picture; gives the answer's status, if it has one."""
    limit = page.within * 1000
    answer = await tab.goto(variant.url, wait_until=page.wait_until, timeout=limit)
    if page.wait_for is not None:
        await tab.locator(page.wait_for).first.wait_for(timeout=limit)
    if page.scroll:
        await tab.evaluate(_SCROLL, SCROLLED)
    for selector in page.hide:
        await tab.locator(selector).evaluate_all(_HIDE)
    if page.delay:
        await trio.sleep(page.delay)
    return None if answer is None else answer.status


async def _take(tab: Page, page: PageShots) -> tuple[bytes, bytes]:
    """The picture, or PDF, and something to make the small picture of."""
    limit = page.within * 1000
    if page.format == "pdf":
        glance = await tab.screenshot(type="jpeg", quality=70, timeout=limit)
        document = await tab.pdf(
            format=page.paper, landscape=page.landscape, print_background=page.background
        )
        return document, glance
    how: dict[str, Any] = {
        "type": page.format,
        "quality": (page.quality or 80) if page.format == "jpeg" else None,
        "animations": "disabled",
        "mask": [tab.locator(selector) for selector in page.mask],
        "timeout": limit,
    }
    if page.selector is not None:
        picture = await tab.locator(page.selector).first.screenshot(**how)
    else:
        picture = await tab.screenshot(full_page=page.full_page, **how)
    return picture, picture


def _name_with_run(label: str, number: int) -> str:
    """What a small picture is called among the run's files: another one for each label."""
    name = label.replace("@", "-")
    return f"{name if len(name) <= LONGEST_NAME else f'{name[:LONGEST_NAME]}-{number}'}.jpg"


def _put(path: Path, picture: bytes, glance: bytes, with_run: Path) -> None:
    """Write a picture, and before it a small one, for the sheets, and for the page of the run."""
    small = small_picture(glance)
    if small is not None:
        write_whole(small_of(path), small)
        with_run.write_bytes(small)
    write_whole(path, picture)


def _first_line(error: BrowserError) -> str:
    return error.message.strip().partition("\n")[0]
