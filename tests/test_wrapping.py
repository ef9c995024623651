"""Page wrappers: round each body, in order, within bounds, and their mistakes are no job's."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress

import attrs
import pytest
import trio

from muxd import LoggedOut
from muxd.abc import PageWrapper
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.job import Job
from muxd.login import login_job
from muxd.runner import UNWIND, Runner
from muxd.testing import FakePages, MemoryStore
from muxd.wrapping import BOUND, PATIENCE, Wrappers


class Round(PageWrapper):
    """Notes what it sees; does what it is told to before and after."""

    def __init__(self, name, seen, *, before=None, after=None, jobs=None):
        self.name, self.seen, self.before, self.after = name, seen, before, after
        self.jobs = jobs

    def wants(self, job):
        return self.jobs is None or job.name in self.jobs

    @asynccontextmanager
    async def wrap(self, run):
        self.seen.append(f"{self.name} in")
        if self.before:
            await self.before(run)
        try:
            yield
        except BaseException as error:
            self.seen.append(f"{self.name} saw {type(error).__name__}")
            raise
        finally:
            self.seen.append(f"{self.name} out")
            if self.after:
                await self.after(run)


class Swallows(PageWrapper):
    """Keeps from others whatever the body raises."""

    name = "swallows"

    @asynccontextmanager
    async def wrap(self, run):
        with suppress(BaseException):
            yield


class Watches(PageWrapper):
    """Has a task beside the body, which fails if it is to."""

    name = "watches"

    def __init__(self, seen, *, fails=False):
        self.seen, self.fails = seen, fails

    @asynccontextmanager
    async def wrap(self, run):
        async with trio.open_nursery() as nursery:

            async def watch():
                try:
                    await trio.sleep(2)
                    if self.fails:
                        raise ValueError("no such thing")
                    await trio.sleep_forever()
                finally:
                    self.seen.append("watched")

            nursery.start_soon(watch)
            yield
            nursery.cancel_scope.cancel()


@attrs.define
class Bench:
    runner: Runner
    book: RunBook
    wrappers: Wrappers
    seen: list

    @property
    def problems(self):
        return self.wrappers.problems

    def use(self, *wrappers):
        self.wrappers.replace([(f"plugin-{w.name}", w) for w in wrappers])

    async def run(self, body, *, job=None, **fields):
        job = job or Job("job", body, **({"interval": "1h", "timeout": "60s"} | fields))
        with trio.fail_after(1000):
            release = await self.book.release(job, released_at=trio.current_time())
            return await self.runner.run(release, FakePages())


@pytest.fixture
async def bench():
    store, wrappers = MemoryStore(), Wrappers()
    async with store.open(), trio.open_nursery() as nursery:
        book = RunBook(store, Bus(), real_now=trio.current_time)
        runner = Runner(book, nursery, real_now=trio.current_time, wrappers=wrappers)
        yield Bench(runner, book, wrappers, [])
        nursery.cancel_scope.cancel()


async def quick(run):
    await trio.sleep(1)
    return "done"


async def bad(run):
    await trio.sleep(1)
    raise KeyError("body")


async def fails(run):
    raise ValueError("mine")


async def stays(run):
    await trio.sleep_forever()


async def test_wrappers_are_round_the_body_in_order(autojump_clock, bench):
    """The first is outermost, those that don't want the job are not asked, all are in the body's task,
    and what the body returns is the run's result."""
    tasks = []

    async def note(run):
        tasks.append(trio.lowlevel.current_task())
        await trio.lowlevel.checkpoint()

    async def body(run):
        await note(run)
        bench.seen.append("body")
        return [1]

    seen = bench.seen
    bench.use(
        Round("a", seen, before=note, after=note),
        Round("b", seen, jobs=["another"]),
        Watches(seen),
        Round("c", seen),
    )
    record = await bench.run(body)
    assert seen == ["a in", "c in", "body", "c out", "watched", "a out"]
    assert (record.outcome, record.result, len(set(tasks))) == ("ok", "1 items: [1]", 1)
    assert not bench.problems


async def test_what_the_body_raises_is_seen_by_all_and_changed_by_none(autojump_clock, bench):
    """Neither swallowing it nor raising something else instead makes another outcome of a run."""
    bench.use(Round("a", bench.seen), Swallows(), Round("b", bench.seen, after=fails))
    record = await bench.run(bad)
    assert (record.outcome, record.error_type) == ("failed", "KeyError")
    assert bench.seen == ["a in", "b in", "b saw KeyError", "b out", "a saw KeyError", "a out"]
    bench.use(Watches(bench.seen))  # a nursery puts it into a group
    for _ in range(PATIENCE + 1):
        assert (await bench.run(bad)).error_type == "KeyError"
    assert not bench.problems


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", [fails, stays])
async def test_a_broken_wrapper_costs_no_job_a_run_and_is_left_out(
    autojump_clock, bench, when, how
):
    """Whether it raises or takes too long, in setup or teardown: the body runs and the run is good; the
    third time in a row it is left out, with its plugin's name. A good run in between counts."""
    broken = Round("a", bench.seen, **{when: how})
    bench.use(broken, Round("b", bench.seen))

    async def run_once():
        bench.seen.clear()
        begun = trio.current_time()
        assert (await bench.run(quick, timeout="3s")).outcome == "ok"
        assert "b out" in bench.seen
        return trio.current_time() - begun

    for _ in range(PATIENCE - 1):
        assert await run_once() == pytest.approx(1 + (BOUND if how is stays else 0), abs=0.1)
    setattr(broken, when, None)
    await run_once()
    setattr(broken, when, how)
    for _ in range(PATIENCE):
        assert not bench.problems
        await run_once()
    (problem,) = bench.problems
    assert (problem.plugin, problem.hook) == ("plugin-a", "muxd_page_wrappers")
    assert str(problem).startswith("page wrapper 'a' of plugin 'plugin-a' is left out: ")
    assert f"it was broken {PATIENCE} times one after another: " in str(problem)
    await run_once()
    assert bench.seen == ["b in", "b out"]


