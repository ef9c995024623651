"""A web site on loopback for tests: it shows what it is told to, and fails when it is told to.

It lives in threads of its own, so that it can be used in any kind of test.
"""

from __future__ import annotations

import contextlib
import json
import mimetypes
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, final
from urllib.parse import unquote, urlsplit

import attrs

from muxd.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Answer", "MuxdSite", "Request", "Site"]

ANYWHERE = "*"
CLOSE_BOUND = 10.0
"""How long the threads of a site may take to end, seconds."""


@attrs.frozen
class Request:
    """What a site was asked."""

    method: str
    path: str
    """Without the query, decoded."""
    query: str
    headers: Mapping[str, str]
    """With lower-case names."""
    body: bytes

    @property
    def cookies(self) -> str:
        """The header ``Cookie``; empty if there is none."""
        return self.headers.get("cookie", "")


@attrs.frozen
class Answer:
    """What a site answers."""

    body: str | bytes = b""
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)


Content: TypeAlias = (
    "str | bytes | Path | Answer | dict[str, Any] | list[Any] | Callable[[Request], Any]"
)
"""What can be at a path: text and bytes (their type by the path's suffix, else HTML), a file, what
becomes JSON, an `Answer`, or a function of the `Request` that gives one of these."""


@attrs.define
class _Fault:
    kind: str
    """``status``, ``hang`` or ``drop``."""
    status: int = 500
    times: int | None = None


