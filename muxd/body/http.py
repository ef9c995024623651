"""Requests without a page, in the session of a run: `Run.http`."""

from __future__ import annotations

import math
from http.cookiejar import CookieJar, DefaultCookiePolicy
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, final

import httpx

from muxd.bridge import bridged

if TYPE_CHECKING:
    import urllib.request
    from http.cookiejar import Cookie

    from playwright.async_api import APIResponse, BrowserContext

__all__ = ["TIMEOUT", "HttpSession"]

TIMEOUT = 30.0
"""How long an exchange may take if nobody says, seconds."""
_NOT_SENT = ("host", "content-length", "transfer-encoding", "connection")
_NOT_GIVEN = ("content-length", "content-encoding", "transfer-encoding")
_CONNECTING = (
    "ECONNREFUSED",
    "ENOTFOUND",
    "EAI_",
    "EPROTO",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "connect",
    "certificate",
)


@final
class _Session(httpx.AsyncBaseTransport):
    """Sends requests as the browser's context would: with its cookies, proxy and user agent.

    It is Playwright's own client beside the browser that carries them, so that cookies that an answer
    sets are in the context at once, and the same calls work in trio's tasks and in asyncio's.
    """

    def __init__(self, context: BrowserContext, longest: float) -> None:
        self._context, self._longest = context, longest
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and read the answer whole."""
        if self.closed:
            raise RuntimeError("the run is over: its client can't be used any more")
        if request.url.scheme not in ("http", "https") or not request.url.host:
            raise httpx.UnsupportedProtocol(
                f"{str(request.url)!r:.200} is to begin with http:// or https:// and a host",
                request=request,
            )
        content = await request.aread()
        try:
            return await bridged(self._exchange)(request, content)
        except Exception as error:
            raise _translated(error, request) from error

    async def _exchange(self, request: httpx.Request, content: bytes) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name not in _NOT_SENT}
        if given := headers.get("cookie"):
            # Who gives cookies would else send no others.
            headers["cookie"] = await self._with_cookies(str(request.url), given)
        answer = await self._context.request.fetch(
            str(request.url),
            method=request.method,
            headers=headers,
            data=content or None,
            timeout=1000.0 * min(self._longest, _bound(request.extensions.get("timeout"))),
            max_redirects=0,  # httpx follows them, if it is to
        )
        try:
            return httpx.Response(
                answer.status,
                headers=_headers(answer),
                content=await answer.body(),
                request=request,
                extensions={
                    "http_version": b"HTTP/1.1",
                    "reason_phrase": answer.status_text.encode("ascii", "replace"),
                },
            )
        finally:
            await answer.dispose()

    async def _with_cookies(self, url: str, given: str) -> str:
        try:
            names = set(SimpleCookie(given))
        except CookieError:
            names = set()
        parts = [
            f"{cookie['name']}={cookie['value']}"
            for cookie in await self._context.cookies(url)
            if cookie.get("name") not in names
        ]
        return "; ".join([*parts, given])


def _headers(answer: APIResponse) -> list[tuple[str, str]]:
    # The body comes decoded: what told of its form on the way is true no more.
    return [
        (header["name"], header["value"])
        for header in answer.headers_array
        if header["name"].lower() not in _NOT_GIVEN
    ]


def _bound(timeout: Any) -> float:
    """Of httpx's bounds the longest, for the whole exchange, seconds."""
    longest = 0.0
    for kind in ("connect", "read", "write"):
        bound = timeout.get(kind) if timeout else None
        if bound is None:
            return math.inf
        longest = max(longest, bound)
    return max(longest, 0.001)  # for Playwright 0 is no bound at all


def _translated(error: Exception, request: httpx.Request) -> Exception:
    """A failure in httpx's terms; what the end of the page or the browser raises stays as it is."""
    message = (str(error).strip() or repr(error)).splitlines()[0]
    message = message.removeprefix("APIRequestContext.fetch: ")
    if not type(error).__module__.startswith("playwright.") or "closed" in message:
        return error
    if type(error).__name__ == "TimeoutError":
        return httpx.ReadTimeout(message, request=request)
    kind = httpx.ConnectError if any(sign in message for sign in _CONNECTING) else httpx.ReadError
    return kind(message, request=request)


@final
class _TakesNone(DefaultCookiePolicy):
    """Cookies of answers are the session's to keep; those that a body gives the client are sent."""

    def set_ok(self, cookie: Cookie, request: urllib.request.Request) -> bool:
        """No."""
        return False


@final
class HttpSession:
    """The client of one run."""

    def __init__(self, context: BrowserContext, *, longest: float) -> None:
        """Nothing is sent yet.

        Args:
          context: whose session it is in.
          longest: how long any exchange may take, seconds. One that the body does not wait for any more is
            gone on with by Playwright until then.
        """
        self._transport = _Session(context, longest)
        jar = CookieJar(policy=_TakesNone())
        self.client = httpx.AsyncClient(
            transport=self._transport, cookies=jar, timeout=TIMEOUT, trust_env=False
        )
        """To be used until `close`."""
        self.client.headers.clear()  # it sends what the browser would, not what httpx would

    def close(self) -> None:
        """Send nothing any more. Never blocks."""
        self._transport.closed = True

    async def aclose(self) -> None:
        """Close the client: nothing waits for anything."""
        self.close()
        await self.client.aclose()
