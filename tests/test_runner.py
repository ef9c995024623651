"""One run: page, body under its deadline, record; and the ladder at its end."""

from __future__ import annotations

import attrs
import pytest
import trio

from muxd.book import RunBook
from muxd.bus import Bus
from muxd.channel import open_priority_channel
from muxd.errors import BrowserLost, RunError
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import UNWIND, Runner
from muxd.testing import FakePages, MemoryStore
from muxd.verdict import Verdict, of_logged_out, summary
from muxd.watch import Block, Watch
from muxd.worker import Worker


@attrs.define
class Bench:
    """A runner on fake pages, in virtual time."""

    book: RunBook
    runner: Runner
    pages: FakePages
    nursery: trio.Nursery

    async def release(self, body, **fields):
        job = Job("job", body, **({"interval": "1h", "timeout": "60s"} | fields))
        return await self.book.release(job, released_at=trio.current_time())

    async def run(self, body, **fields):
        with trio.fail_after(1000):
            return await self.runner.run(await self.release(body, **fields), self.pages)


@pytest.fixture
async def bench():
    store = MemoryStore()
    async with store.open(), trio.open_nursery() as nursery:
        book = RunBook(store, Bus(), real_now=trio.current_time)
        runner = Runner(book, nursery, real_now=trio.current_time)
        yield Bench(book, runner, FakePages(), nursery)
        nursery.cancel_scope.cancel()


async def test_a_good_run(autojump_clock, bench):
    """A body that returns is ok: its result, session, times and browser are on record."""

    async def body(run):
        assert run.deadline == pytest.approx(run.released_at + 60)
        await trio.sleep(3)
        return ["a", "b"]

    record = await bench.run(body, session="shop")
    assert record.outcome is Outcome.ok
    assert record.result == "2 items: ['a', 'b']"
    assert record.duration == pytest.approx(3)
    assert record.browser_generation == 1
    assert bench.pages.sessions == bench.pages.kept == ["shop"]
    assert (await bench.book.store.get(record.id)).outcome is Outcome.ok


async def test_what_a_job_blocks_is_blocked_in_its_runs(autojump_clock, bench):
    """The page is leased with the job's list; one that says nothing leaves it to what is configured."""

    async def body(run):
        return "done"

    for fields in ({"block": ["image", "ads.example"]}, {"block": []}, {}):
        assert (await bench.run(body, **fields)).outcome is Outcome.ok
    assert bench.pages.blocked == [("image", "ads.example"), (), None]


@pytest.mark.parametrize("result", [None, [], {}, "", ()])
async def test_an_empty_result_is_not_ok_where_one_is_expected(autojump_clock, bench, result):
    """expects_result: nothing, or an empty collection, is `empty`; without it it is ok."""

    async def body(run):
        return result

    assert (await bench.run(body, expects_result=True)).outcome is Outcome.empty
    assert (await bench.run(body)).outcome is Outcome.ok


async def test_zero_and_false_are_results(autojump_clock, bench):
    """A number is something, whatever it is."""

    async def body(run):
        return 0

    assert (await bench.run(body, expects_result=True)).outcome is Outcome.ok


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
async def test_what_a_body_raises_ends_its_run_and_nothing_else(autojump_clock, bench, error):
    """Even SystemExit is on record as `failed` with its type, and the session is not saved."""

    async def body(run):
        raise error

    record = await bench.run(body, session="shop")
    assert record.outcome is Outcome.failed
    assert record.error_type == type(error).__name__
    assert bench.pages.kept == []
    assert bench.pages.leased == 0


async def test_the_deadline_closes_the_page_first(autojump_clock, bench):
    """At its deadline a call in flight ends because the page is closed; `timed_out`, at once."""

    async def body(run):
        await run.page.hang()

    record = await bench.run(body, timeout="5s")
    assert record.outcome is Outcome.timed_out
    assert record.error == "it ran longer than its timeout, 5s"
    assert record.duration == pytest.approx(5)
    assert bench.pages.lost is None


async def test_then_it_is_cancelled(autojump_clock, bench):
    """A body that does not wait for its page is cancelled after `UNWIND`."""
    record = await bench.run(lambda_sleep, timeout="5s")
    assert record.outcome is Outcome.timed_out
    assert record.duration == pytest.approx(5 + UNWIND)
    assert bench.pages.lost is None