async def test_what_a_nursery_of_a_wrapper_raised_is_told_itself(autojump_clock, bench):
    """Not that there was a group of one."""

    async def in_a_nursery(run):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails, run)

    bench.use(Round("a", bench.seen, before=in_a_nursery))
    for _ in range(PATIENCE):
        await bench.run(quick)
    (problem,) = bench.problems
    assert "ExceptionGroup" not in str(problem)
    assert "ValueError: mine" in str(problem)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_wrapper_that_ignores_its_end_is_ended_with_the_run(autojump_clock, bench, when):
    """The browser is free within the bounds of any run; before the body the run fails and says whose
    mistake it was; after it the run is what its body made of it. No second run meets it."""
    free = trio.Event()

    async def hangs(run):
        with trio.CancelScope(shield=True):
            await free.wait()

    bench.use(Round("a", bench.seen, **{when: hangs}))
    begun = trio.current_time()
    record = await bench.run(quick, timeout="100s")
    assert trio.current_time() - begun < 1 + 2 * BOUND + 3 * UNWIND
    if when == "after":
        assert (record.outcome, record.result) == ("ok", "done")
    else:
        assert record.outcome == "failed"
        assert "page wrapper 'a' would not end" in record.error
    assert record.harm is None
    assert [problem.plugin for problem in bench.problems] == ["plugin-a"]
    free.set()
    assert (await bench.run(quick)).outcome == "ok"


async def test_the_timeout_is_the_bodys(autojump_clock, bench):
    """Setup and teardown take nothing of it; at its end the body is ended, and the teardowns are done."""

    async def slow(run):
        await trio.sleep(4)

    bench.use(Round("a", bench.seen, before=slow, after=slow))

    async def body(run):
        await trio.sleep(5.5)

    assert (await bench.run(body, timeout="6s")).outcome == "ok"
    begun = trio.current_time()
    record = await bench.run(stays, timeout="6s")
    assert record.outcome == "timed_out"
    assert trio.current_time() - begun == pytest.approx(4 + 6, abs=3 * UNWIND)
    assert bench.seen[-1] == "a out"
    assert not bench.problems


async def test_a_wrapper_may_say_that_the_session_is_logged_out(autojump_clock, bench):
    """That is the run's end, and nobody's mistake; those outside of it are left in order."""

    async def out(run):
        raise LoggedOut("log in again")

    bench.use(Round("a", bench.seen), Round("b", bench.seen, before=out))
    for _ in range(PATIENCE):
        record = await bench.run(quick)
        assert (record.outcome, record.error_type) == ("failed", "muxd.errors.LoggedOut")
    assert not bench.problems
    assert bench.seen[:4] == ["a in", "b in", "a saw LoggedOut", "a out"]


async def test_a_wrapper_whose_own_task_fails_has_ended_the_run(autojump_clock, bench):
    """Its nursery takes the body with it: the run says whose doing that was, and so do the logs."""
    bench.use(Round("a", bench.seen), Watches(bench.seen, fails=True))
    record = await bench.run(stays)
    assert record.outcome == "failed"
    assert "'watches' of plugin 'plugin-watches' has ended this run" in record.error
    assert bench.seen[-2:] == ["a saw RunError", "a out"]
    await bench.run(stays)
    await bench.run(stays)
    assert [problem.plugin for problem in bench.problems] == ["plugin-watches"]


async def test_nothing_is_round_a_login(autojump_clock, bench):
    """What a person types is nobody's."""
    bench.use(Round("a", bench.seen))
    job = login_job("main", quick, seconds=60)
    assert (await bench.run(quick, job=job)).outcome == "ok"
    assert not bench.seen


def test_a_reload_keeps_those_that_have_not_changed():
    """In the order of the plugins; what is left out stays so until its plugin is loaded anew."""
    wrappers, seen = Wrappers(), []
    job = Job("job", quick, interval="1h")

    def names():
        found = wrappers.round(job, quick)
        return [] if found is None else [each.wrapper.name for each in found._wrappers]

    wrappers.replace([("p", Round("a", seen)), ("q", Round("b", seen))])
    assert names() == ["a", "b"]
    wrappers.replace([("o", Round("c", seen)), ("q", Round("d", seen))], kept=["o", "p", "q"])
    assert names() == ["c", "a", "d"]
    for _ in range(PATIENCE):
        wrappers.broke(wrappers._all[1], ValueError())
    wrappers.replace([], kept=["p", "q"])
    assert names() == ["d"]
    wrappers.replace([("p", Round("e", seen))], kept=["p", "q"])
    assert names() == ["e", "d"]
    wrappers.replace([])
    assert wrappers.round(job, quick) is None
    assert not wrappers
