"""What tests with a real Chromium share: the browser that is found, a hostile little site."""

from __future__ import annotations

import contextlib
from functools import partial

import attrs
import h11
import pytest
import trio

import muxd
from muxd.browser.find import find_browser
from muxd.browser.generation import open_generation
from muxd.browser.launch import LaunchPlan
from muxd.browser.sessions import SessionFiles

from .lent import lent_browser


def pytest_collection_modifyitems(items):
    """Every test in this folder has a browser, and real time: it runs on trio as a guest."""
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


PAGES = {
    "/": "<h1>hello</h1><a href=/second>second</a>",
    "/second": "<h1>second</h1>",
    "/list": "<ul></ul><script>setTimeout(() => {for (let i = 0; i < 3; i++) "
    "document.querySelector('ul').innerHTML += `<li>item ${i}</li>`}, 50)</script>",
    "/loop": "<h1>loop</h1><script>setTimeout(() => {while (true) {}}, 50)</script>",
    "/unload": "<h1>unload</h1><input><script>"
    "addEventListener('beforeunload', e => {e.preventDefault(); e.returnValue = 'no'})</script>",
    "/storm": "<script>for (let i = 0; i < 12; i++) window.open('/second')</script><h1>storm</h1>",
    "/heavy": "<link rel=stylesheet href=/a.css><style>@font-face {font-family: F; src: url(/a.woff2)} "
    "p {font-family: F}</style><p>heavy</p><img src=/a.png><img src=data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7>"
    "<video src=/a.mp4 preload=auto></video><script src=/a.js></script>",
    "/alert": "<h1>alert</h1><script>setTimeout(() => alert('stay'), 10)</script>",
}


@attrs.frozen
class Site:
    """A site on loopback: `PAGES`, and paths that misbehave."""

    url: str
    seen: list


async def _answer(seen, stream):
    connection = h11.Connection(h11.SERVER)
    request = None
    while request is None or not isinstance(connection.their_state, type):
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)) or event is h11.PAUSED:
            break
    if request is None:
        return
    path = request.target.decode().partition("?")[0]
    cookie = dict(request.headers).get(b"cookie", b"").decode()
    seen.append((path, cookie))
    kind = b"text/javascript" if path.endswith(".js") else b"text/html"
    headers = [(b"content-type", kind), (b"connection", b"close")]

    async def send(status, body, extra=()):
        await stream.send_all(
            connection.send(h11.Response(status_code=status, headers=[*headers, *extra]))
        )
        await stream.send_all(connection.send(h11.Data(data=body)))

    if path == "/never":
        await trio.sleep_forever()
    elif path == "/drip":
        await send(200, b"<h1>drip")
        while True:
            await trio.sleep(0.1)
            await stream.send_all(connection.send(h11.Data(data=b".")))
    elif path == "/download":
        extra = [(b"content-disposition", b"attachment; filename=big.bin")]
        await send(200, b"x", extra)
        await trio.sleep_forever()
    elif path == "/cookie":
        extra = [(b"set-cookie", b"visitor=1; Max-Age=100000")]
        await send(200, f"<p>{cookie}</p>".encode(), extra)
    else:
        await send(200 if path in PAGES else 404, PAGES.get(path, "not found").encode())
    await stream.send_all(connection.send(h11.EndOfMessage()))


async def _serve(seen, stream):
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async with stream:
            await _answer(seen, stream)


@contextlib.asynccontextmanager
async def open_site():
    seen = []
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            partial(trio.serve_tcp, partial(_serve, seen), 0, host="127.0.0.1")
        )
        port = listeners[0].socket.getsockname()[1]
        yield Site(f"http://127.0.0.1:{port}", seen)
        nursery.cancel_scope.cancel()


@pytest.fixture(scope="module")
def found(request):
    """The browser of a module's tests: the one that people have, unless the module has an `ENGINE`.

    The headless shell needs half the processor time: it is for what is the same in all engines.
    """
    return find_browser(engine=getattr(request.module, "ENGINE", "chromium"))


@pytest.fixture
def plan(found, tmp_path):
    """How the browser of a test is started: on a profile of its own."""
    return LaunchPlan(found=found, profile=tmp_path / "profile")


@pytest.fixture
def sessions(tmp_path):
    return SessionFiles(tmp_path / "sessions")


@pytest.fixture(scope="module")
def lent(found, tmp_path_factory):
    """As `browse`, on a browser that all tests of the module share as long as it lives."""
    folder = tmp_path_factory.mktemp("lent")
    plan = LaunchPlan(found=found, profile=folder / "profile")
    with lent_browser(plan, SessionFiles(folder / "sessions"), open_site) as ask:
        yield ask


@pytest.fixture
def browse(plan, sessions):
    """Run an async test function with (generation, site) in real time, bounded, on a new browser."""

    def browse(test):
        async def main():
            with trio.fail_after(60):
                async with open_site() as site, open_generation(1, plan, sessions) as life:
                    await test(life, site)

        muxd.run(main)

    return browse
