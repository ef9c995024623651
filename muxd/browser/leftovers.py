"""What a run can leave that neither its pages nor its contexts take along: popups, downloads."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any, Self

import trio
from playwright.async_api import Error

from muxd.bridge import bridged
from muxd.left import Left

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, CDPSession, Page

__all__ = ["Leftovers", "NoLeftovers"]

AGAIN = 0.7
"""How long the browser may take to close a page before it is told again, seconds."""
BREATH = 0.02
"""How long to wait for the browser before it is asked again, seconds."""
_ARTIFACTS = "playwright-artifacts-"
_DOWNLOAD = re.compile(r"([0-9a-fA-F-]{36})(\.crdownload)?")
_LASTING = frozenset({"page", "background_page"})
"""Kinds of targets that stay if nobody ends them; others are the browser's own, or go with a page.

A service worker stays too, in the shared context, and must: it could be stopped, but Playwright,
which is attached to it, would wait for it to start again in the next call that concerns the whole
context, such as ``route``. It is state of the profile, and ends with the browser.
"""


class Leftovers:
    """Asks the browser itself what is open, and ends what should not be.

    A popup may come up when Playwright has closed all that it knows, and a download goes on when
    its page is closed; in the shared context both would be there for the browser's life.
    """

    def __init__(self, session: CDPSession, scratch: Path, known: Iterable[dict[str, Any]]) -> None:
        self._session, self._scratch = session, scratch
        known = tuple(known)  # what was open before the first run
        self._known = frozenset(target["targetId"] for target in known)
        self._contexts = frozenset(target.get("browserContextId") for target in known)
        self._spared: set[str] = set()  # the ids of pages that are no run's yet
        self._told: set[str] = set()  # the ids of what was told to close

    @classmethod
    async def watch(cls, browser: Browser, scratch: Path) -> Self:
        """Take what is open now as what is to be. Unbounded: the caller bounds."""
        session = await bridged(browser.new_browser_cdp_session)()
        return cls(session, scratch, await _targets(session))

    async def answers(self) -> None:
        """Return when the browser has answered: one that hangs does not.

        One round trip. Playwright's errors are the caller's, and so is the bound.
        """
        await bridged(self._session.send)("Browser.getVersion")

    async def spare(self, context: BrowserContext, page: Page) -> str:
        """Let this page be, until `spare_no_more` is called with what this returns.

        Three round trips. Playwright's errors are the caller's, and so is the bound.
        """
        session = await bridged(context.new_cdp_session)(page)
        answer = await bridged(session.send)("Target.getTargetInfo")
        await bridged(session.detach)()
        target: str = answer["targetInfo"]["targetId"]
        self._spared.add(target)
        return target

    def spare_no_more(self, target: str | None) -> None:
        """The page is like any other now, or closed."""
        self._spared.discard(target or "")

    async def take_away(self) -> Left:
        """End what is open beside what is to be, and count it.

        Playwright tells of a popup once it is ready: of a storm some come up when everything that
        was known has been closed. So the browser is asked until no page is left.

        One round trip if there is nothing. Playwright's errors are the caller's, and so is the
        bound.
        """
        left = Left()
        while await self._end_targets(left):  # noqa: ASYNC110 - nothing tells of its end
            await trio.sleep(BREATH)
        for guid in self._downloads():
            left["download"] += 1
            await self._send("Browser.cancelDownload", {"guid": guid})
        return left

    async def insist(self) -> None:
        """While Playwright closes pages: tell those again that don't. Until cancelled.

        A close that meets a navigation is lost by the browser every now and then, and Playwright
        would wait for ever. Playwright's errors mean that there is nobody to be told.
        """
        with contextlib.suppress(Error):
            while True:
                await trio.sleep(AGAIN)
                for target in await _targets(self._session):
                    if target["type"] == "page" and not self._is_to_be(target["targetId"]):
                        await self._send("Target.closeTarget", {"targetId": target["targetId"]})

    async def _end_targets(self, left: Left) -> bool:
        """End and count pages; True if there were any."""
        targets = await _targets(self._session)
        present = {target["targetId"] for target in targets}
        self._told &= present
        async with trio.open_nursery() as nursery:
            for target in targets:
                id_ = target["targetId"]
                if self._is_to_be(id_) or target["type"] not in _LASTING:
                    continue
                if id_ not in self._told and target.get("browserContextId") in self._contexts:
                    self._told.add(id_)  # those of other contexts go with them
                    left[target["type"].replace("_", " ")] += 1
                nursery.start_soon(self._send, "Target.closeTarget", {"targetId": id_})
        return any(t["type"] == "page" and not self._is_to_be(t["targetId"]) for t in targets)

    def _is_to_be(self, target: str) -> bool:
        return target in self._known or target in self._spared

    def _downloads(self) -> list[str]:
        """Delete the files of downloads that have ended; give the ids of those that have not."""
        running = []
        with contextlib.suppress(OSError):  # the disk, or somebody has tidied up
            for folder in os.scandir(self._scratch):
                if not folder.name.startswith(_ARTIFACTS):
                    continue
                for file in os.scandir(folder):
                    name = _DOWNLOAD.fullmatch(file.name)
                    if name is not None and name[2]:
                        running.append(name[1])
                    elif name is not None:
                        os.unlink(file)
        return running

    async def _send(self, method: str, params: dict[str, Any]) -> None:
        with contextlib.suppress(Error):  # it has ended meanwhile
            await bridged(self._session.send)(method, params)


class NoLeftovers:
    """For engines that can't be asked: whatever Playwright does not tell of stays open.

    A popup that comes up while its run's pages are being closed is closed with the next run's, and
    counted there; a download that is under way goes on.
    """

    async def answers(self) -> None:
        """Whether it hangs is not known before a run finds out."""
        await trio.lowlevel.checkpoint()

    async def spare(self, context: BrowserContext, page: Page) -> str:
        """Nothing is ever closed here that would have to be spared."""
        await trio.lowlevel.checkpoint()
        return ""

    def spare_no_more(self, target: str | None) -> None:
        """See `spare`."""

    async def take_away(self) -> Left:
        """Nothing is known to be left."""
        await trio.lowlevel.checkpoint()
        return Left()

    async def insist(self) -> None:
        """Nobody can be told again. Until cancelled."""
        await trio.sleep_forever()


async def _targets(session: CDPSession) -> list[dict[str, Any]]:
    answer = await bridged(session.send)("Target.getTargets")
    targets: list[dict[str, Any]] = answer["targetInfos"]
    return targets
