"""An ASGI application on sockets: Hypercorn's protocols, with bounds, and who is at the other end."""

from __future__ import annotations

import pwd
import socket
import struct
from functools import partial
from typing import TYPE_CHECKING, Any, final

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["serve_app"]

HEAD_BOUND = 64 * 1024
"""The most a request's head may be, bytes."""
CONNECTIONS = 400
"""How many connections there may be at once; further ones wait. Who waits for a run, or follows events,
keeps one."""
SEND_BOUND = 20.0
"""How long a client may take to read what it is sent, before it is dropped, seconds."""
GRACE = 1.0
"""How long requests in progress may go on when it ends, seconds."""


@final
class _Patient(trio.abc.HalfCloseableStream):
    """A connection that gives up on a client that does not read."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream, self.socket = stream, stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(SEND_BOUND) as sending:
            await self._stream.send_all(data)
        if sending.cancelled_caught:
            await trio.aclose_forcefully(self._stream)
            raise trio.BrokenResourceError("the client does not read")

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def serve_app(
    app: ASGIApp,
    listeners: Sequence[socket.socket],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled.

    The application finds in its scope as ``muxd.by`` who asks, for people.

    Args:
      app: is called for each request.
      listeners: bound sockets; they are closed on leaving.
      task_status: told once they listen.
    """
    config = Config()
    config.accesslog = config.errorlog = None
    config.h11_max_incomplete_size = HEAD_BOUND
    config.include_server_header = False
    context = WorkerContext(None)
    limiter = trio.CapacityLimiter(CONNECTIONS)
    for listener in listeners:
        listener.listen(CONNECTIONS)
    accepting = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in listeners]
    async with trio.open_nursery() as connections:
        try:
            await trio.serve_listeners(
                partial(_converse, app, config, context, limiter),
                accepting,
                handler_nursery=connections,
                task_status=task_status,  # type: ignore[arg-type] # nobody looks at the listeners
            )
        finally:
            await context.terminated.set()
            connections.cancel_scope.deadline = trio.current_time() + GRACE


async def _converse(
    app: ASGIApp,
    config: Config,
    context: WorkerContext,
    limiter: trio.CapacityLimiter,
    stream: trio.SocketStream,
) -> None:
    by = _peer(stream.socket)

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "muxd.by": by}, receive, send)

    async with limiter:
        await TCPServer(ASGIWrapper(named), config, context, {}, _Patient(stream))  # type: ignore[arg-type] # it uses the methods of any stream, and the socket's names


def _peer(sock: Any) -> str:
    """Who is at the other end."""
    if sock.family != socket.AF_UNIX:
        try:
            return f"token from {sock.getpeername()[0]}"
        except OSError:
            return "token"
    size = struct.calcsize("3i")
    try:
        _pid, uid, _gid = struct.unpack(
            "3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        )
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
    except (OSError, AttributeError):  # gone already; a system without it
        return "a local user"
    return f"uid {uid} ({name})"