@final
class Site:
    """A site that is up. Made by the fixture ``muxd_site``."""

    def __init__(self, pages: Mapping[str, Content] | Path | str = {}) -> None:  # noqa: B006 - it is read only
        """Bring it up on a free port.

        Args:
          pages: by path (``"/"``, ``"/prices"``), or the directory whose files they are.

        Raises:
          ValueError: a path does not begin with ``/``, or there is no such directory.
        """
        self.latency = 0.0
        """How long each answer waits first, seconds."""
        self.requests: list[Request] = []
        """All requests, oldest first."""
        self._folder: Path | None = None
        self._pages: dict[str, Content] = {}
        self._faults: dict[str, _Fault] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        if isinstance(pages, (str, Path)):
            self._folder = Path(pages).resolve()
            if not self._folder.is_dir():
                raise ValueError(
                    f"there is no directory {str(pages)!r}: give one, or a dict of paths"
                )
        else:
            for path, content in pages.items():
                self[path] = content
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="muxd_site", daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        """Where it is, without a slash at its end."""

    def __setitem__(self, path: str, content: Content) -> None:
        """Show this at a path from now on."""
        self._pages[_checked(path)] = content

    def __delitem__(self, path: str) -> None:
        """Have nothing at a path from now on. Raises KeyError: there was nothing."""
        del self._pages[path]

    @property
    def seen(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(request.path for request in list(self.requests))

    def fail(self, path: str = ANYWHERE, status: int = 500, *, times: int | None = None) -> None:
        """Answer a path (by default every one) with an error, so many times or until `mend`."""
        self._break(path, _Fault("status", status, times))

    def hang(self, path: str = ANYWHERE, *, times: int | None = None) -> None:
        """Take requests and never answer."""
        self._break(path, _Fault("hang", times=times))

    def drop(self, path: str = ANYWHERE, *, times: int | None = None) -> None:
        """Close the connection instead of an answer, as a server does that is down."""
        self._break(path, _Fault("drop", times=times))

    def mend(self, path: str | None = None) -> None:
        """End the failure of a path, or all failures."""
        with self._lock:
            if path is None:
                self._faults.clear()
            else:
                self._faults.pop(path, None)

    def close(self) -> None:
        """Take it down. Requests that hang end."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(CLOSE_BOUND)

    def _break(self, path: str, fault: _Fault) -> None:
        if fault.times is not None and fault.times < 1:
            raise ValueError(f"times={fault.times} is not possible: give 1 or more, or None")
        with self._lock:
            self._faults[path if path == ANYWHERE else _checked(path)] = fault

    def _fault_of(self, path: str) -> _Fault | None:
        with self._lock:
            for key in (path, ANYWHERE):
                fault = self._faults.get(key)
                if fault is None:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        del self._faults[key]
                return fault
        return None

    def answer(self, request: Request) -> Answer | None:
        """What it answers; None: nothing, and the connection is closed. May block."""
        fault = self._fault_of(request.path)
        self.requests.append(request)  # who sees it here knows that its failure is used up
        if self.latency > 0:
            self._closing.wait(self.latency)
        if fault is not None and fault.kind == "status":
            return Answer(f"<h1>{fault.status}</h1>", fault.status, {"content-type": "text/html"})
        if fault is not None:
            if fault.kind == "hang":
                self._closing.wait()
            return None
        try:
            found = self._found(request)
            return attrs.evolve(found, body=_encoded(found.body))
        except Exception as error:  # of a function of the test's
            return Answer(f"{type(error).__name__}: {error}", 500, {"content-type": "text/plain"})

    def _found(self, request: Request) -> Answer:
        path = request.path
        content = self._pages.get(path)
        if content is None and self._folder is not None:
            content = _file_in(self._folder, path)
        if content is None:
            hint = did_you_mean(path, self._pages) if self._pages else ""
            return Answer(
                f"there is no {path}; {hint}".rstrip("; "), 404, {"content-type": "text/plain"}
            )
        return _answer_of(content, request)


def _checked(path: str) -> str:
    if not path.startswith("/") or "?" in path:
        raise ValueError(f"{path!r} is no path of a site: it begins with / and has no query")
    return path


def _file_in(folder: Path, path: str) -> Path | None:
    file = (folder / path.lstrip("/")).resolve()
    if not file.is_relative_to(folder):
        return None
    for found in (file, file / "index.html", file.with_name(f"{file.name}.html")):
        if found.is_file():
            return found
    return None


def _answer_of(content: Any, request: Request) -> Answer:
    if callable(content):
        content = content(request)
    if isinstance(content, Answer):
        kind = _type_of(request.path)
        return attrs.evolve(content, headers={"content-type": kind, **_lower(content.headers)})
    if isinstance(content, Path):
        return Answer(content.read_bytes(), headers={"content-type": _type_of(content.name)})
    if isinstance(content, (dict, list)):
        return Answer(json.dumps(content), headers={"content-type": "application/json"})
    if isinstance(content, (str, bytes)):
        return Answer(content, headers={"content-type": _type_of(request.path)})
    raise TypeError(
        f"{request.path}: {content!r} is no content: give a text, bytes, a Path, a dict ..."
    )


def _encoded(body: str | bytes) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if not isinstance(body, bytes):
        raise TypeError(f"the body of an Answer is a text or bytes, not {body!r:.100}")
    return body


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _type_of(path: str) -> str:
    kind = mimetypes.guess_type(path)[0] or "text/html"
    is_text = kind.startswith("text/") or kind in ("application/json", "application/javascript")
    return f"{kind}; charset=utf-8" if is_text else kind


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        length = self.headers.get("content-length", "0")
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            query=parts.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)) if length.isdecimal() else b"",
        )
        answer = self.server.site.answer(request)
        self.close_connection = True
        if answer is None:
            return
        body = _encoded(answer.body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, site: Site) -> None:
        self.site = site
        self._open: dict[socket.socket, threading.Thread] = {}
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection: browsers keep some that they never use."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._guard:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Forget it."""
        with self._guard:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that has left before the answer is no news."""

    def server_close(self) -> None:
        """End the connections, and wait for their threads, within `CLOSE_BOUND` in all."""
        super().server_close()
        with self._guard:
            still = dict(self._open)
        for connection in still:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + CLOSE_BOUND
        for thread in still.values():
            thread.join(max(end - time.monotonic(), 0))


@final
class MuxdSite:
    """Makes sites: what the fixture ``muxd_site`` gives."""

    def __init__(self) -> None:
        self._sites: list[Site] = []

    def __call__(self, pages: Mapping[str, Content] | Path | str = {}) -> Site:  # noqa: B006 - it is read only
        """A new site: of pages by path, or of the files of a directory. See `Site`."""
        site = Site(pages)
        self._sites.append(site)
        return site

    @contextlib.contextmanager
    def closing(self) -> Iterator[MuxdSite]:
        """On leaving, all of its sites are taken down."""
        try:
            yield self
        finally:
            for site in self._sites:
                site.close()
