"""What a run's pages need not load is refused before it is asked for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import attrs
from playwright.async_api import BrowserContext

from muxd.blocklist import KINDS
from muxd.bridge import bridged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from playwright.async_api import Browser, CDPSession, Page, Route

    from muxd.engine import Engine

__all__ = ["Blocking", "RoutedBlocking", "open_blocking"]

_EVERYTHING = "**/*"


@attrs.frozen
class _Rules:
    """A blocklist, as requests are held against it."""

    kinds: frozenset[str]
    hosts: frozenset[str]
    tails: tuple[str, ...]
    """The ends of hosts, each with its dot: what is below a host."""

    @classmethod
    def of(cls, block: Sequence[str]) -> Self:
        hosts = [each for each in block if each not in KINDS]
        return cls(
            kinds=frozenset(block) & frozenset(KINDS),
            hosts=frozenset(each for each in hosts if not each.startswith("*")),
            tails=tuple(each[1:] for each in hosts if each.startswith("*")),
        )

    def refuse(self, kind: str, url: str) -> bool:
        """Whether a request is not to be made.

        Args:
          kind: as `muxd.blocklist` names it; any other is never refused for what it is.
          url: where it goes to.
        """
        if kind in self.kinds:
            return True
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:  # no host that could be on a list
            return False
        return host in self.hosts or host.endswith(self.tails)

    def patterns(self) -> list[dict[str, str]]:
        """For Chromium: what it is to ask about. All that `refuse` says yes to, and little else.

        A pattern can't say where the host ends and the path begins: a host in the path of another
        matches too, so `refuse` has the last word.
        """
        hosts = [*sorted(self.hosts), *(f"*{tail}" for tail in self.tails)]
        return [
            *({"resourceType": kind.capitalize()} for kind in sorted(self.kinds)),
            *({"urlPattern": f"*://{host}{end}*"} for host in hosts for end in "/:"),
        ]


class Blocking:
    """Has Chromium itself refuse requests, in all that is open in it.

    The browser stops at those requests only that may be refused, and asks; all others go their
    way, and the HTTP cache goes on to work, which a route of Playwright's would turn off. It is
    asked of the browser, not of a page: so popups are covered from their first request on. One
    run has the browser at a time, so it is that run's. Routes of the run come before.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[CDPSession]], default: Sequence[str] = ()
    ) -> None:
        """Nothing is blocked, and nothing asked of the browser, before `apply`.

        Args:
          connect: opens a session with the browser; called once at most.
          default: what is blocked where nobody says.
        """
        self._connect, self._default = connect, default
        self._session: CDPSession | None = None
        self._rules: _Rules | None = None  # those in force

    async def apply(
        self, block: Sequence[str] | None, context: BrowserContext, page: Page | None = None
    ) -> None:
        """Block this from now on, until `lift`. Costs nothing if there is nothing to block.

        Unbounded, and Playwright's errors are the caller's.

        Args:
          block: as `muxd.blocklist` has it; None: the default.
          context: whose pages are concerned.
          page: one that was opened before, in which a document without a navigation of its own
            (``set_content``) must be covered too. Costs two more round trips.
        """
        wanted = self._default if block is None else block
        if not wanted:
            return
        self._rules = _Rules.of(wanted)
        patterns = {"patterns": self._rules.patterns()}
        if self._session is None:
            self._session = await bridged(self._connect)()
            self._judge_all_of(self._session)
        await bridged(self._session.send)("Fetch.enable", patterns)
        if page is not None:
            # What a document may load by is made with the document: the page's is older than this.
            session = await bridged(context.new_cdp_session)(page)
            self._judge_all_of(session)
            await bridged(session.send)("Fetch.enable", patterns)

    async def lift(self) -> None:
        """Block nothing any more: one round trip, none if nothing was blocked.

        Unbounded, and Playwright's errors are the caller's.
        """
        rules, self._rules = self._rules, None
        if rules is not None and self._session is not None:
            await bridged(self._session.send)("Fetch.disable")

    def _judge_all_of(self, session: CDPSession) -> None:
        """Have an answer for each request at which the browser stops."""

        async def judge(event: dict[str, Any]) -> None:
            kind, url = event["resourceType"].lower(), event["request"]["url"]
            answer = {"requestId": event["requestId"]}
            # Nobody waits for it, so it needs no bound; and nobody's call is to raise its error.
            with contextlib.suppress(Exception):  # its page is gone
                if self._rules is not None and self._rules.refuse(kind, url):
                    answer["errorReason"] = "BlockedByClient"
                    await session.send("Fetch.failRequest", answer)
                else:
                    await session.send("Fetch.continueRequest", answer)

        session.on("Fetch.requestPaused", judge)


class RoutedBlocking:
    """The same by a route of Playwright's, for engines that know no other way.

    Every request takes a round trip to Python, and the HTTP cache is off meanwhile. What a route
    of the run lets go on by ``continue_`` is not blocked.
    """

    def __init__(self, default: Sequence[str] = ()) -> None:
        """Nothing is blocked before `apply`; `default` is what is, where nobody says."""
        self._default = default
        self._routed: tuple[BrowserContext, Any] | None = None

    async def apply(
        self, block: Sequence[str] | None, context: BrowserContext, page: Page | None = None
    ) -> None:
        """As `Blocking.apply`; pages that were opened before need nothing more."""
        wanted = self._default if block is None else block
        if not wanted:
            return
        rules = _Rules.of(wanted)

        async def judge(route: Route) -> None:
            with contextlib.suppress(Exception):  # its page is gone
                if rules.refuse(route.request.resource_type, route.request.url):
                    await route.abort("blockedbyclient")
                else:
                    await route.fallback()

        self._routed = (context, judge)
        # Not `context.route`: that takes notes of what a run does to the shared context.
        await bridged(BrowserContext.route)(context, _EVERYTHING, judge)

    async def lift(self) -> None:
        """As `Blocking.lift`."""
        if self._routed is not None:
            (context, judge), self._routed = self._routed, None
            await bridged(BrowserContext.unroute)(context, _EVERYTHING, judge)


def open_blocking(
    browser: Browser, engine: Engine, default: Sequence[str]
) -> Blocking | RoutedBlocking:
    """The best way to block that the engine has. Nothing is asked of the browser yet."""
    if engine.is_chromium:
        return Blocking(browser.new_browser_cdp_session, default)
    return RoutedBlocking(default)
