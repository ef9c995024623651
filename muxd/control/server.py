"""The daemon's end of the control socket: a Starlette application on Hypercorn's trio worker."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any, Protocol

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from muxd.control.path import short_path
from muxd.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from muxd.record import Record
    from muxd.release import Release

__all__ = ["Controlled", "serve_control"]

REQUEST_BOUND = 64 * 1024
"""The most a request's body may be, bytes."""


class Controlled(Protocol):
    """What the control socket can ask of the daemon."""

    def status(self) -> dict[str, Any]:
        """The daemon's state, for JSON."""

    async def request(self, job: str) -> Release:
        """Ask for a run now. Raises `UserError` when that can't be."""

    async def wait_ended(self, run_id: str) -> Record:
        """The record of a run, once it has ended."""

    def stop(self, *, at_once: bool) -> None:
        """Begin to stop; `at_once` also cuts the run in progress short."""


def make_app(daemon: Controlled) -> Starlette:
    """The application. Every answer is one JSON object; errors are ``{"error": message}``."""

    async def status(_request: Request) -> JSONResponse:
        return JSONResponse(daemon.status())

    async def run(request: Request) -> JSONResponse:
        release = await daemon.request(request.path_params["job"])
        if request.query_params.get("wait") == "1":
            return JSONResponse((await daemon.wait_ended(release.id)).as_dict())
        return JSONResponse({"id": release.id, "job": release.job.name}, status_code=202)

    async def stop(request: Request) -> JSONResponse:
        body = json.loads(await request.body() or b"{}")
        daemon.stop(at_once=body.get("at_once") is True)
        return JSONResponse({"stopping": True, "pid": os.getpid()}, status_code=202)

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=422)

    return Starlette(
        routes=[
            Route("/v1/status", status),
            Route("/v1/jobs/{job}/run", run, methods=["POST"]),
            Route("/v1/stop", stop, methods=["POST"]),
        ],
        exception_handlers={UserError: refused, ValueError: refused},
    )


async def serve_control(
    daemon: Controlled,
    path: Path,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; the socket is there when ``task_status.started()`` is called.

    To be called only by who holds the state directory's lock: a socket that is there is a dead
    daemon's and is replaced. The socket is removed on leaving.
    """
    path.unlink(missing_ok=True)  # noqa: ASYNC240 - one local call
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with short_path(path) as short:
            mask = os.umask(0o177)
            try:
                listener.bind(short)
            finally:
                os.umask(mask)
        try:
            config = Config()
            config.bind = [f"fd://{os.dup(listener.fileno())}"]
            config.accesslog = config.errorlog = None
            config.h11_max_incomplete_size = REQUEST_BOUND
            config.graceful_timeout = 1.0
            config.include_server_header = False
            async with trio.open_nursery() as nursery:
                await nursery.start(_serve, make_app(daemon), config)
                task_status.started()
        finally:
            path.unlink(missing_ok=True)  # noqa: ASYNC240


async def _serve(app: Starlette, config: Config, *, task_status: trio.TaskStatus[None]) -> None:
    await serve(app, config, shutdown_trigger=trio.sleep_forever, task_status=task_status)  # type: ignore[arg-type] # the frameworks' typings of ASGI differ
