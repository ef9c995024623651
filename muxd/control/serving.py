"""An ASGI application on sockets: Hypercorn's protocols, with bounds, and who is at the other end."""

from __future__ import annotations

import pwd
import socket
import struct
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, final

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from starlette.responses import Response

from muxd.performance import in_short, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["serve_app"]

HEAD_BOUND = 64 * 1024
"""The most a request's head may be, bytes."""
READ = 4 * 1024
"""The most that is read of a connection at once, bytes. How long a head is, h11 looks between two reads:
so it is told of a bound that is so much lower."""
CONNECTIONS = 400
"""How many connections there may be at once, of a socket or a port. Further ones wait in the system, where
they take none of the files that muxd may open. Half of these may last: `muxd.control.lasting`."""
IDLE = 5.0
"""How long a connection may be kept without a request, and the head of one may take to come, seconds."""
QUIET = 30.0
"""After how long a connection on which nothing is asked or answered is closed in any case, seconds:
Hypercorn forgets some, such as those with which it could not agree on a websocket."""
SEND_BOUND = 20.0
"""How long a client may take to read what it is sent, before it is dropped, seconds."""
GRACE = 1.0
"""How long requests in progress may go on when it ends, seconds."""


@final
class _Patient(trio.abc.HalfCloseableStream):
    """A connection that gives up on a client that does not read, or has nothing to ask."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream, self.socket = stream, stream.socket
        self._requests, self._idle_since = 0, trio.current_time()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """A request is answered while inside, however long that takes."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            self._idle_since = trio.current_time()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(SEND_BOUND) as sending:
            await self._stream.send_all(data)
        if sending.cancelled_caught:
            await trio.aclose_forcefully(self._stream)
            raise trio.BrokenResourceError("the client does not read")

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        while True:
            with trio.move_on_after(QUIET):
                return await self._stream.receive_some(READ)
            if not self._requests and trio.current_time() >= self._idle_since + QUIET:
                return b""

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


@final
class _Bounded(trio.abc.Listener[trio.SocketStream]):
    """Accepts a connection only when there is room for it. Whoever gets it makes room again."""

    def __init__(self, sock: socket.socket, room: trio.Semaphore) -> None:
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        self._room = room

    async def accept(self) -> trio.SocketStream:
        await self._room.acquire()
        try:
            return await self._listener.accept()
        except BaseException:
            self._room.release()
            raise

    async def aclose(self) -> None:
        await self._listener.aclose()


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
    config.h11_max_incomplete_size = HEAD_BOUND - READ
    config.keep_alive_timeout = IDLE
    config.include_server_header = False
    context = WorkerContext(None)
    room = trio.Semaphore(CONNECTIONS)
    for listener in listeners:
        listener.listen(CONNECTIONS)
    accepting = [_Bounded(each, room) for each in listeners]
    async with trio.open_nursery() as connections:
        try:
            await trio.serve_listeners(
                partial(_converse, app, config, context, room),
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
    room: trio.Semaphore,
    stream: trio.SocketStream,
) -> None:
    """Answer what is asked through one connection. Whatever goes wrong with it costs no other."""

    patient = _Patient(stream)

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        with patient.asked():
            await answered(scope, receive, send)

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("http_version") == "2":
            # Nobody needs it here; its many requests in a connection would go round all bounds.
            await Response(status_code=505)(scope, receive, send)
        elif scope["type"] == "websocket":  # neither are there any of these
            await send({"type": "websocket.close"})
        else:
            await app({**scope, "muxd.by": by}, receive, send)

    try:
        by = _peer(stream.socket)
        await TCPServer(ASGIWrapper(named), config, context, {}, patient)  # type: ignore[arg-type] # it uses the methods of any stream, and the socket's names
    except BaseException as error:
        # Of Hypercorn, which does not foresee all that can be sent; or an exit, of a plugin's route.
        own, cancelled = split(error)
        if own is not None:
            structlog.get_logger().debug("a connection is broken off", error=in_short(own))
        if cancelled is not None:
            raise cancelled from None
    finally:
        room.release()


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
