"""The door of the dashboard: nobody gets in without the token, and no other site's page at all."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from muxd.control.door import Door, is_loopback

TOKEN = "t" * 43
PORT = 8377
HERE = f"http://127.0.0.1:{PORT}"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def say(request):
    return PlainTextResponse(f"{request.method} {request.url.path}")


async def styled(_request):
    return JSONResponse({}, headers={"Content-Security-Policy": "sandbox"})


def client(*, hosts=(), peer="127.0.0.1", base=HERE, **options):
    routes = [Route("/styled", styled), Route("/{path:path}", say, methods=["GET", "POST"])]
    door = Door(Starlette(routes=routes), TOKEN, port=PORT, hosts=hosts)
    transport = httpx.ASGITransport(door, client=(peer, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=base, **options)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN}é"},
        {"Cookie": f"muxd_{PORT}=wrong"},
        {"Cookie": f"muxd_8378={TOKEN}"},
        {"Cookie": f"muxd_{PORT}="},
    ],
)
async def test_without_the_token_nobody_gets_in(method, given):
    """401, with what to do; in a body for programs."""
    headers = {name: value.encode() for name, value in given.items()}
    async with client() as web:
        answer = await web.request(method, "/v1/status", headers=headers)
    assert answer.status_code == 401
    assert "muxd dashboard" in answer.json()["error"]


async def test_a_browser_without_the_token_is_told_how_to_get_one():
    """A page for people, that tells nothing about muxd."""
    async with client() as web:
        answer = await web.get("/", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 401
    assert "muxd dashboard" in answer.text


async def test_the_link_lets_in_once_and_then_the_cookie_does():
    """The token leaves the address, and goes into a cookie that no script reads and no site sends."""
    async with client() as web:
        first = await web.get("/", params={"token": TOKEN})
        assert first.status_code == 200
        (cookie,) = first.headers.get_list("set-cookie")
        assert cookie.startswith(f"muxd_{PORT}={TOKEN};")
        words = {word.strip().lower() for word in cookie.split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/"} <= words
        assert "secure" not in words
        assert re.search('content="0;url=/"', first.text)
        assert TOKEN not in first.text
        assert (await web.get("/")).text == "GET /"
        assert (await web.post("/v1/stop")).text == "POST /v1/stop"


async def test_the_token_in_an_address_opens_nothing_else():
    """Neither does a post take it from there, nor does a wrong one go in."""
    async with client() as web:
        assert (await web.post("/", params={"token": TOKEN})).status_code == 401
        assert (await web.get("/", params={"token": "x"})).status_code == 401


@pytest.mark.parametrize("path", ['/"><script>', "//evil.example", "/a b", "/%0d%0aSet-Cookie:x"])
async def test_the_way_in_goes_nowhere_else(path):
    """Whatever the address was, the page goes on to one of muxd's own."""
    async with client() as web:
        answer = await web.get(HERE + path, params={"token": TOKEN})
    (where,) = re.findall('content="0;url=([^"]*)"', answer.text)
    assert re.fullmatch(r"/[A-Za-z0-9_.-]?[A-Za-z0-9/_.-]*", where)
    assert "evil" not in where.partition("/")[0]
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8377",
        "127.0.0.1.evil.example",
        "",
        "10.0.0.1",
        "[::2]",
        "[",
        "@",
    ],
)
async def test_a_name_that_is_not_muxds_is_refused(host):
    """DNS rebinding: a page of that name is at this address, with the token's cookie or without."""
    async with client(headers=BEARER) as web:
        answer = await web.get("/", headers={"Host": host})
        assert (await web.get("/healthz", headers={"Host": host})).status_code == 403
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8377", "localhost:8377", "LOCALHOST", "[::1]:8377", "127.9.9.9"]
)
async def test_the_machines_own_names_are_muxds(host):
    """With any port: somebody may forward one."""
    async with client(headers=BEARER) as web:
        assert (await web.get("/", headers={"Host": host})).status_code == 200


async def test_a_proxys_name_can_be_given():
    """`web.hosts`: in any case, with its port or without, and its pages may ask."""
    async with client(headers=BEARER, hosts=["muxd.example.org"]) as web:
        for host in ("muxd.example.org", "MUXD.example.org:443"):
            origin = f"https://{host.lower()}"
            answer = await web.post("/x", headers={"Host": host, "Origin": origin})
            assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://localhost:8377"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_can_ask_nothing(headers):
    """Not even with the cookie that the browser would add; another port is another site."""
    async with client(headers=BEARER) as web:
        assert (await web.post("/v1/stop", headers=headers)).status_code == 403


async def test_muxds_own_page_can_ask():
    """A post from a page that came from here."""
    own = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    async with client(headers=BEARER) as web:
        assert (await web.post("/v1/stop", headers=own)).status_code == 200


async def test_what_is_open_is_so_on_this_machine_only():
    """`/healthz` and `/metrics` need the token from elsewhere, and through a proxy."""
    for path in ("/healthz", "/metrics"):
        async with client() as web:
            assert (await web.get(path)).status_code == 200
            assert (await web.get(path + "/x")).status_code == 401
            handed_on = {"X-Forwarded-For": "10.0.0.9"}
            assert (await web.get(path, headers=handed_on)).status_code == 401
        async with client(peer="10.0.0.9", base="http://10.0.0.1", hosts=["10.0.0.1"]) as web:
            assert (await web.get(path)).status_code == 401
            assert (await web.get(path, headers=BEARER)).status_code == 200
        async with client(base="https://muxd.example.org", hosts=["muxd.example.org"]) as web:
            assert (await web.get(path)).status_code == 401


async def test_every_answer_says_what_a_browser_may_do_with_it():
    """No script but muxd's, in no frame, kept by nobody; refusals too. An answer's own policy stays."""
    async with client() as web:
        for answer in (await web.get("/"), await web.get("/", headers=BEARER)):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "same-origin"
        own = await web.get("/styled", headers=BEARER)
        assert own.headers["content-security-policy"] == "sandbox"


async def test_over_tls_the_cookie_stays_there():
    """A proxy says that it is spoken to in TLS: the cookie is never sent without."""
    async with client() as web:
        answer = await web.get("/", params={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
    assert "; Secure" in answer.headers["set-cookie"]
    assert answer.headers["referrer-policy"] == "no-referrer"  # its address has the token


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False)],
)
def test_what_is_loopback(host, is_one):
    """All of 127.0.0.0/8, ::1 and localhost."""
    assert is_loopback(host) is is_one
