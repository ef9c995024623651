"""The daemon's end of the control socket, and of the port of the dashboard."""

from __future__ import annotations

import json
import os
import socket
from contextlib import closing, contextmanager
from html import escape
from typing import TYPE_CHECKING

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match, Route

import muxd
from muxd.control.api import OPERATIONS
from muxd.control.door import Door
from muxd.control.lasting import Lasting
from muxd.control.openapi import openapi
from muxd.control.operation import Answer, failed
from muxd.control.path import short_path
from muxd.control.serving import serve_app
from muxd.errors import MuxdError
from muxd.forks import kept_from_forks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from muxd.controlled import Controlled

__all__ = ["listen_on_port", "make_app", "serve_control", "serve_web"]


def make_app(daemon: Controlled, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The application: the operations, their description, and what services serve.

    Args:
      daemon: which is asked.
      routes: what services serve; there may be more of them later.
    """

    async def describe(_request: Request) -> Response:
        return Answer(openapi(OPERATIONS, muxd.__version__))

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            answer = failed(error, request)
            return await _for_people(daemon, answer, request) if _is_page(request) else answer
        words = {404: "there is nothing of this name", 405: "this can't be done to it"}
        told = {"error": words.get(error.status_code, error.detail)}
        return Answer(told, status_code=error.status_code, headers=error.headers)

    lasting = Lasting()
    own = [operation.route(daemon, lasting) for operation in OPERATIONS]
    return Starlette(
        routes=[*own, Route("/openapi.json", describe), _Growing(routes)],
        # Of these those but the last are nothing that muxd's server should hear of, too.
        exception_handlers=dict.fromkeys(
            (HTTPException, ClientDisconnect, MuxdError, Exception), refused
        ),
    )


def _is_page(request: Request) -> bool:
    """Whether somebody looks at what a service serves."""
    accepts = request.headers.get("accept", "")
    return "muxd.route" in request.scope and request.method == "GET" and "text/html" in accepts


async def _for_people(daemon: Controlled, answer: Response, request: Request) -> Response:
    """What went wrong as a page, beside which the others can be reached."""
    try:
        words = json.loads(bytes(answer.body))["error"]
        whose = "/" + request.url.path.split("/")[1]
        return await daemon.page(
            "This page is not to be had",
            f'<p class="empty">{escape(words)}</p>',
            path=whose,
            status=answer.status_code,
        )
    except Exception:  # what is wrong may be wrong with all pages
        return answer


class _Growing(BaseRoute):
    """Routes of which there may be more later: services can be started while it is served."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The first that matches; one that would but for the method, if none does."""
        partly: tuple[Match, Scope] = Match.NONE, {}
        for route in [*self._routes]:
            match, more = route.matches(scope)
            if match is Match.FULL or (match is Match.PARTIAL and partly[0] is Match.NONE):
                found = match, {**more, "muxd.route": route}
                if match is Match.FULL:
                    return found
                partly = found
        return partly

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the one that matched answer."""
        await scope["muxd.route"].handle(scope, receive, send)


async def serve_control(
    daemon: Controlled,
    path: Path,
    *,
    routes: Sequence[BaseRoute] = (),
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve on a Unix socket until cancelled; it is there when ``task_status.started()`` is called.

    To be called only by who holds the state directory's lock: a socket that is there is a dead
    daemon's and is replaced. The socket is removed on leaving.
    """
    path.unlink(missing_ok=True)  # noqa: ASYNC240 - one local call
    with _socket_at(path) as listener:
        try:
            # Else commands could connect to a dead daemon as long as what a body has forked lives.
            with kept_from_forks(listener.fileno()):
                await serve_app(make_app(daemon, routes), [listener], task_status=task_status)
        finally:
            path.unlink(missing_ok=True)  # noqa: ASYNC240


@contextmanager
def _socket_at(path: Path) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        with short_path(path) as short:
            mask = os.umask(0o177)
            try:
                listener.bind(short)
            finally:
                os.umask(mask)
        yield listener


def listen_on_port(address: str, port: int) -> socket.socket:
    """A socket bound to an address of this machine; port 0: any that is free. Raises `OSError`."""
    family, kind, protocol, _, where = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
    except BaseException:
        listener.close()
        raise
    return listener


async def serve_web(
    daemon: Controlled,
    listener: socket.socket,
    token: str,
    *,
    hosts: Collection[str] = (),
    routes: Sequence[BaseRoute] = (),
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the same behind a token until cancelled.

    Args:
      daemon: which is asked.
      listener: bound; closed on leaving.
      token: opens the door.
      hosts: names of this muxd beside those of the machine itself.
      routes: what services serve.
      task_status: told once it listens.
    """
    door = Door(make_app(daemon, routes), token, port=listener.getsockname()[1], hosts=hosts)
    with listener, kept_from_forks(listener.fileno()):
        await serve_app(door, [listener], task_status=task_status)
