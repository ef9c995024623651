"""The API of a real daemon on a real port: what it says of itself is true, and who may ask is checked."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import JOBS, Muxd

ENDLESS = {"followEvents", "startLogin", "stop", "drain", "restart"}
"""What has no end, or would end what is tested."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A daemon with its dashboard, for the whole module."""
    home = Muxd(tmp_path_factory.mktemp("muxd"))
    home.write("jobs", JOBS)
    try:
        home.start()
        yield home
    finally:
        home.end()


@pytest.fixture(scope="module")
def link(home):
    """What `muxd dashboard` prints."""
    return urlsplit(home.call("dashboard").strip())


@pytest.fixture
def web(home, link):
    """A client that has the token."""
    token = home.call("dashboard", "--token").strip()
    assert link.query == f"token={token}"
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://{link.netloc}", headers=headers, timeout=20) as client:
        yield client


def ask(link, method, path, body=None, **headers):
    """One request by hand: the status, and what came with it."""
    connection = http.client.HTTPConnection(link.hostname, link.port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_who_may_ask(home, link, web):
    """Without the token 401, for another host's name 403, from another site's page 403; the two open
    paths are open, and the state directory keeps the token to its owner."""
    token = link.query.removeprefix("token=")
    assert (home.state / "token").stat().st_mode & 0o777 == 0o600
    assert ask(link, "GET", "/v1/status")[0] == 401
    assert ask(link, "GET", "/")[0] == 401
    bearer = {"Authorization": f"Bearer {token}"}
    assert ask(link, "GET", "/v1/status", **bearer)[0] == 200
    assert ask(link, "GET", "/v1/status", Host="evil.example", **bearer)[0] == 403
    status, told = ask(link, "POST", "/v1/stop", Origin="http://evil.example", **bearer)
    assert (status, "evil.example" in told["error"]) == (403, True)
    assert ask(link, "GET", "/healthz")[1]["state"] == "ok"
    assert web.get("/v1/status").json()["state"] == "running"  # nothing has stopped it


def test_files_of_runs_cannot_be_left(web):
    """No path leads out of a run's folder, and none to the token."""
    run = web.post("/v1/jobs/quick/run", params={"wait": "1"}).json()["id"]
    for path in ("../../token", "..%2f..%2ftoken", "%2e%2e/%2e%2e/token", "/etc/passwd", "."):
        assert web.get(f"/v1/runs/{run}/files/{path}").status_code == 404
        assert web.get(f"/v1/runs/../{path}").status_code == 404


def test_too_much_and_too_slow(link, web):
    """A large body is refused, a head without end too; who sends nothing more is dropped."""
    assert web.post("/v1/stop", content=b" " * 70_000).status_code == 413
    token = link.query.removeprefix("token=")
    with socket.create_connection((link.hostname, link.port), timeout=30) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        began = time.monotonic()
        assert slow.recv(4096) == b""  # closed
        assert time.monotonic() - began < 25
    with socket.create_connection((link.hostname, link.port), timeout=30) as large:
        head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        large.sendall(head.encode() + b"X: " + b"x" * 200_000)
        assert re.match(rb"HTTP/1.1 4\d\d ", large.recv(4096) or b"HTTP/1.1 400 ")


def test_what_happens_is_streamed(web):
    """Server-sent events: each with its name, and JSON; a run's are among them, in order."""
    seen = []
    with web.stream("GET", "/v1/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        run = web.post("/v1/jobs/fresh/run").json()["id"]
        for line in lines:
            if line.startswith("data: "):
                told = json.loads(line[6:])
                if told.get("record", {}).get("id") == run:
                    seen.append(told["event"])
                    if told["event"] == "run_ended":
                        break
    assert seen == ["run_released", "run_started", "run_ended"]


def test_the_api_is_what_it_says(home, link, web):
    """Whatever is asked, right or wrong, is answered as `/openapi.json` has it."""
    left_out = [word for name in sorted(ENDLESS) for word in ("--exclude-operation-id", name)]
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"http://{link.netloc}/openapi.json",
            "--header",
            f"Authorization: {web.headers['authorization']}",
            *left_out,
            "--max-examples=5",
            "--phases=coverage,fuzzing",
            "--generation-deterministic",
            "--request-timeout=30",
            "--no-color",
            "--exclude-checks=positive_data_acceptance",
        ],
        cwd=home.folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    assert web.get("/v1/status").json()["state"] == "running"
