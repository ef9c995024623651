"""What a run's pages need not load is refused before it is asked for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import attrs
from playwright.async_api import BrowserContext, Error

from muxd.blocklist import KINDS
from muxd.bridge import bridged
from muxd.browser.closing import is_closed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from playwright.async_api import Browser, CDPSession, Page, Route

    from muxd.engine import Engine

__all__ = ["Blocking", "RoutedBlocking", "open_blocking"]

_EVERYTHING = "**/*"
_NOTHING = "muxd://nothing"


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

    async def apply(self, block: Sequence[str] | None, page: Page) -> None:
        """Block this from now on, until `lift`. Costs nothing if there is nothing to block.

        Four round trips with that of `lift`. Unbounded, and Playwright's errors are the caller's.

        Args:
          block: as `muxd.blocklist` has it; None: the default.
          page: the run's.
        """
        wanted = self._default if block is None else block
        if not wanted:
            return
        self._rules = _Rules.of(wanted)
        if self._session is None:
            self._session = await bridged(self._connect)()
            self._session.on("Fetch.requestPaused", self._judge)
        await bridged(self._session.send)("Fetch.enable", {"patterns": self._rules.patterns()})
        # By what a document loads is settled when it is made, and the page's is there already. For a
        # run that fills it in (`set_content`) instead of going elsewhere it is settled anew: that
        # comes with this call. It is to stop at nothing: it would stop before a route of the run.
        session = await bridged(page.context.new_cdp_session)(page)
        await bridged(session.send)("Fetch.enable", {"patterns": [{"urlPattern": _NOTHING}]})

    async def lift(self) -> None:
        """Block nothing any more: one round trip, none if nothing was blocked.

        Unbounded, and Playwright's errors are the caller's.
        """
        rules, self._rules = self._rules, None
        if rules is not None and self._session is not None:
            await bridged(self._session.send)("Fetch.disable")

    async def _judge(self, event: dict[str, Any]) -> None:
        """Answer for a request at which the browser has stopped."""
        kind, url = event["resourceType"].lower(), event["request"]["url"]
        answer = {"requestId": event["requestId"]}
        session, rules = self._session, self._rules
        assert session is not None
        # Nobody waits for it, so it needs no bound; and nobody's call is to raise its error.
        with contextlib.suppress(Exception):  # its page is gone
            if rules is not None and rules.refuse(kind, url):
                await session.send("Fetch.failRequest", answer | {"errorReason": "BlockedByClient"})
            else:
                await session.send("Fetch.continueRequest", answer)


class RoutedBlocking:
    """The same by a route of Playwright's, for engines that know no other way.

    Every request takes a round trip to Python, and the HTTP cache is off meanwhile. What a route
    of the run lets go on by ``continue_`` is not blocked.
    """

    def __init__(self, default: Sequence[str] = ()) -> None:
        """Nothing is blocked before `apply`; `default` is what is, where nobody says."""
        self._default = default
        self._routed: tuple[BrowserContext, Any] | None = None

    async def apply(self, block: Sequence[str] | None, page: Page) -> None:
        """As `Blocking.apply`."""
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

        context = page.context
        self._routed = (context, judge)
        # Not `context.route`: that takes notes of what a run does to the shared context.
        await bridged(BrowserContext.route)(context, _EVERYTHING, judge)

    async def lift(self) -> None:
        """As `Blocking.lift`."""
        if self._routed is not None:
            (context, judge), self._routed = self._routed, None
            try:
                await bridged(BrowserContext.unroute)(context, _EVERYTHING, judge)
            except Error as error:
                if not is_closed(error):  # the context is, and its routes with it
                    raise


def open_blocking(
    browser: Browser, engine: Engine, default: Sequence[str]
) -> Blocking | RoutedBlocking:
    """The best way to block that the engine has. Nothing is asked of the browser yet."""
    if engine.is_chromium:
        return Blocking(browser.new_browser_cdp_session, default)
    return RoutedBlocking(default)
