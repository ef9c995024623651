"""Pages that are ready before their run: never a leak, never a second run, thrown away when stale."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter

import attrs
import pytest
import trio
from playwright.async_api import Page

from muxd.artifacts import Artifacts
from muxd.book import RunBook
from muxd.bridge import bridged
from muxd.browser import generation, ready
from muxd.bus import Bus
from muxd.errors import BrowserLost, SessionError
from muxd.evidence import Evidence
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.testing import MemoryStore
from muxd.workplace import Workplace

SPARED = Counter({"newCDPSession": 1, "send": 1, "detach": 1})
TRACED = Counter({"tracingStart": 1, "tracingStartChunk": 1, "tracingStarted": 1})
DROPPED = Counter({"tracingStop": 1, "tracingStopChunk": 1, "traceDiscarded": 1})
ASKED = Counter({"send": 1})


@attrs.frozen
class Wire:
    """What was said to Playwright's driver: one message each, by its method."""

    said: list = attrs.field(factory=list)

    def since(self):
        """What was said since the last time; which lines of Python made a call is not counted."""
        found = Counter(self.said)
        self.said.clear()
        del found["addStackToTracingNoReply"]
        return found


def listen(life):
    """Hear all that is said from now on."""
    connection = life._browser._impl_obj._connection
    send, wire = connection.send_message_to_server, Wire()

    def heard(owner, method, *rest):
        wire.said.append(method)
        return send(owner, method, *rest)

    connection.send_message_to_server = heard
    return wire


def is_clean(lease):
    return not any(lease.left.values()) and lease.errors == [] and lease.harms == []


def test_a_clean_run_of_main_says_six_words(lent, monkeypatch):
    """All else is said before its release. One up to its body, and it is closed by five."""
    monkeypatch.setattr("muxd.browser.leftovers.AGAIN", 20.0)  # a slow close is told again

    async def test(life, site):
        wire = listen(life)
        for _ in range(2):
            assert await life.prepare("main", trace=True)
            assert wire.since() == Counter({"newPage": 1}) + SPARED + TRACED
            async with life.lease("main") as lease:
                await life.trace(lease, pictures=False)
                assert wire.since() == ASKED
            assert wire.since() == Counter({"close": 1}) + DROPPED + ASKED
            assert is_clean(lease)

    lent(test)


def test_a_clean_run_of_fresh_says_eight_words(lent, monkeypatch):
    """Its context, too, is there before its release. It takes two more to close it."""
    monkeypatch.setattr("muxd.browser.leftovers.AGAIN", 20.0)

    async def test(life, site):
        wire = listen(life)
        for _ in range(2):
            assert await life.prepare("fresh", trace=True)
            assert wire.since() == Counter({"newContext": 1, "newPage": 1}) + SPARED + TRACED
            async with life.lease("fresh") as lease:
                await life.trace(lease, pictures=False)
                assert wire.since() == ASKED
            assert wire.since() == Counter({"close": 2, "dispose": 1}) + DROPPED + ASKED
            assert is_clean(lease)

    lent(test)


def test_a_whole_run_says_not_a_word_more(lent, tmp_path, monkeypatch):
    """What the runner does round a body, with evidence and a workplace as a daemon has them."""
    monkeypatch.setattr("muxd.browser.leftovers.AGAIN", 20.0)

    async def body(run):
        await trio.lowlevel.checkpoint()

    async def test(life, site):
        store, artifacts = MemoryStore(), Artifacts(tmp_path / "artifacts")
        async with store.open(), trio.open_nursery() as nursery:
            book = RunBook(store, Bus(), real_now=time.time)
            runner = Runner(
                book,
                nursery,
                real_now=time.time,
                evidence=Evidence(artifacts),
                workplace=Workplace(artifacts=artifacts),
            )
            wire = listen(life)
            for _ in range(2):
                assert await runner.prepare("main", life)
                assert wire.since() == Counter({"newPage": 1}) + SPARED + TRACED
                job = Job("job", body, interval="1h")
                record = await runner.run(await book.release(job, released_at=time.time()), life)
                assert record.outcome is Outcome.ok
                assert wire.since() == ASKED + Counter({"close": 1}) + DROPPED + ASKED
            nursery.cancel_scope.cancel()

    lent(test)


