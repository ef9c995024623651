"""Serves the page of a login, its pictures, and takes what a person does there.

What is typed goes to the browser, and nowhere else: no request is logged, and no error repeats it.
"""

from __future__ import annotations

import json
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, final

import trio
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from muxd.abc import Service
from muxd.builtin._takeover.stream import login_stream
from muxd.errors import UnknownRun, UserError
from muxd.logininput import read_actions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from muxd.abc import Controlled
    from muxd.builtin._takeover.stream import Login

__all__ = ["Takeover"]

BODY = 128 * 1024
"""The most that may be sent at once, bytes."""
LOOKERS = 20
"""How many pages may show a login at once: each keeps a connection."""
BODY_PATIENCE = 10.0
"""How long that may take to come, seconds."""
_KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


@final
class Takeover(Service):
    """The routes of logins."""

    name = "takeover"

    def __init__(self, daemon: Controlled) -> None:
        """For the logins of this daemon."""
        self._daemon = daemon
        self._files = {
            entry.name: entry.read_bytes()
            for entry in (files("muxd.builtin._takeover") / "static").iterdir()
        }

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The page, and what it needs."""
        page = partial(self._file, "login.html")
        return (
            Route("/login/{login}", page),
            Route("/login/{login}/stream", self._stream),
            Route("/login/{login}/do", self._do, methods=["POST"]),
            Route("/takeover/{name}", self._named),
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Nothing runs here: it answers."""
        task_status.started()
        await trio.sleep_forever()

    async def _file(self, name: str, _request: Request) -> Response:
        if name not in self._files:
            raise HTTPException(404)
        kind = _KINDS.get(name[name.rfind(".") :], "application/octet-stream")
        return Response(self._files[name], media_type=kind)

    async def _named(self, request: Request) -> Response:
        return await self._file(request.path_params["name"], request)

    async def _stream(self, request: Request) -> Response:
        login = self._login(request)
        if login.lookers >= LOOKERS:
            raise UserError(f"{LOOKERS} pages show this login already: close some of them")
        return login_stream(login)

    async def _do(self, request: Request) -> Response:
        self._login(request).do(read_actions(await _sent(request)))
        return Response(status_code=204)

    def _login(self, request: Request) -> Login:
        """The one that is asked for. What is raised here and there is answered as the API's errors are."""
        login = self._daemon.logins.get(request.path_params["login"])
        if login is None:
            raise UnknownRun("there is no such login, or it ended long ago")
        return login


async def _sent(request: Request) -> Any:
    """What was sent, as JSON. Raises `UserError`."""
    sent = bytearray()
    with trio.move_on_after(BODY_PATIENCE) as waiting:
        async for part in request.stream():
            sent += part
            if len(sent) > BODY:
                raise UserError(f"a request may have {BODY} bytes")
    if waiting.cancelled_caught:
        raise UserError(f"the request was not sent within {BODY_PATIENCE:g} s")
    try:
        return json.loads(bytes(sent))
    except (ValueError, RecursionError):
        raise UserError("this is not JSON") from None
