"""The site as it is served: over a socket, without a browser."""

from __future__ import annotations

import socket

import httpx
import pytest
import trio
from muxd_demo.site import Site
from muxd_demo.site.server import SiteNotOpen
from muxd_demo.site.world import PASSWORD, USER

from muxd.abc import Service

PAGES = [
    "/", "/queue", "/inbox", "/followers", "/analytics", "/archive", "/trends", "/reports",
    "/outcomes", "/settings", "/posts/1",
]  # fmt: skip


@pytest.fixture
async def client(site):
    """A client that is not signed in."""
    async with httpx.AsyncClient(base_url=site.address, timeout=10) as client:
        yield client


@pytest.fixture
async def member(client):
    """The same, signed in."""
    answer = await client.post("/login", data={"email": USER, "password": PASSWORD, "next": "/"})
    assert answer.status_code == 303
    return client


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_sends_strangers_to_the_door_and_back(client, path):
    """Who isn't signed in gets the sign-in page, and after it the page that was asked for."""
    answer = await client.get(path + "?page=2")
    assert answer.status_code == 303
    form = await client.get(answer.headers["location"])
    assert form.status_code == 200
    assert f'name="next" value="{path}?page=2"' in form.text
    opened = await client.post(
        "/login",
        data={"email": USER, "password": PASSWORD, "next": path + "?page=2"},
        follow_redirects=True,
    )
    assert opened.status_code == 200
    assert opened.url.path == path


async def test_the_api_is_closed_to_strangers(client):
    """Without a session nothing of the account can be read or changed."""
    for path in ("/api/posts", "/api/queue", "/api/inbox", "/api/settings"):
        assert (await client.get(path)).status_code == 401
    assert (await client.post("/api/queue/publish", json={})).status_code == 401


async def test_the_news_is_open_to_all(client):
    """News needs no session, neither its page nor its list."""
    assert (await client.get("/news")).status_code == 200
    news = (await client.get("/api/news?limit=50")).json()
    assert len(news["items"]) == news["total"] == 20
    slug = news["items"][0]["slug"]
    assert (await client.get(f"/news/{slug}")).status_code == 200
    assert (await client.get(f"/api/news/{slug}")).json()["paragraphs"]
    assert (await client.get("/news/no-such-thing")).status_code == 404


async def test_a_wrong_password_gives_the_form_again(client):
    """A wrong password is refused with a message, and sets no cookie."""
    answer = await client.post("/login", data={"email": USER, "password": "guess"})
    assert answer.status_code == 401
    assert "go together" in answer.text
    assert not client.cookies


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil", "x"])
async def test_signing_in_never_leads_to_another_site(client, target):
    """Whatever is given as the next page, one stays on this site."""
    answer = await client.post("/login", data={"email": USER, "password": PASSWORD, "next": target})
    assert answer.headers["location"] == "/"


async def test_signing_out_ends_the_session(member):
    """After signing out the old cookie opens nothing."""
    cookies = dict(member.cookies)
    assert (await member.get("/queue")).status_code == 200
    assert (await member.post("/logout")).status_code == 303
    member.cookies.update(cookies)
    assert (await member.get("/queue")).status_code == 303


async def test_what_is_posted_appears(member):
    """A post is at once the first of the timeline and has an address of its own."""
    made = (await member.post("/api/posts", json={"topic": "birds", "text": "A wren!"})).json()
    first = (await member.get("/api/posts?limit=1")).json()["items"][0]
    assert (first["id"], first["text"]) == (made["id"], "A wren!")
    assert (await member.get(f"/posts/{made['id']}")).status_code == 200


async def test_the_queue_is_posted_one_by_one(member):
    """What is queued last is posted last; an empty queue is a 404."""
    await member.post("/api/queue", json={"topic": "maps", "text": "The last one"})
    waiting = (await member.get("/api/queue")).json()["total"]
    texts = [
        (await member.post("/api/queue/publish", json={})).json()["text"] for _ in range(waiting)
    ]
    assert texts[-1] == "The last one"
    assert (await member.post("/api/queue/publish", json={})).status_code == 404