def test_what_is_ready_costs_nothing_more(lent):
    """Asked for again, nothing is said; it is there for as long as nobody needs it."""

    async def test(life, site):
        wire = listen(life)
        for session in ("fresh", "main"):
            assert await life.prepare(session, trace=True)
        wire.since()
        for session in ("fresh", "main"):
            assert await life.prepare(session, trace=True)
        assert wire.since() == Counter()

    lent(test)


def test_pictures_are_begun_for_the_run_that_wants_them(lent, tmp_path, monkeypatch):
    """The light trace makes way, and the run's evidence has the one that was asked for."""
    monkeypatch.setattr("muxd.browser.evidence.EVIDENCE_BOUND", 20.0)

    async def folder():
        return tmp_path

    async def test(life, site):
        wire = listen(life)
        await life.prepare("main", trace=True)
        async with life.lease("main") as lease:
            wire.since()
            await life.trace(lease, pictures=True)
            assert wire.since() == DROPPED + TRACED
            seen = await life.observe(lease, folder)
            assert seen.trace is not None
        await life.prepare("main", trace=True)
        async with life.lease("main") as lease:
            await life.trace(lease, pictures=False)
            assert (await life.observe(lease, folder)).trace is not None

    lent(test)


def test_other_runs_leave_it_alone(lent):
    """A page that is ready is neither closed with another session's run nor charged to it."""

    async def test(life, site):
        await life.prepare("main")
        async with life.lease("fresh") as lease:
            await bridged(lease.page.goto)(site.url)
            await bridged(lease.page.evaluate)("void open('/second')")
        wire = listen(life)
        async with life.lease("main") as lease:
            assert wire.since() == ASKED
            assert len(lease.context.pages) == 2  # the browser's first, and this
        assert is_clean(lease)

    lent(test)


async def add_route(page):
    await page.route("**/*", lambda route: route.abort())


async def add_listener(page):
    page.on("close", print_nothing)


async def write(page):
    await page.set_content("<h1>mine</h1>")


async def write_into_its_frame(page):
    await page.main_frame.evaluate("document.title = 'mine'")


async def speak_chromiums_protocol(page):
    await (await page.context.new_cdp_session(page)).send("Network.enable")


def print_nothing(_):
    """A listener."""


@pytest.mark.parametrize(
    "touch", [add_route, add_listener, write, write_into_its_frame, speak_chromiums_protocol]
)
def test_a_page_that_another_run_has_touched_is_no_runs(lent, touch):
    """Whatever a run of another session did to it, the next run of main gets a page of its own."""

    async def test(life, site):
        for prepared in (False, True):
            assert await life.prepare("main", trace=True)
            (page,) = life._shelf.pages
            async with life.lease("fresh") as lease:
                (main,) = set(lease.browser.contexts) - {lease.context}
                assert page in main.pages
                await bridged(touch)(page)
            if prepared:
                assert await life.prepare("main", trace=True)
                assert page.is_closed()
            async with life.lease("main") as lease:
                assert lease.page is not page
                assert page.is_closed()
                assert type(lease.page) is Page
                await bridged(lease.page.goto)(site.url)
                assert await bridged(lease.page.inner_text)("h1") == "hello"
            assert is_clean(lease)

    lent(test)


@pytest.mark.parametrize("by", ["the next page", "the run"])
def test_a_trace_that_would_not_end_costs_the_browser(lent, monkeypatch, by):
    """It would stay on the shared context, and no later run could be traced."""

    async def stay(tracer):
        return "a trace would not end"

    async def test(life, site):
        assert await life.prepare("main", trace=True)
        monkeypatch.setattr(ready, "STALE", 0.0)
        monkeypatch.setattr(ready, "dropped", stay)
        if by == "the run":
            with pytest.raises(BrowserLost, match="a trace would not end"):
                async with life.lease("main"):
                    pytest.fail("a page of a browser that goes on with another's trace")
        else:
            assert not await life.prepare("main", trace=True)
        assert "a trace would not end" in str(life.lost)

    lent(test)


def test_a_run_of_main_sees_no_page_of_the_next(lent):
    """While it runs none is there but its own and the browser's first; what it leaves is counted."""

    async def test(life, site):
        for _ in range(2):
            await life.prepare("fresh")
            await life.prepare("main")
            async with life.lease("main") as lease:
                assert len(lease.context.pages) == 2
                await bridged(lease.context.new_page)()
            assert lease.left == Counter({"page": 1})

    lent(test)


