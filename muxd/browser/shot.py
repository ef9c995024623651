"""A drawing rendered by the browser: an SVG document in, a PNG out."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from playwright.async_api import Error

from muxd.bridge import bridged
from muxd.browser.driver import open_driver
from muxd.browser.launch import LaunchPlan
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
    made = await trio.to_thread.run_sync(tempfile.TemporaryDirectory, None, "muxd-")
    try:
        plan = LaunchPlan(found=found, profile=Path(made.name) / "profile")
        plan.make_profile()
        with trio.fail_after(_BOUND):
            return await _shot(svg, plan, width, scale)
    except trio.TooSlowError:
        raise BrowserLost(f"the browser did not draw the picture in {_BOUND:g} s") from None
    except Error as error:
        raise BrowserLost(f"the browser did not draw the picture: {error}") from error
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(made.cleanup)


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
