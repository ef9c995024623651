"""A site on loopback, with every kind of page and server that a job should not meet.

It runs in a process of its own, so that it misbehaves on its own account only. Also used by
``contrib/soak.py``.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import subprocess
import sys
import zlib
from functools import partial
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = {
    "/": "<h1>hello</h1><a href=/second>second</a>",
    "/second": "<h1>second</h1>",
    "/loop": "<h1>loop</h1><script>setTimeout(() => {while (true) {}}, 50)</script>",
    "/unload-loop": "<h1>stay</h1><input><script>"
    "addEventListener('beforeunload', () => {while (true) {}})</script>",
    "/unload": "<h1>stay</h1><input><script>"
    "addEventListener('beforeunload', e => {e.preventDefault(); e.returnValue = 'no'})</script>",
    "/refresh": "<meta http-equiv=refresh content=0><h1>again</h1>",
    "/relocate": "<h1>again</h1><script>location.href = '/relocate?' + Math.random()</script>",
    "/worker": "<h1>worker</h1><script>navigator.serviceWorker.register('/worker.js')"
    ".then(() => navigator.serviceWorker.ready).then(() => document.title = 'ready')</script>",
    "/choose": "<input type=file><script>document.title = 'choose'</script>",
    "/frames": "<h1>frames</h1><script>"
    "const depth = Number(new URLSearchParams(location.search).get('d') || 0);"
    "if (depth < 9) for (let i = 0; i < 3; i++) {const f = document.createElement('iframe');"
    "f.src = '/frames?d=' + (depth + 1) + '&i=' + i + '&' + Math.random();"
    "document.body.append(f)}</script>",
}
WORKER = """
addEventListener('install', () => skipWaiting());
addEventListener('activate', e => e.waitUntil(clients.claim()));
addEventListener('fetch', e => e.respondWith(
    e.request.url.includes('/for-ever') ? new Promise(() => {}) : fetch(e.request)));
setInterval(() => 0, 10);
"""
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj
trailer<</Root 1 0 R>>
"""
FLOOD = 500 * 1024 * 1024
"""Bytes that ``/flood`` sends."""


def _head(status: str = "200 OK", *lines: str) -> bytes:
    all_lines = [f"HTTP/1.1 {status}", "Connection: close", *lines]
    return ("\r\n".join(all_lines) + "\r\n\r\n").encode()


HTML = "Content-Type: text/html"


async def never(stream, path):
    await trio.sleep_forever()


async def drip(stream, path):
    await stream.send_all(_head("200 OK", HTML) + b"<h1>drip")
    while True:
        await trio.sleep(1)
        await stream.send_all(b".")


async def reset(stream, path):
    linger = struct.pack("ii", 1, 0)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def cut(stream, path):
    await stream.send_all(_head("200 OK", HTML, "Content-Length: 1000000") + b"<h1>cut")


async def flood(stream, path):
    await stream.send_all(_head("200 OK", HTML, f"Content-Length: {FLOOD}"))
    chunk = b"<p>flood</p>\n" * 80_000
    sent = 0
    while sent < FLOOD:
        await stream.send_all(chunk[: FLOOD - sent])
        sent += len(chunk)


async def bomb(stream, path):
    """Half a megabyte that becomes 500."""
    await stream.send_all(_head("200 OK", HTML, "Content-Encoding: gzip"))
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = b"<p>bomb</p>\n" * 80_000
    for _ in range(FLOOD // len(chunk)):
        await stream.send_all(packer.compress(chunk))
        await trio.lowlevel.checkpoint()
    await stream.send_all(packer.flush())


async def redirect(stream, path):
    number = int(path.partition("?")[2] or 0)
    await stream.send_all(_head("302 Found", f"Location: /redirect?{number + 1}"))


async def not_tls(stream, path):
    await stream.send_all(b"this is no TLS\r\n")


async def download(stream, path):
    lines = (
        "Content-Disposition: attachment; filename=big.bin",
        "Content-Type: application/octet-stream",
        "Content-Length: 1000000",
    )
    await stream.send_all(_head("200 OK", *lines) + b"x" * 4096)
    await trio.sleep_forever()


async def auth(stream, path):
    await stream.send_all(
        _head("401 Unauthorized", 'WWW-Authenticate: Basic realm="none"', HTML) + b"who are you?"
    )


async def pdf(stream, path):
    await stream.send_all(_head("200 OK", "Content-Type: application/pdf") + PDF)


async def worker(stream, path):
    head = _head("200 OK", "Content-Type: text/javascript", "Service-Worker-Allowed: /")
    await stream.send_all(head + WORKER.encode())


async def cookie(stream, path):
    await stream.send_all(_head("200 OK", HTML, "Set-Cookie: visitor=1; Max-Age=1000") + b"hi")


async def websocket(stream, path, key):
    """Opens, and talks for ever."""
    magic = key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(magic, usedforsecurity=False).digest()).decode()
    lines = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
    await stream.send_all(
        ("\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines]) + "\r\n\r\n").encode()
    )
    while True:
        await stream.send_all(b"\x81\x02hi")
        await trio.sleep(0.01)


async def page(stream, path):
    text = PAGES.get(path.partition("?")[0])
    if text is None:
        await stream.send_all(_head("404 Not Found", HTML) + b"not found")
    else:
        await stream.send_all(_head("200 OK", HTML) + text.encode())


ROUTES = {
    "/never": never,
    "/drip": drip,
    "/reset": reset,
    "/cut": cut,
    "/flood": flood,
    "/bomb": bomb,
    "/redirect": redirect,
    "/download": download,
    "/auth": auth,
    "/pdf": pdf,
    "/worker.js": worker,
    "/cookie": cookie,
}


async def _answer(stream: trio.SocketStream) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        if request[:1] == b"\x16":  # somebody begins to talk TLS
            await not_tls(stream, "")
            return
        some = await stream.receive_some()
        if not some:
            return
        request += some
    path = request.split(b" ", 2)[1].decode()
    if path == "/socket":
        key = next(
            line.partition(b":")[2].strip()
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        await websocket(stream, path, key)
    else:
        await ROUTES.get(path.partition("?")[0], page)(stream, path)


async def _serve(stream: trio.SocketStream) -> None:
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async with stream:
            await _answer(stream)


async def serve(tell: Callable[[str], object]) -> None:
    """Serve it on a free port of loopback, until cancelled; tell its address, without a slash."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, _serve, 0, host="127.0.0.1"))
        host, port = listeners[0].socket.getsockname()[:2]
        tell(f"http://{host}:{port}")


@contextlib.contextmanager
def open_site():
    """Serve it by a process of its own; gives its address. It ends with its standard input."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def main() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, lambda url: print(url, flush=True))  # noqa: T201
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
