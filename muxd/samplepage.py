"""A page to measure with, served on loopback: pictures, fonts, styles and scripts, always the same."""

from __future__ import annotations

import contextlib
import random
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["open_sample_page"]

IMAGES, FONTS, SCRIPTS = 20, 2, 3
"""How many of each the page loads, beside one stylesheet."""
_WIDTH, _HEIGHT = 192, 144
_HTML = (
    "<!doctype html><title>muxd's sample page</title><link rel=stylesheet href=/style.css>"
    + "".join(f"<script src=/script-{i}.js></script>" for i in range(SCRIPTS))
    + "<h1>A sample page</h1><ul></ul>"
    + "".join(
        f"<p><img src=/image-{i}.png width={_WIDTH} height={_HEIGHT}>{'Lorem ipsum dolor. ' * 100}"
        for i in range(IMAGES)
    )
)
_STYLE = "".join(
    f"@font-face {{font-family: F{i}; src: url(/font-{i}.woff2)}} .f{i} {{font-family: F{i}}}"
    for i in range(FONTS)
) + "".join(f".c{i} {{color: #{i:06x}}}" for i in range(500))
_SCRIPT = (
    "addEventListener('DOMContentLoaded', () => {for (let i = 0; i < 300; i++) "
    "document.querySelector('ul').insertAdjacentHTML('beforeend', `<li class=f${i % 2}>item ${i}`)})"
)


@contextlib.contextmanager
def open_sample_page() -> Iterator[str]:
    """The page's URL, for as long as it is served, by threads of their own; nothing is cached.

    About 2 MB in 27 requests. What is no page of it is answered with 404.

    Raises:
      OSError: there is no port to be had.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="sample page", daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = _content(self.path)
        kind, body = found if found is not None else ("text/plain", b"not found")
        self.send_response(404 if found is None else 200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        with contextlib.suppress(OSError):  # the browser wants it no more
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _content(path: str) -> tuple[str, bytes] | None:
    """The type and the body of what is at `path`; None if there is nothing."""
    name, _, rest = path.lstrip("/").partition("-")
    number = rest.partition(".")[0]
    if not name:
        return "text/html", _HTML.encode()
    if name == "style.css":
        return "text/css", _STYLE.encode()
    if name == "script":
        return "text/javascript", (_SCRIPT + f"/* {'x' * 30_000} */").encode()
    noise = random.Random(number)
    if name == "image":
        return "image/png", _png(noise)
    if name == "font":
        return "font/woff2", noise.randbytes(60_000)
    return None


def _png(noise: random.Random) -> bytes:
    """A picture that can't be made smaller."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    rows = b"".join(b"\0" + noise.randbytes(3 * _WIDTH) for _ in range(_HEIGHT))
    head = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + chunk(b"IEND", b"")
    )
