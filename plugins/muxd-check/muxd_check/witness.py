"""What goes wrong on the pages of a run beside its steps: consoles, requests, certificates."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, final
from urllib.parse import urlsplit

import attrs
from playwright.async_api import Error as BrowserError

if TYPE_CHECKING:
    from playwright.async_api import ConsoleMessage, Page, Request, Response

    from muxd import Run
    from muxd_check.settings import Flow

__all__ = ["Witness"]

KEPT = 50
"""How many messages are kept; all are counted."""
_DAY = 86_400.0


@attrs.define
class Account:
    """How many there were, and the first of them."""

    count: int = 0
    first: list[str] = attrs.field(factory=list)

    def add(self, text: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < KEPT:
            self.first.append(text[:500])


@final
class Witness:
    """Listens to all pages of one run, popups too."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self.status: int | None = None
        """How the last document of the run's page was answered."""
        self.requests = 0
        self.console = Account()
        """Errors in consoles, and of scripts."""
        self.failed = Account()
        """Requests without an answer, or with an error."""
        self.transfer: int | None = None
        """Bytes that came; None: not measured."""
        self._documents: dict[str, Response] = {}

    async def attend(self, run: Run) -> None:
        """Begin to listen."""
        await run.every_page(self._listen)
        run.page.on("response", self._answered)
        if not (self._flow.any_certificate or self._flow.budget.transfer is not None):
            return
        session = await run.context.new_cdp_session(run.page)
        if self._flow.any_certificate:
            await session.send("Security.setIgnoreCertificateErrors", {"ignore": True})
        if self._flow.budget.transfer is not None:
            self.transfer = 0
            session.on("Network.loadingFinished", self._came)
            await session.send("Network.enable")

    async def tls_days(self) -> dict[str, float]:
        """For each host of the visited pages that has a certificate how many days that is good for."""
        found: dict[str, float] = {}
        for host, answer in self._documents.items():
            try:
                details = await answer.security_details()
            except BrowserError:
                continue
            if details is not None and (until := details.get("validTo")) is not None:
                found[host] = (until - time.time()) / _DAY
        return found

    async def _listen(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._wrong(f"{error.name}: {error.message}"))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)
        page.on("response", self._checked)

    def _said(self, message: ConsoleMessage) -> None:
        # What the browser says of a failed request counts there, once.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._wrong(message.text)

    def _wrong(self, text: str) -> None:
        if not self._is_ignored(text):
            self.console.add(text)

    def _asked(self, request: Request) -> None:
        self.requests += 1

    def _failed(self, request: Request) -> None:
        # One that is given up since the page goes on is no failure; nor is one that muxd blocks.
        why = request.failure or ""
        if "ABORTED" not in why and "BLOCKED_BY_CLIENT" not in why:
            self._count(f"{request.method} {request.url}: {why}")

    def _checked(self, answer: Response) -> None:
        if answer.status >= 400:
            self._count(f"{answer.request.method} {answer.url}: {answer.status}")

    def _count(self, text: str) -> None:
        if not self._is_ignored(text):
            self.failed.add(text)

    def _answered(self, answer: Response) -> None:
        request = answer.request
        if not request.is_navigation_request() or request.frame.parent_frame is not None:
            return
        self.status = answer.status
        parts = urlsplit(answer.url)
        if parts.scheme == "https":
            self._documents.setdefault(parts.netloc, answer)

    def _came(self, event: dict[str, float]) -> None:
        if self.transfer is not None:
            self.transfer += int(event.get("encodedDataLength", 0))

    def _is_ignored(self, text: str) -> bool:
        return any(part in text for part in self._flow.ignore)
