"""`muxd notify test`: what arrives, and what is said when nothing does."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

SECRET = "tok3n-that-nobody-may-see"


@pytest.fixture
def posted():
    """What a server on this machine is sent: {path: body}; and its port."""
    got = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got[self.path] = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    got["port"] = server.server_address[1]
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_way_is_tried_and_said(muxd, write, posted):
    """One way works and one does not: both are named without their URLs; the exit code is 1."""
    here = f"127.0.0.1:{posted['port']}"
    write(
        "muxd.toml",
        f'''
        [notify]
        webhook = "http://{here}/{SECRET}"
        webhook_secret = "{SECRET}"
        urls = ["nosuch://{SECRET}/x"]
        ''',
    )
    done = muxd("notify", "test", "--json")
    assert done.exit_code == 1
    hook, nosuch = json.loads(done.stdout)["ways"]
    assert hook == {"way": "webhook", "error": None}
    assert nosuch == {
        "way": "apprise 1 (nosuch)",
        "error": "apprise does not understand this URL",
    }
    assert json.loads(posted[f"/{SECRET}"])["type"] == "test"
    assert SECRET not in done.stdout + done.stderr


def test_a_url_is_tried_before_it_is_configured(muxd, posted):
    """`--url` needs no configuration; what is no URL is a mistake, with exit code 2."""
    done = muxd("notify", "test", "--url", f"json://127.0.0.1:{posted['port']}/x")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "apprise 1 (json)" in done.stdout
    assert "a test" in json.loads(posted["/x"])["title"]
    wrong = muxd("notify", "test", "--url", SECRET)
    assert wrong.exit_code == 2
    assert SECRET not in wrong.stderr


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "nobody is told of anything"),
        ('[notify]\nwebhook = "https://example.org"', "notify.webhook needs"),
    ],
)
def test_what_is_missing_is_said(muxd, write, config, message):
    """Nothing configured, or a half: a mistake, with what to do."""
    write("muxd.toml", config)
    done = muxd("notify", "test")
    assert done.exit_code == 2
    assert message in done.stderr