def test_only_the_next_run_gets_a_context(lent):
    """What was made ready for a throw-away context is not used once another run was there."""

    async def test(life, site):
        await life.prepare("fresh")
        async with life.lease("main") as lease:
            (other,) = set(lease.browser.contexts) - {lease.context}
            await bridged(other.add_cookies)([{"name": "a", "value": "b", "url": site.url}])
        assert lease.left["context"] == 0
        assert await life.prepare("fresh")
        async with life.lease("fresh") as lease:
            assert await bridged(lease.context.cookies)() == []
            assert len(lease.browser.contexts) == 2
        assert is_clean(lease)

    lent(test)


def test_what_is_ready_of_another_session_makes_way(lent):
    """One page of main and one of another session at most, whatever is asked for."""

    async def test(life, site):
        for session in ("fresh", "me", "main", "you"):
            assert await life.prepare(session)
        async with life.lease("you") as lease:
            assert len(lease.browser.contexts) == 2
            assert [len(context.pages) for context in lease.browser.contexts] == [2, 1]
        assert is_clean(lease)

    lent(test)


async def close(page, site, monkeypatch):
    await bridged(page.close)()


async def use(page, site, monkeypatch):
    await bridged(page.goto)(site.url)


async def crash(page, site, monkeypatch):
    crashed = trio.Event()
    page.on("crash", lambda _: crashed.set())
    with contextlib.suppress(Exception):
        await bridged(page.goto)("chrome://crash")
    await crashed.wait()


async def grow_old(page, site, monkeypatch):
    monkeypatch.setattr(ready, "STALE", 0.0)


@pytest.mark.parametrize("session", ["main", "fresh", "shop"])
def test_what_is_not_as_it_was_is_thrown_away(lent, monkeypatch, session):
    """Closed or used by another run, its renderer dead, or too old: the run gets a new page."""

    async def test(life, site):
        for harm in (close, use, crash, grow_old):
            assert await life.prepare(session, trace=True)
            (page,) = life._shelf.pages
            await harm(page, site, monkeypatch)
            async with life.lease(session) as lease:
                await life.trace(lease, pictures=False)
                assert lease.page is not page
                assert page.is_closed() or session != "main"
                await bridged(lease.page.goto)(site.url)
            assert is_clean(lease), harm
        assert await life.prepare(session)
        assert page.is_closed()

    lent(test)


def test_a_session_that_was_saved_since_is_read_again(browse, sessions):
    """By a run, or by hand: the page that was ready for it is not used."""

    async def test(life, site):
        await life.prepare("shop")
        cookie = {"name": "a", "value": "by hand", "domain": "127.0.0.1", "path": "/"}
        sessions.save("shop", {"cookies": [cookie], "origins": []})
        async with life.lease("shop") as lease:
            (found,) = await bridged(lease.context.cookies)()
            assert found["value"] == "by hand"
            await bridged(lease.context.clear_cookies)()
            await life.keep_session(lease, "shop")
        assert await life.prepare("shop")
        async with life.lease("shop") as lease:
            assert await bridged(lease.context.cookies)() == []
        assert is_clean(lease)

    browse(test)


def test_a_damaged_session_is_its_runs_trouble(browse, sessions):
    """Nothing is ready, and nobody is charged, until the run asks for it."""

    async def test(life, site):
        sessions.save("shop", {})
        sessions.path("shop").write_text("damaged")
        assert not await life.prepare("shop")
        with pytest.raises(SessionError):
            async with life.lease("shop"):
                pytest.fail("a page of a damaged session")
        async with life.lease("fresh") as lease:
            assert len(lease.browser.contexts) == 2
        assert is_clean(lease)

    browse(test)


def test_a_browser_that_hangs_is_given_up(lent, monkeypatch):
    """As when a run asks for a page: killed after the bound."""
    monkeypatch.setattr(generation, "OPEN_BOUND", 1.0)

    async def test(life, site):
        os.kill(life.pid, signal.SIGSTOP)
        assert not await life.prepare("main")
        assert isinstance(life.lost, BrowserLost)
        with trio.fail_after(1):
            await life.wait_gone()

    lent(test)


def test_a_page_of_a_browser_that_hangs_is_no_run(lent, monkeypatch):
    """However ready it was: the browser is killed, and the release goes to the next."""

    async def test(life, site):
        assert await life.prepare("main")
        monkeypatch.setattr(generation, "OPEN_BOUND", 1.0)
        os.kill(life.pid, signal.SIGSTOP)
        with pytest.raises(BrowserLost):
            async with life.lease("main"):
                pytest.fail("a page of a browser that hangs")

    lent(test)
