"""One browser after another, never two, with back-off where launching fails."""

from __future__ import annotations

import contextlib
import itertools

import pytest
import trio

from muxd.book import RunBook
from muxd.bus import Bus
from muxd.channel import open_priority_channel
from muxd.errors import BrowserLost, ProfileInUse
from muxd.events import BrowserDown, BrowserUp
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.supervisor import LONGEST_WAIT, Supervisor
from muxd.testing import FakePages, MemoryStore
from muxd.worker import Worker


class Browsers:
    """Launches fake browsers, or fails to."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.launches = []
        self.up = self.most_up = 0
        self.lives = []

    @contextlib.asynccontextmanager
    async def open(self, number):
        self.launches.append(trio.current_time())
        await trio.sleep(1)
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        life = FakePages(number)
        life.pid, life.version = 1000 + number, "fake"
        self.lives.append(life)
        self.up += 1
        self.most_up = max(self.up, self.most_up)
        try:
            yield life
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            self.up -= 1


@contextlib.asynccontextmanager
async def supervised(browsers, **options):
    bus = Bus()
    store = MemoryStore()
    async with store.open(), trio.open_nursery() as nursery:
        book = RunBook(store, bus, real_now=trio.current_time)
        runner = Runner(book, nursery, real_now=trio.current_time)
        send, receive = open_priority_channel(100)
        worker = Worker(receive, runner, lambda record: None)
        supervisor = Supervisor(browsers.open, worker, bus, real_now=trio.current_time, **options)
        with bus.subscribe("test") as events:
            yield supervisor, book, send, events, nursery
        nursery.cancel_scope.cancel()


async def test_a_lost_browser_is_followed_by_another(autojump_clock):
    """Each loss brings a new generation; there are never two at once, and the bus is told."""
    browsers = Browsers()
    async with supervised(browsers) as (supervisor, _book, _send, events, nursery):
        nursery.start_soon(supervisor.run)
        for number in (1, 2, 3):
            event = await events.receive()
            assert isinstance(event, BrowserUp)
            assert event.generation == number
            await trio.sleep(100)
            browsers.lives[-1].kill("died")
            event = await events.receive()
            assert isinstance(event, BrowserDown)
            assert (event.generation, event.reason) == (number, "died")
        assert browsers.most_up == supervisor.most_at_once == 1


async def test_launches_that_fail_are_tried_again_ever_more_slowly(autojump_clock):
    """The wait doubles up to a minute; it starts anew once a browser has lived for a while."""
    browsers = Browsers(None, *[BrowserLost("no") for _ in range(12)])
    async with supervised(browsers) as (supervisor, _book, _send, _events, nursery):
        nursery.start_soon(supervisor.run)
        await supervisor.up.wait()
        await trio.sleep(60)
        browsers.lives[-1].kill("died")
        with trio.fail_after(1000):
            while len(browsers.lives) == 1:  # noqa: ASYNC110 - in virtual time
                await trio.sleep(1)
        starts = browsers.launches[1:]
        waits = [round(b - a - 1, 1) for a, b in itertools.pairwise(starts)]
        assert waits[:6] == [0.5, 1, 2, 4, 8, 16]
        assert max(waits) == LONGEST_WAIT
        await trio.sleep(60)
        browsers.lives[-1].kill("died")
        lost = trio.current_time()
        await trio.sleep(3)
        assert browsers.launches[-1] - lost < 2


async def test_a_profile_in_use_at_the_start_is_told_at_once(autojump_clock):
    """What only a person can mend ends the first start; later it is tried again."""
    async with supervised(Browsers(ProfileInUse("held"))) as (supervisor, *_):
        with pytest.raises(ProfileInUse):
            await supervisor.run()
    browsers = Browsers(None, ProfileInUse("held"))
    async with supervised(browsers) as (supervisor, _book, _send, _events, nursery):
        nursery.start_soon(supervisor.run)
        await supervisor.up.wait()
        browsers.lives[-1].kill("died")
        await trio.sleep(10)
        assert len(browsers.lives) == 2


async def test_a_browser_that_never_comes_up_is_given_up(autojump_clock):
    """At the start a few tries are made, then the error is raised: waiting would not mend it."""
    browsers = Browsers(*[BrowserLost(f"no {n}") for n in range(20)])
    async with supervised(browsers) as (supervisor, *_):
        with pytest.raises(BrowserLost, match="no 5"):
            await supervisor.run()
    browsers = Browsers(*[BrowserLost("no")] * 5)
    async with supervised(browsers) as (supervisor, _book, _send, _events, nursery):
        nursery.start_soon(supervisor.run)
        with trio.fail_after(60):
            await supervisor.up.wait()


async def test_without_patience_the_first_failure_is_the_last(autojump_clock):
    """`muxd run` alone does not wait for a browser that can't be launched."""
    async with supervised(Browsers(BrowserLost("no")), patience=0) as (supervisor, *_):
        with pytest.raises(BrowserLost):
            await supervisor.run()


async def test_a_browser_lost_in_mid_run_is_replaced_at_once(autojump_clock):
    """With nothing waiting, the next browser is up as soon as the lost one's run is over."""
    browsers = Browsers()

    async def body(run):
        await trio.sleep(50)

    async with supervised(browsers) as (supervisor, book, send, _events, nursery):
        nursery.start_soon(supervisor.run)
        await supervisor.up.wait()
        release = await book.release(Job("a", body, interval="1h"), released_at=0.0)
        send.send_nowait(release)
        await trio.sleep(1)
        browsers.lives[-1].kill("died")
        assert (await book.wait_ended(release.id)).outcome is Outcome.crashed
        await trio.sleep(5)
        assert supervisor.current is browsers.lives[1]