async def lambda_sleep(run):
    await trio.sleep_forever()


async def test_then_the_browser_is_killed_and_the_body_left_behind(autojump_clock, bench):
    """A body that swallows its cancellation costs the browser, not the daemon: within 10 s."""
    free = trio.Event()

    async def body(run):
        with trio.CancelScope(shield=True):
            await free.wait()

    record = await bench.run(body, timeout="5s")
    assert record.outcome is Outcome.timed_out
    assert record.duration <= 5 + 10
    assert isinstance(bench.pages.lost, BrowserLost)
    assert record.harm == "would not end: the browser was killed"
    free.set()


@pytest.mark.parametrize(("loss", "harm"), [("kill", True), ("crash", False)])
async def test_who_loses_the_browser_is_charged(autojump_clock, bench, loss, harm):
    """A lost browser is harm done by the run that had it; a page that crashed is not."""

    async def body(run):
        if loss == "kill":
            bench.pages.kill("it died")
        else:
            bench.pages.crash()
        await run.page.hang()

    record = await bench.run(body)
    assert record.outcome is Outcome.crashed
    assert record.harm == ("the browser was lost under it: it died" if harm else None)


async def test_a_deadline_that_is_heeded_is_no_harm(autojump_clock, bench):
    """The job loses its run, and nobody else anything."""

    async def slow(run):
        await run.page.hang()

    record = await bench.run(slow)
    assert (record.outcome, record.harm) == (Outcome.timed_out, None)


class Sees(Watch):
    """A watch that has found a block in each run."""

    def __init__(self):
        self.told = []

    def begin(self, run_id, job):
        self.told.append((run_id, job))

    def end(self):
        self.told.append("end")
        return Block(
            7.25, '  File "/jobs/shop.py", line 14 in hang\n  File "/jobs/shop.py", line 3 in job'
        )


async def test_who_blocks_muxd_is_charged(autojump_clock, bench):
    """Its outcome is its own, the harm is on record; where it overran its deadline, the stack too."""

    async def quick(run):
        assert watch.told == [(run.id, "job")]

    async def slow(run):
        await trio.sleep(100)

    watch = Sees()
    bench.runner = Runner(bench.book, bench.nursery, real_now=trio.current_time, watch=watch)
    record = await bench.run(quick)
    assert (record.outcome, record.error) == (Outcome.ok, None)
    assert record.harm == "blocked muxd for 7.2 s, in hang (shop.py:14)"
    assert watch.told == [(record.id, "job"), "end"]
    record = await bench.run(slow)
    assert record.outcome is Outcome.timed_out
    assert record.harm == "blocked muxd for 7.2 s, in hang (shop.py:14)"
    assert record.error.startswith("it ran longer than its timeout, 1m; it blocked muxd for 7.2 s")
    assert record.error.endswith("line 3 in job")
    assert Block(7.25, "<no Python frame>").harm == "blocked muxd for 7.2 s"


async def test_a_run_that_is_told_to_end_says_why(autojump_clock, bench):
    """end_current: the outcome is the one that was given, and so is the reason."""
    bench.nursery.start_soon(stop_after, bench, 2)
    record = await bench.run(lambda_sleep)
    assert record.outcome is Outcome.interrupted
    assert record.error == "muxd was stopped"
    assert record.duration == pytest.approx(2 + UNWIND)


async def stop_after(bench, seconds):
    await trio.sleep(seconds)
    bench.runner.end_current(Outcome.interrupted, RunError("muxd was stopped"))


@pytest.mark.parametrize("loss", ["browser", "page"])
async def test_a_body_that_waits_on_a_dead_page_is_ended(autojump_clock, bench, loss):
    """The loss of browser or page ends the run as `crashed`, though the body noticed nothing."""

    async def lose():
        await trio.sleep(2)
        bench.pages.kill("it died") if loss == "browser" else bench.pages.crash()

    bench.nursery.start_soon(lose)
    record = await bench.run(lambda_sleep)
    assert record.outcome is Outcome.crashed
    assert record.duration <= 2 + 2 * UNWIND


