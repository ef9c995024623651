"""The door of the dashboard: who may come in, and what a browser may do with what it gets.

A port, other than a socket in a private directory, is open to every user of the machine, to every
page that a browser on it shows (a cross-site request), and to a page whose name was made to point
here (DNS rebinding). So each request must name a host that is muxd's, must not come from another
site's page, and must bring the token.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING, final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["OPEN", "Door", "is_loopback"]

OPEN = ("/healthz", "/metrics")
"""What needs no token, asked for from this machine under its own name."""
_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""By these headers a proxy is known, if it adds any."""
_YEAR = 365 * 86_400
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Nothing goes to other sites. A form of muxd's own page needs it: without, its origin is "null".
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_COME_IN = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={where}">
<title>muxd</title><p><a href="{where}">Go on to muxd</a></html>
"""
_STAY_OUT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>muxd: who are you?</title>
<h1>Who are you?</h1>
<p>This is muxd, and it needs to know you once. Run <code>muxd dashboard</code> on its machine, and
open the link that it prints.</p></html>
"""


def is_loopback(host: str) -> bool:
    """Whether this is a name or an address of the machine itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@final
class Door:
    """Wraps an ASGI application."""

    def __init__(self, app: ASGIApp, token: str, *, port: int, hosts: Collection[str] = ()) -> None:
        """Guard `app`.

        Args:
          app: what is behind the door.
          token: what opens it.
          port: where it listens.
          hosts: names that it has beside those of the machine itself; of a proxy, too.
        """
        self._app, self._token = app, token
        self._hosts = {host.lower() for host in hosts}
        self._cookie = f"muxd_{port}"  # cookies of all ports of a host are together

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or have it answered."""
        if scope["type"] != "http":
            return  # no websockets here
        answer = self._refusal(scope)
        if answer is None:
            await self._app(scope, receive, self._dressed(send))
        else:
            await answer(scope, receive, self._dressed(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What to answer in place of the application; None if the request may go in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            hint = "name it in web.hosts if muxd is to be reached so"
            return _no(403, f"{host[:200]!r} is no name of this muxd: {hint}")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and _netloc(origin) != host.lower():
            return _no(403, f"a page of {origin[:200]!r} may not ask this")
        if site in ("cross-site", "same-site") and scope["method"] not in ("GET", "HEAD"):
            return _no(403, "a page of another site may not ask this")
        if scope["path"] in OPEN and self._is_local(scope, host, headers):
            return None
        return self._unknown(scope, headers)

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        given = QueryParams(scope["query_string"]).get("token")
        if given is not None and scope["method"] == "GET" and self._is_token(given):
            return self._come_in(scope, headers)
        bearer = headers.get("authorization", "")
        if bearer[:7].lower() == "bearer " and self._is_token(bearer[7:].strip()):
            return None
        cookies = cookie_parser(headers.get("cookie", ""))
        if self._is_token(cookies.get(self._cookie, "")):
            return None
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(_STAY_OUT, status_code=401)
        return _no(401, "give the token: Authorization: Bearer ..., see `muxd dashboard`")

    def _come_in(self, scope: Scope, headers: Headers) -> Response:
        """Keep the token in a cookie, and go on without it in the address.

        By a page and not by a redirect: after a link on another site's page the browser would not
        send the strict cookie to where it is redirected.
        """
        where = "/" + scope["path"].lstrip("/").encode("ascii", "ignore").decode()
        if not all(c.isalnum() or c in "/-_." for c in where):
            where = "/"
        answer = HTMLResponse(
            _COME_IN.format(where=where),
            headers={"Referrer-Policy": "no-referrer"},  # its address has the token
        )
        answer.set_cookie(
            self._cookie,
            self._token,
            max_age=_YEAR,
            httponly=True,
            samesite="strict",
            secure=headers.get("x-forwarded-proto") == "https",
        )
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._token.encode())

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        return name is not None and (is_loopback(name) or name in self._hosts)

    def _is_local(self, scope: Scope, host: str, headers: Headers) -> bool:
        """Whether somebody on this machine asks, and no proxy for somebody else."""
        client = scope.get("client")
        name = urlsplit(f"//{host}").hostname
        # A proxy on this machine may name it as the host, too.
        handed_on = any(each in headers for each in _PROXIES)
        here = client and name and is_loopback(client[0]) and is_loopback(name)
        return bool(here and not handed_on)

    def _dressed(self, send: Send) -> Send:
        """Gives each answer its headers; an application's own go before."""

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        return dressed


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _no(status: int, words: str) -> Response:
    return JSONResponse({"error": words}, status_code=status)
