"""The ways to people, against real servers on this machine: what arrives, and what is never shown."""

from __future__ import annotations

import base64
import json
import logging
import re
import runpy
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import pytest
import trio

from muxd.builtin._notifier_message import Message
from muxd.builtin._notifier_trouble import Trouble
from muxd.builtin._notifier_ways import NotSent, mask_of, ways_of
from muxd.builtin._notifier_webhook import signature
from muxd.config import NotifyConfig

ROOT = Path(__file__).parent.parent.parent
SECRET = "correct-horse-battery-staple"
TOKEN = "tok3n-that-nobody-may-see"
MESSAGE = Message(
    id="m1",
    type="trouble",
    at=1_704_067_200.0,
    host="farm",
    title="muxd on farm: prices failed ✗",
    text="<b>prices</b> failed",
    fresh=(Trouble(kind="failure", subject="prices", text="prices failed", since=0.0, run="r"),),
)


class Server:
    """Takes what is posted, and answers as it is told to."""

    def __init__(self):
        self.status, self.requests = 200, []
        self.refuses = None  # a key; what has something there is refused
        self.hangs = threading.Event()
        self.hangs.set()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                served.requests.append((self.path, dict(self.headers), body))
                served.hangs.wait(20)
                is_refused = served.refuses and json.loads(body)[served.refuses]
                self.send_response(500 if is_refused else served.status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@contextmanager
def listening():
    server = Server()
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.hangs.set()
        server.server.shutdown()
        thread.join()
        server.server.server_close()


@pytest.fixture
def server():
    with listening() as server:
        yield server


def only_way(**settings):
    (way,) = ways_of(attrs.asdict(NotifyConfig(**settings), recurse=False))
    return way


def webhook(server, path="/hook"):
    url = f"http://127.0.0.1:{server.port}{path}"
    return only_way(webhook=url, webhook_secret=SECRET)


@pytest.fixture
def recipe():
    """The check that the documentation has for receivers."""
    text = (ROOT / "docs" / "notifications.md").read_text("utf-8")
    codes = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (code,) = (code for code in codes if "def is_from_muxd" in code)
    return code


async def test_a_webhook_is_signed_as_documented(server, recipe, tmp_path):
    """The documented check accepts what arrives, and nothing that was changed, old, or signed else."""
    await webhook(server).send(MESSAGE)
    ((path, headers, body),) = server.requests
    (tmp_path / "recipe.py").write_text(recipe)
    check = runpy.run_path(str(tmp_path / "recipe.py"))["is_from_muxd"]
    header = headers["x-muxd-signature"]
    assert check(SECRET, header, body)
    assert not check("another", header, body)
    assert not check(SECRET, header, body + b" ")
    assert not check(SECRET, signature(SECRET, body, int(time.time()) - 301), body)
    later = header.replace(header[2:12], str(int(header[2:12]) + 60))
    assert not check(SECRET, later, body)
    for broken in ("", "t=1", "v1=x", "t=x,v1=y", "nonsense"):
        assert not check(SECRET, broken, body)
    told = json.loads(body)
    assert (path, headers["idempotency-key"], told["id"]) == ("/hook", "m1", "m1")
    assert headers["content-type"] == "application/json"
    assert told["title"] == MESSAGE.title
    assert told["fresh"][0]["since"] == "1970-01-01T00:00:00.000000Z"
    documented = re.search(
        r"```json\n(.*?)```", (ROOT / "docs/notifications.md").read_text(), re.DOTALL
    )
    example = json.loads(documented[1])
    assert set(example) == set(told)
    assert set(example["fresh"][0]) == set(told["fresh"][0])


@pytest.mark.parametrize(
    ("status", "again"), [(500, True), (503, True), (429, True), (404, False), (302, False)]
)
async def test_what_a_server_answers_decides_about_another_try(server, status, again):
    """What may be a passing trouble is tried again; a redirect is not followed."""
    server.status = status
    with pytest.raises(NotSent, match=f"the server answered {status}") as failed:
        await webhook(server).send(MESSAGE)
    assert failed.value.again is again
    assert len(server.requests) == 1


async def test_a_server_that_hangs_or_is_gone_is_a_failure_in_time(server, monkeypatch):
    """Each try has its bound; nobody there is told at once, without the URL."""
    monkeypatch.setattr("muxd.builtin._notifier_ways.BOUND", 0.3)
    server.hangs.clear()
    with pytest.raises(NotSent, match=r"longer than 0\.3 s"):
        await webhook(server).send(MESSAGE)
    monkeypatch.setattr("muxd.builtin._notifier_ways.BOUND", 30.0)
    with listening() as gone:
        way = webhook(gone, f"/{TOKEN}")
    with pytest.raises(NotSent) as failed:
        await way.send(MESSAGE)
    assert failed.value.again
    assert TOKEN not in str(failed.value)


async def test_apprise_sends(server):
    """A URL of apprise's gets title and text; its name shows the scheme and nothing else."""
    way = only_way(urls=[f"json://me:{TOKEN}@127.0.0.1:{server.port}/{TOKEN}"])
    assert way.name == "apprise 1 (json)"
    await way.send(MESSAGE)
    ((_, _, body),) = server.requests
    told = json.loads(body)
    assert (told["title"], told["type"]) == (MESSAGE.title, "failure")
    assert "prices" in told["message"]


async def test_files_go_with_news_where_they_can(server, tmp_path):
    """A service gets the files that are still there; one that takes none of them gets the words."""
    (tmp_path / "a 100% diff?.png").write_bytes(b"picture")
    files = (tmp_path / "a 100% diff?.png", tmp_path / "pruned.png")
    server.refuses = "attachments"
    way = only_way(urls=[f"json://127.0.0.1:{server.port}/"])
    message = attrs.evolve(MESSAGE, type="news", fresh=(), files=files)
    await way.send(message)
    with_files, without = (json.loads(body) for _, _, body in server.requests)
    (sent,) = with_files["attachments"]
    assert base64.b64decode(sent["base64"]) == b"picture"
    assert sent["filename"] == "a 100% diff?.png"
    assert without["message"] == with_files["message"] == message.text
    assert not without["attachments"]


async def test_no_secret_is_told_or_logged(server, caplog):
    """Not of a URL that fails, nor of one that works: not in errors, logs or messages."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.INFO)
    server.status = 500
    url = f"json://me:{TOKEN}@127.0.0.1:{server.port}/{TOKEN}?x={TOKEN}"
    ways = [
        only_way(urls=[url]),
        only_way(urls=[f"nosuch://{TOKEN}/x"]),
        webhook(server, f"/{TOKEN}"),
    ]
    for way in ways:
        with pytest.raises(NotSent) as failed:
            await way.send(MESSAGE)
        assert TOKEN not in str(failed.value) + way.name
    server.status = 200
    await ways[2].send(MESSAGE)
    ours = [r.getMessage() for r in caplog.records if r.name in ("apprise", "httpx", "muxd")]
    assert TOKEN not in "\n".join(ours)
    settings = attrs.asdict(NotifyConfig(urls=[url], webhook_secret=SECRET), recurse=False)
    assert TOKEN not in repr(NotifyConfig(urls=[url]))
    masked = mask_of(settings)(f"it said {TOKEN} and {SECRET}")
    assert masked == "it said *** and ***"


async def test_an_apprise_that_hangs_is_ended(server, monkeypatch):
    """It is ended, and who waits is told in time."""
    monkeypatch.setattr("muxd.builtin._notifier_ways.BOUND", 0.2)
    server.hangs.clear()
    way = only_way(urls=[f"json://127.0.0.1:{server.port}"])
    with trio.fail_after(15), pytest.raises(NotSent, match="longer than"):
        await way.send(MESSAGE)


async def test_the_desktop_is_told(tmp_path, monkeypatch):
    """`notify-send` gets the text as text, not as markup or options; without one that is said."""
    monkeypatch.setenv("PATH", str(tmp_path))
    way = only_way(desktop=True)
    with pytest.raises(NotSent, match="there is no notify-send") as failed:
        await way.send(MESSAGE)
    assert not failed.value.again
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nfor word; do echo "$word"; done > {tmp_path}/got\n')
    program.chmod(0o700)
    await way.send(attrs.evolve(MESSAGE, title="-x"))
    got = (tmp_path / "got").read_text().splitlines()
    assert got == [
        "--app-name=muxd",
        "--urgency=critical",
        "--",
        "-x",
        "&lt;b&gt;prices&lt;/b&gt; failed",
    ]
    program.write_text("#!/bin/sh\necho no bus >&2; exit 1\n")
    with pytest.raises(NotSent, match="notify-send failed: no bus"):
        await way.send(MESSAGE)


def test_a_webhook_without_a_secret_is_refused():
    """What is not signed is not sent: the message names the setting."""
    with pytest.raises(ValueError, match=r"notify\.webhook_secret"):
        only_way(webhook="https://example.org")
