"""Pages are made ready while the worker has nothing else to do, and hold up no run."""

from __future__ import annotations

import contextlib

import attrs
import trio

from muxd.book import RunBook
from muxd.bus import Bus
from muxd.channel import open_priority_channel
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.testing import FakePages, MemoryStore
from muxd.worker import Worker


async def body(run):
    pass


class SlowPages(FakePages):
    """Takes ten seconds to have a page ready, and dies of some."""

    def __init__(self, *, deadly=()):
        super().__init__()
        self.begun = []
        self.deadly = deadly

    async def prepare(self, session, *, trace=False):
        assert self.leased == 0
        self.begun.append(session)
        await trio.sleep(10)
        if session in self.deadly:
            self.kill("it died of a page")
        return await super().prepare(session, trace=trace)


@attrs.define
class House:
    """A worker, and a way to have it work."""

    book: RunBook
    send: object
    worker: Worker
    rests: list

    async def release(self, session="main"):
        job = Job(f"job-of-{session}", body, interval="1h", timeout="60s", session=session)
        release = await self.book.release(job, released_at=trio.current_time())
        self.send.send_nowait(release)
        return release

    @contextlib.asynccontextmanager
    async def working(self, pages):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.worker.work, pages, pages.wait_gone)
            with trio.fail_after(1000):
                yield
            nursery.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def open_house(*coming, store=None):
    store = MemoryStore() if store is None else store
    async with store.open(), trio.open_nursery() as bodies:
        book = RunBook(store, Bus(), real_now=trio.current_time)
        runner = Runner(book, bodies, real_now=trio.current_time)
        send, receive = open_priority_channel(10)
        rests = []
        worker = Worker(
            receive,
            runner,
            lambda _record: None,
            rested=lambda: rests.append(trio.current_time()),
            coming=lambda: coming,
        )
        yield House(book, send, worker, rests)
        bodies.cancel_scope.cancel()


async def test_the_likeliest_first_each_once(autojump_clock):
    """At rest the worker has a page of each session made ready that a run may come in."""
    async with open_house("fresh", "main", "fresh") as house:
        pages = FakePages()
        async with house.working(pages):
            await trio.testing.wait_all_tasks_blocked()
            assert pages.prepared == ["fresh", "main"]
            await house.book.wait_ended((await house.release()).id)
            await trio.testing.wait_all_tasks_blocked()
            assert pages.prepared == ["fresh", "main", "fresh", "main"]
            assert len(house.rests) == 2


async def test_nothing_is_made_ready_while_somebody_waits(autojump_clock):
    """A release that waits already has the browser at once."""
    async with open_house("main") as house:
        pages = SlowPages()
        for session in ("main", "fresh"):
            await house.release(session)
        async with house.working(pages):
            await trio.sleep(1)
            assert pages.sessions == ["main", "fresh"]
            assert pages.begun == ["main"]  # then


async def test_a_run_waits_for_the_page_that_is_being_made_ready(autojump_clock):
    """Not for any other: it is no second one, and no further one is begun."""
    async with open_house("fresh", "main") as house:
        pages = SlowPages()
        async with house.working(pages):
            await trio.sleep(4)
            release = await house.release("main")
            record = await house.book.wait_ended(release.id)
            assert record.outcome is Outcome.ok
            assert record.lateness == 6
            assert pages.begun[0] == "fresh"
            assert pages.sessions == ["main"]


async def test_what_loses_the_browser_does_not_lose_the_next(autojump_clock):
    """A session of which no page can be made ready is left alone until a run has been made."""
    async with open_house("shop", "main") as house:
        first = SlowPages(deadly=("shop",))
        assert await house.worker.work(first, first.wait_gone) is False
        assert first.begun == ["shop"]
        second = SlowPages(deadly=("shop",))
        async with house.working(second):
            await trio.sleep(100)
            assert second.begun == ["main"]
            await house.book.wait_ended((await house.release("fresh")).id)
            await trio.testing.wait_all_tasks_blocked()
            assert second.begun == ["main", "shop"]


async def test_a_browser_that_is_retired_makes_nothing_ready(autojump_clock):
    """Retiring it, or the channel's end, does not wait for a page; the next browser has one made."""
    async with open_house("main") as house:
        pages = SlowPages()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.worker.work, pages, pages.wait_gone)
            await trio.sleep(4)
            house.worker.retire("the test wants it so")
        assert trio.current_time() == 4
        pages = SlowPages()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.worker.work, pages, pages.wait_gone)
            await trio.sleep(4)
            assert pages.begun == ["main"]
            house.send.close()
        assert trio.current_time() == 8


class Counting(MemoryStore):
    """Counts how often it is written to: each is one transaction, and one fsync."""

    def __init__(self):
        super().__init__()
        self.writes = []

    async def write(self, *records):
        await super().write(*records)
        self.writes.append([(record.started_at is not None, record.outcome) for record in records])


async def test_a_run_writes_three_times(autojump_clock):
    """Released, started, ended: no more, and each before what it says is so."""
    store = Counting()
    async with open_house("main", store=store) as house, house.working(FakePages()):
        await house.book.wait_ended((await house.release()).id)
        assert store.writes == [[(False, None)], [(True, None)], [(True, Outcome.ok)]]
