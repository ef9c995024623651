"""The operations, in process: pages of runs, their files, the stream of events."""

from __future__ import annotations

import json
import math

import attrs
import httpx
import pytest
import trio
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from muxd.bus import Bus, Events
from muxd.control.api import OPERATIONS
from muxd.control.lasting import Lasting
from muxd.control.server import make_app
from muxd.control.stream import event_stream
from muxd.controlled import Controlled
from muxd.events import ResourcesFine
from muxd.record import Outcome, Record
from muxd.testing import MemoryStore


@attrs.define
class Fake:
    """A daemon with some runs."""

    store: MemoryStore
    files: dict
    state: str = "ok"
    bus: Bus = attrs.field(factory=Bus)
    paused: list = attrs.field(factory=list)
    layout = None
    page = Controlled.page

    def evidence(self, run_id):
        return self.files.get(run_id, {})

    async def wait_ended(self, run_id):
        await trio.sleep_forever()

    def pause(self, job, note, *, seconds, by):
        self.paused.append((job, note, seconds))

    def health(self):
        return {"state": self.state, "stuck": [], "ailing": []}

    def events(self, name):
        return Told(self.bus.subscribe(name))


class Told:
    def __init__(self, subscription):
        self.subscription = subscription

    def __enter__(self):
        return Events(self.subscription)

    def __exit__(self, *_):
        self.subscription.close()


@pytest.fixture
async def fake(tmp_path):
    """Five runs of two jobs; the last one has files."""
    store = MemoryStore()
    async with store.open():
        for n in range(5):
            await store.write(
                Record(
                    id=f"r{n}",
                    job="ab"[n % 2],
                    released_at=10.0 * n,
                    started_at=10.0 * n,
                    ended_at=10.0 * n + 5,
                    outcome=Outcome.failed if n == 4 else Outcome.ok,
                )
            )
        page = tmp_path / "page.html"
        page.write_text("<script>alert(1)</script>")
        picture = tmp_path / "screenshot.png"
        picture.write_bytes(b"png")
        yield Fake(store, {"r4": {"page.html": page, "screenshot.png": picture}})


