"""How the jobs come to the site: by its address, and signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
from playwright.async_api import expect

from muxd_demo.site.world import PASSWORD, USER

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from muxd import Run
    from muxd_demo.site import Site

__all__ = ["Studio", "number_in", "settled"]


@attrs.frozen
class Studio:
    """The account's pages, for job bodies. It knows the site; the browser keeps the cookie."""

    site: Site

    async def open(self, run: Run, path: str) -> Page:
        """Show a page (``/queue``) to the run's page, signing in first if the site asks for it.

        The session's cookie is in the browser's profile, so that one run signs in and those after
        it find the door open. Cancelled, the page is wherever it had come to.
        """
        page = run.page
        await page.goto(self.site.address + path)
        if urlsplit(page.url).path == "/login":
            await page.get_by_label("E-mail").fill(USER)
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url(self.site.address + path)
            run.log.info("signed in", user=USER)
        return page


async def settled(list_: Locator) -> None:
    """Wait until a list's script has drawn what it fetched."""
    await expect(list_).to_have_attribute("aria-busy", "false")


def number_in(text: str) -> int:
    """``"1,234 views"`` -> 1234. `ValueError` if there is no digit in it."""
    return int("".join(character for character in text if character.isdecimal()))
