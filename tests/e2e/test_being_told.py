"""A real daemon is scraped, tells people what is wrong, and keeps its secrets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from muxd.builtin._notifier_webhook import signature

SECRET = "tok3n-that-nobody-may-see"
JOBS = """
import logging
import muxd


@muxd.job(interval="60d", preferred_phase="30m", duration="2s")
async def prices(run):
    await run.page.set_content("<h1>no prices</h1>")
    logging.getLogger("shop").warning("no prices")
    raise LookupError("no prices")
"""


@pytest.fixture
def posted():
    """What a webhook gets, in order: (headers, body)."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield got, server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_daemon_is_scraped_and_tells_people(muxd_home, posted):
    """A failure is in `/metrics` and at the webhook; so is that muxd died and was started again."""
    home, (got, port) = muxd_home, posted
    home.write("jobs", JOBS)
    with home.config.open("a") as config:
        config.write(
            f'[notify]\nwebhook = "http://127.0.0.1:{port}/{SECRET}"\ngather = "0s"\nquiet = "0s"\n'
        )
    home.environ["MUXD_NOTIFY_WEBHOOK_SECRET"] = SECRET
    home.environ["MUXD_LOG_FORMAT"] = "json"
    home.start()
    home.call("run", "prices", code=1)
    home.wait(lambda: got, 20, "a message")
    headers, body = got[0]
    told = json.loads(body)
    assert told["type"] == "trouble"
    assert told["fresh"][0]["text"] == "prices failed: no prices"
    at = int(headers["x-muxd-signature"].partition(",")[0][2:])
    assert headers["x-muxd-signature"] == signature(SECRET, body, at)

    def scraped():
        text = httpx.get(home.told()["web"]["url"] + "metrics", timeout=30).text
        return text if 'muxd_notifications_total{result="sent"} 1.0' in text else None

    text = home.wait(scraped, 20, "the message to be counted")
    assert 'muxd_runs_total{job_name="prices",outcome="failed"} 1.0' in text
    assert "muxd_browsers_max 1.0" in text
    if shutil.which("promtool"):
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=text, text=True, timeout=60, check=False
        )
        assert done.returncode == 0

    os.kill(home.pid, signal.SIGKILL)
    home.wait(lambda: len(got) > 1, 60, "another message")
    told = json.loads(got[1][1])
    assert told["type"] == "notice"
    assert "started again" in told["title"]
    home.wait(lambda: home.running_state() == "running", 30, "the next daemon")
    home.call("stop")
    home.daemon.wait(30)
    output = home.output.read_text()
    assert SECRET not in output
    lines = [json.loads(line) for line in output.splitlines() if '"shop"' in line]
    assert [(line["event"], line["job"]) for line in lines] == [("no prices", "prices")]
    assert lines[0]["run"] == json.loads(body)["fresh"][0]["run"]
