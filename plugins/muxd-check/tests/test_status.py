"""The status page: what it says of the records, on the dashboard and for everybody. No browser."""

from __future__ import annotations

import contextlib
import time

import attrs
import httpx
import muxd_check.service
import pytest
import structlog
import structlog.testing
import trio
import trio.testing
from muxd_check.drawing import sparkline, strip
from muxd_check.service import StatusPage
from muxd_check.settings import Budget, Flow
from muxd_check.steps import Step
from starlette.applications import Starlette

from muxd import Outcome, Record, Section
from muxd.abc import Controlled, PageLink
from muxd.events import RunEnded
from muxd.testing import MemoryStore

EVIL = "<script>alert(1)</script>"
STEPS = (Step(goto="https://inside.example/secret"),)
SHOP = Flow(name="shop", title="The shop", steps=STEPS, budget=Budget(lcp=2.0))
BLOG = Flow(name="blog", steps=STEPS)
HOUR = 3600.0


@attrs.define
class Daemon:
    """As much of one as the service asks."""

    store: MemoryStore
    rows_of: dict = attrs.field(factory=dict)
    flows: tuple = ()
    settings: dict = attrs.field(factory=dict)
    layout = None
    page = Controlled.page
    tell: trio.MemorySendChannel = None

    def configured(self, kind):
        """The flows, by job."""
        assert kind is Flow
        return {flow.name: flow for flow in self.flows}

    def section(self, plugin):
        """What is said beside the flows."""
        return Section(plugin, self.settings)

    def data(self, job):
        """What a job has saved."""
        return Rows(self.rows_of.get(job, []))

    @contextlib.contextmanager
    def events(self, name, *, only):
        """What `tell` is sent."""
        assert RunEnded in only
        self.tell, events = trio.open_memory_channel(10)
        with self.tell, events:
            yield events


@attrs.frozen
class Rows:
    """What a job has saved."""

    found: list

    async def rows(self, limit):
        """All of it."""
        return self.found


@pytest.fixture
async def daemon():
    store = MemoryStore()
    async with store.open():
        yield Daemon(store)


async def had(daemon, job, *outcomes, every=HOUR, error=None):
    """Runs of a job, oldest first, the last of them a minute ago."""
    for number, outcome in enumerate(reversed(outcomes)):
        at = time.time() - 60 - number * every
        record = Record(
            id=f"{job}-{1000 - number}",
            job=job,
            released_at=at - 2,
            started_at=at - 2,
            ended_at=at,
            outcome=outcome,
            error=error if outcome is Outcome.failed else None,
        )
        await daemon.store.write(record)


def service_of(daemon, *flows, **fields):
    daemon.flows, daemon.settings = flows, fields
    return StatusPage(daemon)