async def test_a_listener_that_raised_fails_its_own_run(autojump_clock, bench):
    """What was found only when the lease was left is charged: `failed`, with the cause named."""
    bench.pages.leave_errors = [RuntimeError("bang")]

    async def body(run):
        return 1

    record = await bench.run(body)
    assert record.outcome is Outcome.failed
    assert "bang" in record.error
    assert (await bench.run(body)).outcome is Outcome.ok


class Mute(Exception):
    """Can't say what it is."""

    def __repr__(self):
        raise OSError("no")

    __str__ = __repr__


async def test_an_error_that_can_t_say_what_it_is_fails_its_own_run(autojump_clock, bench):
    """Wherever it is raised: in the body, in what goes on beside it, where the session may be logged out."""

    async def raises(run):
        raise Mute

    async def sleeps(run):
        await trio.sleep(50)

    record = await bench.run(raises)
    assert (record.outcome, record.error) == (Outcome.failed, "<its message can't be shown>")
    for timeout, outcome in (("60s", Outcome.failed), ("30s", Outcome.timed_out)):
        bench.pages.leave_errors = [Mute()]
        record = await bench.run(sleeps, timeout=timeout)
        assert record.outcome is outcome
        assert "a listener or callback raised <Mute that can't be shown>" in record.error
    job = Job("job", raises, interval="1h", needs_login="/login*")
    verdict = of_logged_out(Verdict(Outcome.failed, Mute()), job)
    assert "(Mute: <its message can't be shown>)" in str(verdict.error)


async def test_a_browser_lost_before_the_page_is_nobodys_fault(autojump_clock, bench):
    """No page, no start: the release is kept for the next browser, and nothing is recorded."""
    release = await bench.release(lambda_sleep)
    bench.pages.kill("it died")
    with pytest.raises(BrowserLost):
        await bench.runner.run(release, bench.pages)
    (record,) = await bench.book.store.unfinished()
    assert record.started_at is None


async def test_the_worker_takes_it_to_the_next_browser(autojump_clock, bench):
    """A release in hand when its browser goes is the first on the next; after three, `crashed`."""

    async def body(run):
        return run.browser is not None

    ended = []
    send, receive = open_priority_channel(10)
    worker = Worker(receive, bench.runner, ended.append)
    for dead in (1, 2):
        release = await bench.release(body, overlap="queue_one")
        send.send_nowait(release)
        for _ in range(dead):
            pages = FakePages()

            async def refuse(session, pages=pages):
                pages.kill("at once")
                raise pages.lost

            pages.lease = lambda session, refuse=refuse, **options: Refusing(refuse(session))
            assert await worker.work(pages, pages.wait_gone) is False
            assert len(ended) == dead - 1
        async with trio.open_nursery() as nursery:
            good = FakePages(generation=7)
            nursery.start_soon(worker.work, good, good.wait_gone)
            await bench.book.wait_ended(release.id)
            nursery.cancel_scope.cancel()
        assert ended[-1].outcome is Outcome.ok
        assert ended[-1].browser_generation == 7


@attrs.define
class Refusing:
    """A lease that can't be had."""

    refusal: object

    async def __aenter__(self):
        await self.refusal

    async def __aexit__(self, *args):
        pass


async def test_the_worker_ends_with_its_channel(autojump_clock, bench):
    """When the channel has ended the worker says so, and has run all that was in it."""

    async def body(run):
        pass

    ended = []
    send, receive = open_priority_channel(10)
    send.send_nowait(await bench.release(body))
    send.close()
    worker = Worker(receive, bench.runner, ended.append)
    assert await worker.work(bench.pages, bench.pages.wait_gone) is True
    assert [record.outcome for record in ended] == [Outcome.ok]


def test_a_summary_is_short_and_never_raises():
    """Whatever a body returns, its account has at most 1,000 characters."""

    class Rude:
        def __repr__(self):
            raise RuntimeError

    for result in ("x" * 5000, ["x" * 5000] * 50, dict.fromkeys(range(99), "y" * 999), Rude(), 1):
        assert 0 < len(summary(result)) <= 1000
    assert summary(None) is None
