"""What the page of a run shows while it runs: small pictures, for who looks on."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, final

import trio
from playwright.async_api import Error

from muxd.bridge import bridged

if TYPE_CHECKING:
    from playwright.async_api import CDPSession

    from muxd.abc import Lease

__all__ = ["LOOK_BOUND", "Eye"]

LOOK_BOUND = 1.0
"""How long a look may take, seconds."""
FIRST_REST, LONGEST_REST = 2.0, 30.0
"""How long a page is let alone that did not show itself in time, seconds: at first, and at most."""
_HOW = {"format": "jpeg", "quality": 45, "optimizeForSpeed": True}


@final
class Eye:
    """Looks at the page of one lease after another. Chromium's pages only.

    The browser is asked itself: a screenshot of Playwright's waits for fonts, and changes the page.
    """

    def __init__(self) -> None:
        self._lease: Lease | None = None
        self._session: CDPSession | None = None
        self._rest, self._not_before = FIRST_REST, 0.0

    async def look(self, lease: Lease) -> bytes | None:
        """A picture (JPEG) of its page now, within `LOOK_BOUND`; None if it can't be had.

        Never raises. What a listener of the run has raised, and this call got, is charged to it. Not
        to be called again before it has returned.
        """
        if lease is not self._lease:
            self._lease, self._session = lease, None
            self._rest, self._not_before = FIRST_REST, 0.0
        if trio.current_time() < self._not_before or lease.page.is_closed():
            return None
        try:
            with trio.fail_after(LOOK_BOUND):
                return await bridged(self._take)(lease)
        except trio.TooSlowError:  # it hangs, or has a dialog open
            self._not_before = trio.current_time() + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)
        except Error:  # it is closing
            self._session = None
        except Exception as error:
            lease.errors.append(error)
        return None

    async def _take(self, lease: Lease) -> bytes:
        if self._session is None:
            self._session = await lease.context.new_cdp_session(lease.page)
        answer: Any = await self._session.send("Page.captureScreenshot", _HOW)
        return base64.b64decode(answer["data"])