async def asked(service):
    transport = httpx.ASGITransport(Starlette(routes=service.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://muxd") as client:
        return (await client.get("/check")).text


async def test_up_down_and_how_long(daemon):
    """A failed check says that the site is down, and since when; a lost browser says nothing of it."""
    ok, failed = Outcome.ok, Outcome.failed
    await had(
        daemon, "shop", ok, ok, failed, Outcome.timed_out, Outcome.crashed, error=f"no {EVIL}"
    )
    await had(daemon, "blog", failed, ok, Outcome.interrupted)
    service = service_of(daemon, SHOP, BLOG, Flow(name="new", steps=STEPS))
    assert service.pages == [PageLink("Checks", "/check")]
    shop, blog, new = await service.standings()
    assert [each.word for each in (shop, blog, new)] == ["down", "up", "not checked yet"]
    assert shop.newest.outcome is Outcome.timed_out
    assert shop.since == pytest.approx(time.time() - 60 - 2 * HOUR, abs=30)
    assert shop.uptime == {"24 hours": 0.5, "7 days": 0.5, "30 days": 0.5}
    assert (blog.uptime["7 days"], new.uptime["7 days"]) == (0.5, None)
    page = await asked(service)
    assert "The shop is down" in page
    assert "<b>50 %</b> in 24 hours" in page
    assert 'href="/jobs/blog"' in page
    assert "style=" not in page


async def test_what_a_page_said_is_text(daemon):
    """A message may have anything in it, and runs nothing."""
    await had(daemon, "shop", Outcome.failed, error=f"no {EVIL}")
    page = await asked(service_of(daemon, SHOP))
    assert "no &lt;script&gt;" in page
    assert EVIL not in page


async def test_figures_and_their_lines(daemon):
    """The newest figures are told, those over the budget marked, with a line of the last ones."""
    await had(daemon, "shop", Outcome.ok)
    # As they are in the data file: the oldest is written over, so their order is not that of time.
    daemon.rows_of["shop"] = [
        {"place": n, "at": float(at), "good": True, "lcp": at / 10, "cls": 0.05, "requests": 7}
        for n, at in enumerate([30, 10, 20])
    ]
    [shop] = await service_of(daemon, SHOP).standings()
    assert shop.series("lcp") == [1.0, 2.0, 3.0]
    page = await asked(service_of(daemon, SHOP))
    assert '<span class="o-failed">3.00 s</span>' in page
    assert "<span>0.05</span>" in page
    assert page.count("<polyline") == 2
    assert "there is nothing" not in await asked(service_of(daemon, BLOG))


async def until(condition):
    """Wait until it is so: files are written in threads."""
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - of the file system there is no event
            await trio.sleep(0.01)


@pytest.fixture
def at_once(monkeypatch):
    """The file is written without a pause."""
    monkeypatch.setattr(muxd_check.service, "PAUSE", 0)


async def test_an_end_is_seen_at_once(daemon, at_once, tmp_path):
    """The page and the file are of now: both change when a run has ended, and the file tells nobody what
    is inside: no addresses, no messages."""
    file = tmp_path / "public" / "status.html"
    service = service_of(daemon, SHOP, BLOG, status_page=file, status_title="Our shop & co")
    await had(daemon, "shop", Outcome.ok)
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        await until(file.exists)
        assert "All is well" in file.read_text()
        assert "Our shop &amp; co" in file.read_text()
        assert "The shop is down" not in await asked(service)
        now = time.time()
        bad = Record(
            id="shop-2000",
            job="shop",
            released_at=now,
            started_at=now,
            ended_at=now,
            outcome=Outcome.failed,
            error="https://inside.example/secret says no",
        )
        await daemon.store.write(bad)
        await daemon.tell.send(
            RunEnded(at=now, record=attrs.evolve(bad, id="other-1", job="other"))
        )
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert "The shop is down" not in await asked(service), "what another job does is its own"
        await daemon.tell.send(RunEnded(at=now, record=bad))
        await until(lambda: "Down: The shop" in file.read_text())
        assert "inside.example" not in file.read_text()
        assert "The shop is down" in await asked(service)
        assert [path.name for path in file.parent.iterdir()] == ["status.html"]
        nursery.cancel_scope.cancel()


async def test_a_file_that_cant_be_written_harms_nothing(daemon, at_once, tmp_path):
    """It is told in the log, and tried again when the next run has ended."""
    taken = tmp_path / "taken"
    taken.write_text("a file, where a folder should be")
    service = service_of(daemon, SHOP, status_page=taken / "status.html")
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            await nursery.start(service.run)
            await until(lambda: logs)
            assert logs[0]["event"] == "the status page is not written"
            taken.unlink()
            await had(daemon, "shop", Outcome.ok)
            record = await daemon.store.get("shop-1000")
            await daemon.tell.send(RunEnded(at=time.time(), record=record))
            await until((taken / "status.html").exists)
            nursery.cancel_scope.cancel()


def test_drawings():
    """A line needs two values; a strip has a bar for each part, and shows the least that was bad."""
    assert sparkline([1.0], limit=None, label="x") == ""
    assert 'points="0.0,14.0 160.0,2.0"' in sparkline([1.0, 2.0], limit=None, label="x")
    assert "stroke-dasharray" in sparkline([0.0, 0.0], limit=2.0, label="x")
    drawn = strip([(0, 0), (3, 3), (2, 0), (1000, 999)], label='a "b"')
    assert drawn.count("<rect") == 5
    assert [drawn.count(f'class="{each}"') for each in ("unknown", "o-ok", "o-failed")] == [1, 2, 2]
    assert 'height="6"' in drawn
    assert "a &quot;b&quot;" in drawn
