"""A drawing rendered by the browser: an SVG document in, a PNG out."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import trio
from playwright.async_api import Error

from muxd.bridge import bridged
from muxd.browser.driver import open_driver
from muxd.browser.launch import LaunchPlan
from muxd.browser.processes import WatchedProcess, browsers_of_profile, kill_group
from muxd.errors import BrowserLost

if TYPE_CHECKING:
    from muxd.browser.find import FoundBrowser

__all__ = ["shoot"]

_BOUND = 90.0
"""How long it may take in all, seconds."""
_CLOSE_BOUND = 5.0


async def shoot(svg: str, found: FoundBrowser, *, width: int = 1200, scale: float = 2) -> bytes:
    """Render a drawing with a browser of its own, on a profile that is gone afterwards.

    The reader's page is taken to be light, and what the drawing leaves open is transparent. Nothing
    is fetched. On leaving, also by cancellation, the browser is gone.

    Args:
      svg: one SVG document that has its size.
      found: the browser.
      width: pixels that the drawing is wide at most.
      scale: pixels of the PNG for one of the drawing, above 0.

    Returns:
      The PNG.

    Raises:
      BrowserLost: the browser didn't start, or didn't draw, in time.
    """
    made = await trio.to_thread.run_sync(_make_directory)
    try:
        plan = LaunchPlan(found=found, profile=Path(made.name) / "profile")
        plan.make_profile()
        with trio.fail_after(_BOUND):
            return await _shot(svg, plan, width, scale)
    except trio.TooSlowError:
        raise BrowserLost(f"the browser did not draw the picture in {_BOUND:g} s") from None
    except Error as error:
        said = error.message.strip().splitlines()[0]
        raise BrowserLost(f"the browser did not draw the picture: {said}") from error
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_clean_up, made)


def _make_directory() -> tempfile.TemporaryDirectory[str]:
    # A browser may write its last files while they are removed.
    return tempfile.TemporaryDirectory(prefix="muxd-", ignore_cleanup_errors=True)


def _clean_up(made: tempfile.TemporaryDirectory[str]) -> None:
    # A browser that was still being launched doesn't go with its driver.
    for process in browsers_of_profile(Path(made.name) / "profile"):
        with contextlib.suppress(psutil.NoSuchProcess):
            kill_group(WatchedProcess.of(process))
    made.cleanup()


async def _shot(svg: str, plan: LaunchPlan, width: int, scale: float) -> bytes:
    options = plan.options() | {
        "viewport": {"width": width, "height": 800},
        "device_scale_factor": scale,
        "color_scheme": "light",
        "offline": True,
    }
    async with open_driver(plan.scratch) as (playwright, _):
        context = await bridged(playwright.chromium.launch_persistent_context)(**options)
        try:
            page = context.pages[0] if context.pages else await bridged(context.new_page)()
            await bridged(page.set_content)(f"<style>body{{margin:0}}</style>{svg}")
            drawing = page.locator("svg").first
            return await bridged(drawing.screenshot)(omit_background=True)
        finally:
            # What doesn't close in time goes with the driver.
            with trio.CancelScope(shield=True), contextlib.suppress(Error, trio.TooSlowError):
                with trio.fail_after(_CLOSE_BOUND):
                    await bridged(context.close)()
