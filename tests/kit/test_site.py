"""``muxd_site``: it shows what it is told to, and fails as it is told to."""

from __future__ import annotations

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import pytest

from muxd.testing import Answer, Site

BOUND = 30.0


def ask(site, path="/", method="GET", body=None, headers=None):
    """The status, the headers (lower-case) and the body of one answer."""
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=BOUND)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, told, answer.read()
    finally:
        connection.close()


def test_pages_of_every_kind(muxd_site, tmp_path):
    """Text, bytes, files, JSON, answers and functions; each with the type that a browser wants."""
    (tmp_path / "terms.txt").write_text("all of them")
    site = muxd_site(
        {
            "/": "<h1>tea</h1>",
            "/style.css": "h1 {color: red}",
            "/photo.png": b"\x89PNG",
            "/terms": tmp_path / "terms.txt",
            "/api": {"price": 2.4},
            "/gone": Answer("gone", 410, {"X-Why": "sold"}),
            "/echo": lambda request: f"{request.method} {request.query} {request.body.decode()}",
        }
    )
    assert ask(site)[0] == 200
    assert ask(site)[1]["content-type"] == "text/html; charset=utf-8"
    assert ask(site, "/style.css")[1]["content-type"] == "text/css; charset=utf-8"
    assert ask(site, "/photo.png")[1]["content-type"] == "image/png"
    assert ask(site, "/terms")[2] == b"all of them"
    status, headers, body = ask(site, "/api")
    assert (headers["content-type"], json.loads(body)) == ("application/json", {"price": 2.4})
    status, headers, body = ask(site, "/gone")
    assert (status, headers["x-why"], body) == (410, "sold", b"gone")
    assert ask(site, "/echo?a=1", "POST", "hello")[2] == b"POST a=1 hello"
    assert ask(site, "/", "HEAD")[2] == b""


def test_pages_change_and_requests_are_noted(muxd_site):
    """A page can be replaced or taken away, and the test sees what was asked for."""
    site = muxd_site({"/": "old"})
    site["/"] = "new"
    assert ask(site, "/?q=1", headers={"Cookie": "visitor=7"})[2] == b"new"
    del site["/"]
    status, _, body = ask(site)
    assert (status, body.decode().partition(";")[0]) == (404, "there is no /")
    assert site.seen == {"/": 2}
    first = site.requests[0]
    assert (first.method, first.path, first.query, first.cookies) == (
        "GET",
        "/",
        "q=1",
        "visitor=7",
    )


def test_a_directory(muxd_site, tmp_path):
    """The files of a directory, with its index; nothing of what is beside it."""
    (tmp_path / "secret.txt").write_text("no")
    folder = tmp_path / "site"
    (folder / "shop").mkdir(parents=True)
    (folder / "index.html").write_text("front")
    (folder / "shop" / "index.html").write_text("shop")
    (folder / "about.html").write_text("about")
    (folder / "link").symlink_to(tmp_path / "secret.txt")
    site = muxd_site(folder)
    told = [ask(site, path)[2] for path in ("/", "/shop", "/shop/", "/about", "/about.html")]
    assert told == [b"front", b"shop", b"shop", b"about", b"about"]
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/link", "/nothing"):
        assert ask(site, path)[0] == 404, path


def test_failures(muxd_site):
    """An error, a hang, a closed connection: of one path or all, a few times or until mended."""
    site = muxd_site({"/": "well", "/other": "well"})
    site.fail("/", 503, times=2)
    assert [ask(site)[0] for _ in range(3)] == [503, 503, 200]
    site.fail()
    assert [ask(site, path)[0] for path in ("/", "/other", "/nothing")] == [500] * 3
    site.mend()
    site.drop("/")
    for _ in range(2):
        with pytest.raises(http.client.RemoteDisconnected):
            ask(site)
    assert ask(site, "/other")[0] == 200
    site.mend("/")
    site.hang(times=1)

    def wait_for_ever():
        with pytest.raises(http.client.RemoteDisconnected):
            ask(site)

    hanging = threading.Thread(target=wait_for_ever)
    hanging.start()
    while site.seen["/"] < 7:
        time.sleep(0.01)
    assert ask(site)[0] == 200
    assert hanging.is_alive()
    site.close()
    hanging.join(BOUND)
    assert not hanging.is_alive()


def test_latency(muxd_site):
    """Every answer waits for as long as it is told to."""
    site = muxd_site({"/": "slow"})
    site.latency = 0.3
    begun = time.monotonic()
    assert ask(site)[2] == b"slow"
    assert time.monotonic() - begun >= 0.3


def test_a_site_ends_with_its_test():
    """Connections that a browser keeps open, and threads, are gone when it is closed."""
    before = set(threading.enumerate())
    site = Site({"/": "here"})
    kept = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=BOUND)
    kept.connect()
    site.close()
    assert set(threading.enumerate()) <= before
    kept.close()
    with pytest.raises(ConnectionRefusedError):
        ask(site)


def test_what_is_wrong_is_told(muxd_site, tmp_path):
    """A path without a slash, a directory that isn't there, a content that is none."""
    with pytest.raises(ValueError, match="'prices' is no path of a site: it begins with /"):
        muxd_site({"prices": "x"})
    with pytest.raises(ValueError, match=r"there is no directory '.*nowhere': give one, or a dict"):
        muxd_site(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="times=0 is not possible"):
        muxd_site().fail(times=0)
    site = muxd_site({"/": 5, "/broken": lambda _request: 1 / 0})
    assert ask(site)[::2] == (
        500,
        b"TypeError: /: 5 is no content: give a text, bytes, a Path, a dict ...",
    )
    assert ask(site, "/broken")[::2] == (500, b"ZeroDivisionError: division by zero")
    site["/half"], site["/none"] = "\ud83c", Answer(None)
    assert ask(site, "/half")[2].startswith(b"UnicodeEncodeError: ")
    assert ask(site, "/none")[2] == b"TypeError: the body of an Answer is a text or bytes, not None"
