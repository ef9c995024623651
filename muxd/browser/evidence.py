"""What the pages of a run show when it did not end well: read within a bound, each part alone."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any

import trio
from playwright.async_api import Error

from muxd.bridge import bridged
from muxd.observation import Observation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from playwright.async_api import BrowserContext, Frame, Page, Request

    from muxd.browser.tracer import Tracer

__all__ = ["EVIDENCE_BOUND", "observe"]

EVIDENCE_BOUND = 2.5
"""How long it may take in all, seconds."""
HTML_LENGTH = 1_900_000
"""Characters of HTML at most."""
SIDE = 4000
"""Pixels of the picture at most, in width and height."""
LINES = 200
"""Lines of console and of network at most; a line has `LINE_LENGTH` characters at most."""
LINE_LENGTH = 2000
_PAGES = 5
_FRAMES = 10
"""How many pages, and frames of each, are looked at."""

_PASSWORDS = "input[type=password], input[autocomplete*=password]"
_READ_PASSWORDS = f"""() => Array.from(document.querySelectorAll("{_PASSWORDS}")).slice(0, 50)
    .flatMap(field => [field.value, field.getAttribute("value") || ""])
    .map(value => value.slice(0, 1000))"""
_READ_HTML = f"""length => {{
    const all = document.documentElement ? document.documentElement.outerHTML : "";
    return [all.slice(0, length), all.length, document.title.slice(0, 300), ({_READ_PASSWORDS})()];
}}"""
"""With the passwords of its frame: it is never kept without knowing them."""


async def observe(
    pages: Sequence[Page],
    context: BrowserContext,
    tracer: Tracer | None,
    folder: Callable[[], Awaitable[Path]],
    *,
    stray: Callable[[Exception], object],
) -> Observation:
    """Look at the pages of a run. Bounded by `EVIDENCE_BOUND`; never raises.

    Args:
      pages: its own first; those that are closed are passed over.
      context: whose they are.
      tracer: its trace, if one is being made: it is ended.
      folder: says where the trace is put.
      stray: is told of errors that listeners of the run raised, which any call may get.

    When cancelled, what was begun is left; closing the pages ends it.
    """
    look = _Look([page for page in pages if not page.is_closed()], context, tracer, folder, stray)
    with trio.move_on_after(EVIDENCE_BOUND):
        await look.all()
    return look.made()


class _Look:
    """One observation, as its parts come in, each on its own."""

    def __init__(
        self,
        pages: list[Page],
        context: BrowserContext,
        tracer: Tracer | None,
        folder: Callable[[], Awaitable[Path]],
        stray: Callable[[Exception], object],
    ) -> None:
        self._pages, self._context, self._tracer = pages[:_PAGES], context, tracer
        self._folder, self._stray = folder, stray
        self._found: dict[str, Any] = {}
        self._passwords: set[str] = set()
        self._credentials: set[str] = set()
        self._missing: dict[str, str] = {}

    async def all(self) -> None:
        """Read all parts at once: one that hangs keeps none of the others."""
        parts: dict[str, Callable[[], Awaitable[object]]] = {"secrets": bridged(self._read_cookies)}
        if self._tracer is not None and self._tracer.on:
            parts["trace"] = self._take_trace
        if self._pages:
            parts |= {
                "screenshot": bridged(self._take_screenshot),
                "html": bridged(self._read_html),
                "console": bridged(self._read_console),
                "network": bridged(self._read_network),
            }
        else:
            reason = "no page of the run was open any more"
            self._missing = dict.fromkeys(("screenshot", "html", "console", "network"), reason)
        self._missing |= dict.fromkeys(parts, f"it could not be had in {EVIDENCE_BOUND:g} s")
        async with trio.open_nursery() as nursery:
            for name, part in parts.items():
                nursery.start_soon(self._read, name, part)
            for page in self._pages:
                for frame in page.frames[:_FRAMES]:
                    nursery.start_soon(self._read_passwords, frame)

    def made(self) -> Observation:
        """What has come in so far."""
        secrets = self._found.pop("secrets", None)
        if secrets is not None:
            secrets = frozenset(filter(None, secrets | self._passwords | self._credentials))
        return Observation(
            url=_line(self._pages[0].url) if self._pages else None,
            pages=tuple(_line(page.url) for page in self._pages),
            secrets=secrets,
            missing=self._missing,
            **self._found,
        )

    async def _read(self, name: str, part: Callable[[], Awaitable[object]]) -> None:
        try:
            self._found[name] = await part()
            del self._missing[name]
        except Exception as error:
            if not isinstance(error, (Error, OSError)):
                self._stray(error)
            self._missing[name] = (str(error).strip() or repr(error)).splitlines()[0][:300]

    async def _read_cookies(self) -> set[str]:
        return {cookie.get("value", "") for cookie in await self._context.cookies()}

    async def _read_passwords(self, frame: Frame) -> None:
        try:
            self._passwords.update(await bridged(frame.evaluate)(_READ_PASSWORDS))
        except Error:
            pass  # a frame that is gone shows nothing
        except Exception as error:  # a listener's
            self._stray(error)

    async def _take_trace(self) -> Path:
        assert self._tracer is not None
        file = await self._folder() / "trace.zip"
        await bridged(self._tracer.take)(file)
        return file

    async def _take_screenshot(self) -> bytes:
        page = self._pages[0]
        size = page.viewport_size
        clip: Any = None
        if size is not None and max(size["width"], size["height"]) > SIDE:
            clip = {side: min(size[side], SIDE) for side in ("width", "height")} | {"x": 0, "y": 0}
        return await page.screenshot(mask=[page.locator(_PASSWORDS)], clip=clip)

    async def _read_html(self) -> str:
        text, length, title, passwords = await self._pages[0].evaluate(_READ_HTML, HTML_LENGTH)
        self._passwords.update(passwords)
        self._found["title"] = title
        return f"{text}\n<!-- cut off: {length} characters -->\n" if length > HTML_LENGTH else text

    async def _read_console(self) -> tuple[str, ...]:
        lines = []
        for page in self._pages:
            lines += [
                _line(f"{message.type}: {message.text}{_place(message.location)}")
                for message in await _recent(page, "console_messages")
            ]
            for error in await _recent(page, "page_errors"):
                lines.append(_line(f"uncaught: {getattr(error, 'stack', None) or error}"))
        return tuple(lines[-LINES:])

    async def _read_network(self) -> tuple[str, ...]:
        lines = []
        for page in self._pages:
            for request in await _recent(page, "requests"):
                self._credentials |= _credentials(request.headers)
                if said := _trouble(request):
                    lines.append(_line(f"{said}  {request.method} {request.url}"))
        return tuple(lines[-LINES:])


async def _recent(page: Page, kind: str) -> Any:
    """The last 200 or so: the driver keeps them anyway, so runs that end well pay nothing."""
    read = getattr(page, kind, None)
    if read is None:
        raise Error("this version of Playwright can't tell")
    return await read()


def _trouble(request: Request) -> str | None:
    if request.failure:
        return f"failed: {request.failure}"
    response: Any = getattr(request, "existing_response", None)
    return str(response.status) if response is not None and response.status >= 400 else None


def _credentials(headers: dict[str, str]) -> set[str]:
    """The secrets in the headers that a page or a body set."""
    found = set()
    for name in ("authorization", "proxy-authorization", "x-api-key", "x-auth-token"):
        value = headers.get(name, "")
        scheme, _, rest = value.partition(" ")
        found |= {value, rest}
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                plain = base64.b64decode(rest).decode()
                found |= {plain, plain.partition(":")[2]}
    return found


def _place(location: Any) -> str:
    url = location.get("url")
    return f"  ({url}:{location.get('lineNumber', 0) + 1})" if url else ""


def _line(text: str) -> str:
    line = text.replace("\r", "").replace("\n", "\n    ")
    return line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 3] + "..."