def client(fake, routes=()):
    transport = httpx.ASGITransport(make_app(fake, routes), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://muxd")


async def test_runs_come_in_pages(fake):
    """Newest first, each once; filters hold on every page; the last page says so."""
    async with client(fake) as web:
        seen, query = [], {"limit": "2"}
        while True:
            told = (await web.get("/v1/runs", params=query)).json()
            seen.append([run["id"] for run in told["runs"]])
            if told["next"] is None:
                break
            query["before"] = told["next"]
        assert seen == [["r4", "r3"], ["r2", "r1"], ["r0"]]
        only = (await web.get("/v1/runs?job=a&outcome=ok&since=6&until=26")).json()
        assert [run["id"] for run in only["runs"]] == ["r2"]


@pytest.mark.parametrize("query", ["before=nobody", "outcome=good", "limit=0", "since=x", "jobs=a"])
async def test_a_wrong_question_about_runs_is_told(fake, query):
    """404 for a run that is not there, 422 for what can't be: never an empty page."""
    async with client(fake) as web:
        answer = await web.get(f"/v1/runs?{query}")
    assert answer.status_code == (404 if "before" in query else 422)
    assert answer.json()["error"]


async def test_what_a_page_left_is_never_shown_as_muxds_own(fake):
    """HTML is to be saved, not opened, and in a sandbox; a picture may be shown."""
    async with client(fake) as web:
        told = (await web.get("/v1/runs/r4")).json()
        assert [each["name"] for each in told["files"]] == ["page.html", "screenshot.png"]
        page = await web.get("/v1/runs/r4/files/page.html")
        assert page.headers["content-type"] == "application/octet-stream"
        assert page.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in page.headers["content-security-policy"]
        picture = await web.get("/v1/runs/r4/files/screenshot.png")
        assert picture.headers["content-type"] == "image/png"
        assert picture.headers["content-disposition"].startswith("inline")
        for missing in ("r4/files/nothing", "r0/files/page.html", "r9", "r9/files/page.html"):
            assert (await web.get(f"/v1/runs/{missing}")).status_code == 404


async def test_a_button_without_a_script_leads_on_to_a_page(fake):
    """A form that a browser posts is read as the JSON would be, and goes back to the page that it was
    on, never to another site's; what is refused is told in a page. Others get their JSON as ever."""
    told = fake.paused
    browser = {"Accept": "text/html,*/*;q=0.8", "Referer": "http://muxd/jobs?from=a"}
    async with client(fake) as web:

        async def press(path, data=None, **headers):
            return await web.post(path, data=data or {"note": ""}, headers=browser | headers)

        answer = await press("/v1/jobs/a/pause", {"seconds": "900", "note": "ä & b"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?from=a")
        assert told == [("a", "ä & b", 900.0)]
        answer = await press("/v1/jobs/a/pause", {"seconds": "", "note": ""})
        assert (answer.status_code, told[1:]) == (303, [("a", "by a person", None)])
        for elsewhere in ("http://evil.example/", "http://muxd//evil.example", "http://[", ""):
            answer = await press("/v1/jobs/a/pause", Referer=elsewhere)
            assert answer.headers["location"] == "/"
        for wrong in ({"seconds": "<b>soon"}, {"other": "1"}, {"note": "x" * 2000}):
            answer = await press("/v1/jobs/a/pause", wrong)
            assert (answer.status_code, answer.headers["content-type"][:9]) == (422, "text/html")
            assert "<b>" not in answer.text
            assert 'href="/jobs?from=a"' in answer.text
        as_ever = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"}
        answer = await web.post("/v1/jobs/a/pause", content='{"seconds": 1}', headers=as_ever)
        assert answer.json() == {"paused": ["a"]}


@pytest.mark.parametrize(
    ("state", "status"),
    [("ok", 200), ("ailing", 200), ("stuck", 503), ("starting", 503), ("draining", 503)],
)
async def test_healthz_is_red_when_muxd_is_stuck(fake, state, status):
    """What muxd mends itself is no reason to start it anew."""
    fake.state = state
    async with client(fake) as web:
        answer = await web.get("/healthz")
    assert (answer.status_code, answer.json()["state"]) == (status, state)


async def test_services_serve_beside_muxds_own(fake):
    """Their routes are there; they cannot take muxd's place, nor show a traceback: who looks at a page is
    told by one what is wrong."""

    async def page(_request):
        return PlainTextResponse("mine")

    async def broken(_request):
        raise ValueError("<b>oops")

    routes = [Route("/mine", page), Route("/v1/runs", page), Route("/broken", broken)]
    async with client(fake, routes) as web:
        assert (await web.get("/mine")).text == "mine"
        assert "runs" in (await web.get("/v1/runs")).json()
        answer = await web.get("/broken")
        assert (answer.status_code, answer.json()) == (
            500,
            {"error": "internal error: ValueError: <b>oops"},
        )
        people = {"accept": "text/html,*/*;q=0.8"}
        answer = await web.get("/broken", headers=people)
        assert (answer.status_code, answer.headers["content-type"]) == (
            500,
            "text/html; charset=utf-8",
        )
        assert "<h1>This page is not to be had</h1>" in answer.text
        assert "internal error: ValueError: &lt;b&gt;oops" in answer.text
        assert (await web.get("/nothing")).json() == {"error": "there is nothing of this name"}
        assert (await web.delete("/v1/runs")).status_code == 405


async def test_a_silent_stream_gives_signs_of_life(fake, autojump_clock):
    """Each event as it comes, and a comment at least every 25 s: else proxies take it for dead."""
    said, began = [], trio.current_time()
    lines = event_stream(fake, Lasting()).body_iterator
    async with trio.open_nursery() as nursery:

        async def later():
            await trio.sleep(60)
            fake.bus.publish(ResourcesFine(at=0.0))
            fake.bus.close()

        nursery.start_soon(later)
        said.extend(
            [(trio.current_time() - began, text.partition("\n")[0]) async for text in lines]
        )
    assert said == [
        (0.0, "retry: 1000"),
        (25.0, ": still here"),
        (50.0, ": still here"),
        (60.0, "event: resources_fine"),
    ]


async def test_who_does_not_keep_up_learns_what_is_missing(fake, autojump_clock):
    """An event in its place says how many."""
    lines = event_stream(fake, Lasting()).body_iterator
    assert await anext(lines) == "retry: 1000\n\n"
    for _ in range(1003):
        fake.bus.publish(ResourcesFine(at=0.0))
    told = await anext(lines)
    assert told.startswith("event: events_missing\n")
    assert json.loads(told.partition("data: ")[2])["count"] == 3
    await lines.aclose()


async def test_what_lasts_has_places_of_its_own(fake, monkeypatch, autojump_clock):
    """Who follows events or waits for a run keeps one; if there is none left it is 503, with what to do.
    Others are answered all the same. Whoever goes makes room."""
    monkeypatch.setattr(Lasting.__init__, "__defaults__", (2,))
    app, told = make_app(fake), []

    async def ask(path, goes_after):
        """One request, of somebody who goes then, seconds."""

        async def receive():
            await trio.sleep(goes_after)
            return {"type": "http.disconnect"}

        async def send(message):
            if "status" in message:
                told.append(message["status"])
            elif told[-1] == 503:
                told.append(json.loads(message["body"])["error"])

        path, _, query = path.partition("?")
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode()}
        await app(scope | {"headers": [], "root_path": ""}, receive, send)

    both = ("/v1/events", "/v1/runs/r1?wait=1")
    async with trio.open_nursery() as nursery:
        for path in both:
            nursery.start_soon(ask, path, 10)
        await trio.sleep(1)
        for path in (*both, "/healthz"):
            await ask(path, math.inf)
        assert told == [200, 503, told[2], 503, told[2], 200]
        assert "end some of them" in told[2]
    told.clear()
    for path in both * 2:
        await ask(path, 10)
    assert told == [200, 400] * 2  # of who has gone nobody reads the answer


def test_operations_have_names_of_their_own():
    """Clients are generated from them."""
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(names)
