"""Do the pages of a run show that nobody is logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from muxd.bridge import bridged
from muxd.logincheck import is_address, sign_matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import Page

__all__ = ["SIGN_BOUND", "has_sign"]

SIGN_BOUND = 0.4
"""How long looking may take, seconds."""


async def has_sign(pages: Sequence[Page], sign: str) -> bool:
    """Whether one of the pages is at the sign's address, or shows what its selector means.

    Within `SIGN_BOUND`; never raises. What can't be seen in time is not there: then the run ends as it
    would have without a sign.
    """
    there = [page for page in pages if not page.is_closed()]
    if is_address(sign):
        await trio.lowlevel.checkpoint()
        return any(sign_matches(sign, page.url) for page in there)
    found = False
    with trio.move_on_after(SIGN_BOUND):
        for page in there:
            try:
                found = await bridged(page.locator(sign).first.is_visible)()
            except Exception:  # the page is gone, the selector none; or a listener raised
                continue
            if found:
                break
    return found
