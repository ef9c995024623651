"""The daemon's end of the control socket: a Starlette application on Hypercorn's trio worker."""

from __future__ import annotations

import json
import os
import socket
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from muxd.control.path import short_path
from muxd.errors import MuxdError, UnknownJob, UserError
from muxd.forks import kept_from_forks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from starlette.requests import Request

    from muxd.record import Record
    from muxd.release import Release

__all__ = ["Controlled", "serve_control"]

UPCOMING, PAGE, MOST = 10, 100, 1_000
"""How many of the next releases, and of the jobs, are told if nobody says, and at most."""
REQUEST_BOUND = 64 * 1024
"""The most a request's body may be, bytes."""


class Controlled(Protocol):
    """What the control socket can ask of the daemon."""

    @property
    def grace(self) -> float:
        """How long the run in progress may go on after a stop was asked for, seconds."""

    def status(self, *, upcoming: int) -> dict[str, Any]:
        """The daemon's state, for JSON, with so many of the next releases."""

    def jobs(self, *, after: str, limit: int) -> dict[str, Any]:
        """So many jobs by name from the first after this one on, for JSON."""

    async def request(self, job: str) -> Release:
        """Ask for a run now. Raises `UserError` when that can't be."""

    def pause(self, job: str, note: str, *, seconds: float | None) -> None:
        """Pause a job. Raises `UnknownJob`."""

    def resume(self, job: str | None) -> Sequence[str]:
        """End the pause of a job, or of all; those that were paused. Raises `UnknownJob`."""

    async def wait_ended(self, run_id: str) -> Record:
        """The record of a run, once it has ended. Raises KeyError if it can't be found."""

    def stop(self, *, at_once: bool) -> None:
        """Begin to stop; `at_once` also cuts the run in progress short."""


class _Answer(JSONResponse):
    """In ASCII: half of a surrogate pair, of a page or a file's name, is no UTF-8."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False).encode()


def make_app(daemon: Controlled) -> Starlette:
    """The application. Every answer is one JSON object; errors are ``{"error": message}``.

    404: there is no such job, and ``known`` has those that there are. 422: the request can't be
    granted, or is none. 500: muxd failed.
    """

    async def status(request: Request) -> JSONResponse:
        return _Answer(daemon.status(upcoming=_count(request, "next", 0, UPCOMING)))

    async def jobs(request: Request) -> JSONResponse:
        after = request.query_params.get("after", "")
        return _Answer(daemon.jobs(after=after, limit=_count(request, "limit", 1, PAGE)))

    async def run(request: Request) -> JSONResponse:
        release = await daemon.request(request.path_params["job"])
        if request.query_params.get("wait") != "1":
            return _Answer({"id": release.id, "job": release.job.name}, status_code=202)
        try:
            record = await daemon.wait_ended(release.id)
        except KeyError:
            message = f"run {release.id} of job {release.job.name!r} is not in the ledger"
            raise MuxdError(message) from None
        return _Answer(record.as_dict())

    async def pause(request: Request) -> JSONResponse:
        body, job = await _object(request), request.path_params["job"]
        note, seconds = body.get("note", ""), body.get("seconds")
        if not isinstance(note, str) or not isinstance(seconds, (int, float, type(None))):
            raise UserError("give a note as a text, and seconds as a number")
        daemon.pause(job, note or "by a person", seconds=seconds)
        return _Answer({"paused": [job]})

    async def resume(request: Request) -> JSONResponse:
        return _Answer({"resumed": list(daemon.resume(request.path_params.get("job")))})

    async def stop(request: Request) -> JSONResponse:
        body = await _object(request)
        grace = daemon.grace
        daemon.stop(at_once=body.get("at_once") is True)
        return _Answer({"stopping": True, "pid": os.getpid(), "grace": grace}, status_code=202)

    return Starlette(
        routes=[
            Route("/v1/status", _answering(status)),
            Route("/v1/jobs", _answering(jobs)),
            # `path`: whatever somebody takes for a job's name, slashes too
            Route("/v1/jobs/{job:path}/run", _answering(run), methods=["POST"]),
            Route("/v1/jobs/{job:path}/pause", _answering(pause), methods=["POST"]),
            Route("/v1/jobs/{job:path}/resume", _answering(resume), methods=["POST"]),
            Route("/v1/resume", _answering(resume), methods=["POST"]),
            Route("/v1/stop", _answering(stop), methods=["POST"]),
        ],
    )


def _count(request: Request, name: str, least: int, default: int) -> int:
    """A number of the query. Raises `UserError` unless it is one from `least` to `MOST`."""
    text = request.query_params.get(name, str(default))
    count = int(text) if text.isascii() and text.isdigit() else -1
    if not least <= count <= MOST:
        raise UserError(f"{name}={text} is not possible: give a number from {least} to {MOST}")
    return count


async def _object(request: Request) -> dict[str, Any]:
    """What was sent. Raises `UserError` unless it is a JSON object, or nothing."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise UserError(f"this is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UserError("give a JSON object")
    return body


def _answering(
    endpoint: Callable[[Request], Awaitable[JSONResponse]],
) -> Callable[[Request], Awaitable[JSONResponse]]:
    """The endpoint, with every error as an answer: one mistake of muxd's costs one request."""

    @wraps(endpoint)
    async def answer(request: Request) -> JSONResponse:
        try:
            return await endpoint(request)
        except UnknownJob as error:
            return _Answer({"error": str(error), "known": list(error.known)}, status_code=404)
        except UserError as error:
            return _Answer({"error": str(error)}, status_code=422)
        except MuxdError as error:
            return _Answer({"error": str(error)}, status_code=500)
        except Exception as error:
            structlog.get_logger().exception("a request failed", path=request.url.path)
            text = f"internal error: {type(error).__name__}: {error}"
            return _Answer({"error": text}, status_code=500)

    return answer


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
            served = os.dup(listener.fileno())
            config.bind = [f"fd://{served}"]
            config.accesslog = config.errorlog = None
            config.h11_max_incomplete_size = REQUEST_BOUND
            config.graceful_timeout = 1.0
            config.include_server_header = False
            # Else commands could connect to a dead daemon as long as what a body has forked lives.
            with kept_from_forks(listener.fileno(), served):
                async with trio.open_nursery() as nursery:
                    await nursery.start(_serve, make_app(daemon), config)
                    task_status.started()
        finally:
            path.unlink(missing_ok=True)  # noqa: ASYNC240


async def _serve(app: Starlette, config: Config, *, task_status: trio.TaskStatus[None]) -> None:
    await serve(app, config, shutdown_trigger=trio.sleep_forever, task_status=task_status)  # type: ignore[arg-type] # the frameworks' typings of ASGI differ