async def test_browsers_lost_by_runs_are_replaced_at_once_however_many(autojump_clock):
    """Jobs that lose the browser, one after another, keep no honest one waiting for a back-off."""
    browsers = Browsers()

    async def loses(run):
        browsers.lives[-1].kill("died")
        await trio.sleep(50)

    async def honest(run):
        return "ok"

    async with supervised(browsers) as (supervisor, book, send, _events, nursery):
        nursery.start_soon(supervisor.run)
        await supervisor.up.wait()
        releases = []
        for number in range(10):
            job = Job(f"loses{number}", loses, interval="1h")
            releases.append(await book.release(job, released_at=trio.current_time()))
        releases.append(await book.release(Job("honest", honest, interval="1h"), released_at=0.0))
        for release in releases:
            send.send_nowait(release)
        begun = trio.current_time()
        records = [await book.wait_ended(release.id) for release in releases]
        assert [r.outcome for r in records] == [Outcome.crashed] * 10 + [Outcome.ok]
        # Three seconds each; with a back-off it would be minutes.
        assert trio.current_time() - begun < 40


async def test_browsers_that_die_at_each_page_are_launched_ever_more_slowly(autojump_clock):
    """Runs that are given up have had no page: the back-off grows all the same."""

    class Dying(Browsers):
        @contextlib.asynccontextmanager
        async def open(self, number):
            async with super().open(number) as life:

                @contextlib.asynccontextmanager
                async def lease(session, *, block=None):
                    life.kill("died at its page")
                    raise life.lost
                    yield

                life.lease = lease
                yield life

    async def body(run):
        raise AssertionError("it has no page")

    browsers = Dying()
    async with supervised(browsers) as (supervisor, book, send, events, nursery):
        nursery.start_soon(supervisor.run)
        for number in range(20):
            release = await book.release(Job(f"a{number}", body, interval="1h"), released_at=0.0)
            send.send_nowait(release)
        waits = []
        with trio.fail_after(300):
            while len(waits) < 9:
                event = await events.receive()
                waits += [event.retry_in] if isinstance(event, BrowserDown) else []
        assert waits[:8] == [0, 0.5, 1, 2, 4, 8, 16, 32]


async def test_what_waits_survives_the_browser(autojump_clock):
    """Releases in the channel when a browser dies run on the next one, each once."""
    browsers = Browsers()

    async def body(run):
        await trio.sleep(5)

    async with supervised(browsers) as (supervisor, book, send, _events, nursery):
        nursery.start_soon(supervisor.run)
        await supervisor.up.wait()
        releases = []
        for name in ("a", "b", "c"):
            job = Job(name, body, interval="1h")
            releases.append(await book.release(job, released_at=trio.current_time()))
            send.send_nowait(releases[-1])
        await trio.sleep(1)
        browsers.lives[-1].kill("died")
        with trio.fail_after(100):
            records = [await book.wait_ended(release.id) for release in releases]
        assert [r.outcome for r in records] == [Outcome.crashed, Outcome.ok, Outcome.ok]
        assert [r.browser_generation for r in records] == [1, 2, 2]
        assert book.most_at_once == 1


async def test_a_retired_browser_finishes_its_run_and_is_followed_at_once(autojump_clock):
    """The run in hand ends well, what waits runs on the next; no back-off, even time and again."""
    browsers = Browsers()

    async def body(run):
        await trio.sleep(3)

    async with supervised(browsers) as (supervisor, book, send, events, nursery):
        worker = supervisor._worker
        worker.retire("too early")
        nursery.start_soon(supervisor.run)
        await supervisor.up.wait()
        assert worker.retired is None
        for generation in range(1, 6):
            releases = []
            for name in ("a", "b"):
                job = Job(name, body, interval="1h")
                releases.append(await book.release(job, released_at=trio.current_time()))
                send.send_nowait(releases[-1])
            await trio.sleep(1)
            worker.retire("recycled: because")
            with trio.fail_after(20):
                records = [await book.wait_ended(release.id) for release in releases]
            assert [r.outcome for r in records] == [Outcome.ok, Outcome.ok]
            assert [r.browser_generation for r in records] == [generation, generation + 1]
        assert supervisor.recycled == 5
        assert list(supervisor.closes) == [1] * 5
        assert list(supervisor.launches) == [1] * 6
        assert browsers.most_up == 1
        downs = [event async for event in _now(events) if isinstance(event, BrowserDown)]
        assert {(down.reason, down.retry_in) for down in downs} == {("recycled: because", 0)}


async def test_after_a_recycling_a_launch_that_fails_is_tried_again(autojump_clock):
    """As after any other end of a browser."""
    browsers = Browsers(None, BrowserLost("no"), BrowserLost("no"))
    async with supervised(browsers) as (supervisor, _book, _send, events, nursery):
        nursery.start_soon(supervisor.run)
        await supervisor.up.wait()
        supervisor._worker.retire("recycled: because")
        await trio.sleep(20)
        assert supervisor.current is browsers.lives[1]
        downs = [event async for event in _now(events) if isinstance(event, BrowserDown)]
        assert [down.reason for down in downs] == ["recycled: because", "no", "no"]


async def _now(events):
    with contextlib.suppress(trio.WouldBlock):
        while True:
            yield events.receive_nowait()
