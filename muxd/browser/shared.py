"""What a run leaves on the things that all runs share, and how it is taken off again."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error

from muxd.bridge import bridged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Browser, BrowserContext

    from muxd.left import Left

__all__ = ["Traces"]

PLAYWRIGHTS_TIMEOUT = 30_000
"""Playwright's own default timeout, milliseconds."""
_KINDS = {
    "route": "route",
    "route_from_har": "route",
    "tracing": "trace",
    "start_tracing": "trace",
    "new_browser_cdp_session": "CDP session",
    "launch": "browser",
    "launch_persistent_context": "browser",
    "connect": "connection to a browser",
    "connect_over_cdp": "connection to a browser",
    "add_init_script": "init script",
    "expose_binding": "exposed function",
    "expose_function": "exposed function",
}
"""What each is called in words; any other is a setting."""
_SESSIONS = frozenset({"new_browser_cdp_session"})
"""What opens something that is detached, not closed."""


class Traces:
    """Notes what runs do to the shared context and the browser, and undoes it after each.

    A listener, a header or a route of one run would otherwise be there for every run after it.
    The methods that leave such things are replaced, on these two objects only, by ones that take
    a note first: so a run that leaves nothing costs nothing to clean up after.
    """

    def __init__(self, context: BrowserContext, browser: Browser) -> None:
        """Begin to take notes."""
        self._context, self._browser = context, browser
        self._undo: dict[str, Callable[[], Awaitable[object]]] = {}
        self._listeners: list[tuple[Any, str, Any]] = []
        self._disposables: list[tuple[str, Any]] = []
        self._opened: dict[Any, str] = {}  # browsers and sessions of runs, and who opened them
        self._stain: str | None = None
        for shared in (context, browser):
            for name in ("on", "once"):
                self._replace(shared, name, self._noting_listener(shared, getattr(shared, name)))
        set_timeout = context.set_default_timeout
        set_navigation_timeout = context.set_default_navigation_timeout
        for name, undo in {
            "set_default_timeout": _sync(lambda: set_timeout(PLAYWRIGHTS_TIMEOUT)),
            "set_default_navigation_timeout": _sync(
                lambda: set_navigation_timeout(PLAYWRIGHTS_TIMEOUT)
            ),
            "set_extra_http_headers": _call(context.set_extra_http_headers, {}),
            "set_offline": _call(context.set_offline, False),
            "set_geolocation": _call(context.set_geolocation, None),
            "grant_permissions": _call(context.clear_permissions),
            "route": _call(context.unroute_all),
            "route_from_har": _call(context.unroute_all),
        }.items():
            self._replace(context, name, self._noting(name, undo, getattr(context, name)))
        tracing = context.tracing
        stop = _call(tracing.stop)
        self._replace(tracing, "start", self._noting("tracing", stop, tracing.start))
        stop = _call(browser.stop_tracing)
        start = self._noting("start_tracing", stop, browser.start_tracing)
        self._replace(browser, "start_tracing", start)
        self._replace(
            browser,
            "new_browser_cdp_session",
            self._noting_opened("new_browser_cdp_session", None, browser),
        )
        for name, event in {
            "launch": "disconnected",
            "launch_persistent_context": "close",
            "connect": "disconnected",
            "connect_over_cdp": "disconnected",
        }.items():
            self._replace(
                browser.browser_type, name, self._noting_opened(name, event, browser.browser_type)
            )
        for name in ("add_init_script", "expose_binding", "expose_function"):
            self._replace(context, name, self._noting_disposable(name, getattr(context, name)))
        if hasattr(context, "route_web_socket"):
            self._replace(context, "route_web_socket", self._staining("route_web_socket", context))

    async def undo(self, left: Left) -> str | None:
        """Take everything off again, and count it into `left`.

        Returns:
          None; or what could not be taken off, so that this browser should not be used on.

        Playwright's errors are the caller's; bounded by the caller. Undoing twice does nothing.
        """
        while self._listeners:
            shared, event, listener = self._listeners.pop()
            before = _count(shared, event)
            with contextlib.suppress(Exception):  # the run has removed it, or it was for once
                shared.remove_listener(event, listener)
                left["listener"] += before is None or before != _count(shared, event)
        while self._undo:
            name, undo = self._undo.popitem()
            # A run that has stopped its own trace leaves none to stop.
            with contextlib.suppress(*((Exception,) if _KINDS.get(name) == "trace" else ())):
                await undo()
                left[_KINDS.get(name, "setting")] += 1
        while self._disposables:
            name, disposable = self._disposables.pop()
            left[name] += 1
            await bridged(disposable.__aexit__)(None, None, None)
        while self._opened:
            opened, name = self._opened.popitem()
            with contextlib.suppress(Error):  # the run has detached it
                await bridged(opened.detach if name in _SESSIONS else opened.close)()
                left[_KINDS[name]] += 1
        stain, self._stain = self._stain, None
        return stain

    def _replace(self, shared: Any, name: str, method: Callable[..., Any]) -> None:
        setattr(shared, name, method)

    def _noting_listener(self, shared: Any, method: Callable[..., Any]) -> Callable[..., Any]:
        def note(event: str, f: Any) -> Any:
            self._listeners.append((shared, event, f))
            return method(event, f)

        return note

    def _noting(
        self, name: str, undo: Callable[[], Awaitable[object]], method: Callable[..., Any]
    ) -> Callable[..., Any]:
        def note(*args: Any, **kwargs: Any) -> Any:
            self._undo[name] = undo
            return method(*args, **kwargs)

        return note

    def _noting_disposable(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def note(*args: Any, **kwargs: Any) -> Any:
            disposable = await method(*args, **kwargs)
            if hasattr(disposable, "__aexit__"):
                self._disposables.append((_KINDS[name], disposable))
            else:  # Playwright before it could be undone
                self._stain = f"a run used {name} on the session `main`"
            return disposable

        return note

    def _noting_opened(self, name: str, event: str | None, shared: Any) -> Callable[..., Any]:
        method = getattr(shared, name)

        async def note(*args: Any, **kwargs: Any) -> Any:
            opened = await method(*args, **kwargs)
            self._opened[opened] = name
            if event is not None:
                opened.on(event, lambda *_: self._opened.pop(opened, None))
            return opened

        return note

    def _staining(self, name: str, context: Any) -> Callable[..., Any]:
        method = getattr(context, name)

        async def note(*args: Any, **kwargs: Any) -> Any:
            self._stain = f"a run used {name} on the session `main`"
            return await method(*args, **kwargs)

        return note


def _count(shared: Any, event: str) -> int | None:
    """How many listeners there are; None where Playwright does not tell: it has no public way."""
    listeners = getattr(getattr(shared, "_impl_obj", None), "listeners", None)
    return None if listeners is None else len(listeners(event))


def _sync(call: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def undo() -> None:
        call()

    return undo


def _call(method: Callable[..., Awaitable[object]], *args: Any) -> Callable[[], Awaitable[object]]:
    async def undo() -> None:
        await bridged(method)(*args)

    return undo