async def test_pages_of_a_list_hold_each_item_once(member):
    """Walking a list by offset gives every item once."""
    total = (await member.get("/api/followers")).json()["total"]
    seen = []
    for offset in range(0, total, 12):
        page = (await member.get(f"/api/followers?offset={offset}&limit=12")).json()
        seen += [item["handle"] for item in page["items"]]
    assert len(seen) == len(set(seen)) >= 44


async def test_numbers_change_over_time(member):
    """The same question a moment later has another answer."""
    path = "/api/analytics?range=7d"
    before = (await member.get(path)).json()["totals"]["impressions"]
    await trio.sleep(0.2)
    assert (await member.get(path)).json()["totals"]["impressions"] > before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/posts", b"not json", 422),
        ("POST", "/api/posts", b"[]", 422),
        ("POST", "/api/posts", b'{"topic": "cats", "text": "x"}', 422),
        ("POST", "/api/posts", b'{"topic": "birds", "text": 7}', 422),
        ("POST", "/api/posts", b'"' + b"x" * 20_000 + b'"', 422),
        ("POST", "/api/settings", b'{"best_hour": "9"}', 422),
        ("POST", "/api/inbox/999999/replies", b'{"text": "x"}', 404),
        ("POST", "/api/outcomes/999999/confirm", b"{}", 404),
        ("GET", "/api/posts?offset=-1", None, 422),
        ("GET", "/api/posts?limit=99999999999999999999", None, 422),
        ("GET", "/api/analytics?range=1y", None, 422),
        ("GET", "/api/trends?sort=colour", None, 422),
        ("GET", "/api/posts/999999", None, 404),
        ("GET", "/posts/999999", None, 404),
        ("GET", "/assets/..%2Fapp.py", None, 404),
        ("GET", "/nowhere", None, 404),
    ],
)
async def test_what_makes_no_sense_is_refused(member, method, path, body, status):
    """Wrong input is the client's error, never the server's."""
    assert (await member.request(method, path, content=body)).status_code == status


async def test_every_asset_that_a_page_names_is_there(member):
    """Style, scripts and picture are served with types that a browser accepts."""
    page = (await member.get("/")).text
    for name, kind in (
        ("site.css", "text/css"),
        ("site.js", "text/javascript"),
        ("pages.js", "text/javascript"),
        ("perch.svg", "image/svg+xml"),
    ):
        assert f"/assets/{name}" in page
        answer = await member.get(f"/assets/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)


async def test_the_site_is_a_service():
    """It keeps the contract: started when it answers, until cancelled, then its port is free."""
    site = Site(port=0)
    assert isinstance(site, Service)
    with pytest.raises(SiteNotOpen, match="muxd-demo site"):
        _ = site.address
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(site.run)
            address = site.address
            assert (await _get(f"{address}/health")).text == "ok\n"
            nursery.cancel_scope.cancel()
    with pytest.raises(SiteNotOpen):
        _ = site.address
    with pytest.raises(httpx.ConnectError):
        await _get(address)


async def test_each_opening_is_a_new_world():
    """Served twice, the same site remembers nothing of the first time."""
    site = Site(port=0)
    for _ in range(2):
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                await nursery.start(site.run)
                assert len(site.world.posts()) == 24
                site.world.publish("birds", "Gone tomorrow.")
                nursery.cancel_scope.cancel()
        assert site.world is None


async def test_a_port_in_use_is_no_obstacle(nursery):
    """If the wished port is taken, another is found; if it is free, it is the one used."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        site = Site(port=port)
        await nursery.start(site.run)
        assert site.address != f"http://127.0.0.1:{port}"
        assert (await _get(f"{site.address}/health")).status_code == 200
    again = Site(port=port)
    await nursery.start(again.run)
    assert again.address == f"http://127.0.0.1:{port}"


async def test_the_environment_names_the_port(monkeypatch, nursery):
    """MUXD_DEMO_PORT is obeyed when the site opens, and a wrong value is refused by name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MUXD_DEMO_PORT", str(port))
    site = Site()
    await nursery.start(site.run)
    assert site.address == f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MUXD_DEMO_PORT", "eighty")
    with pytest.raises(ValueError, match="MUXD_DEMO_PORT is 'eighty'"):
        await Site().run()


async def _get(url):
    async with httpx.AsyncClient(timeout=10) as client:
        return await client.get(url)
