"""What the core does for one run, counted: tasks, writes, events, and what it costs among many."""

from __future__ import annotations

import gc
import math
import sys
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import trio
import trio.testing

import muxd
from muxd import Job, open_priority_channel
from muxd.agenda import Agenda, Due
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.civil import Calendar
from muxd.misfire import Backlog, Overdue
from muxd.pauses import Pauses
from muxd.release import Cause, Release
from muxd.runner import Runner
from muxd.scheduler import Scheduler
from muxd.slotting import Slot, Timetable
from muxd.testing import FakePages, MemoryStore, VirtualClock
from muxd.worker import Worker

MONDAY = 1_704_067_200.0
OURS = str(Path(muxd.__file__).parent)


async def body(run):
    await trio.lowlevel.checkpoint()
    return "done"


class CountingStore(MemoryStore):
    writes = 0

    async def write(self, *records):
        self.writes += 1
        await super().write(*records)


class CountingTasks(trio.abc.Instrument):
    def __init__(self):
        self.begun = []

    def task_spawned(self, task):
        self.begun.append(task.name)


class House:
    """Scheduler, channel, worker, runner and book of so many jobs, one of which is due each second."""

    def __init__(self, number):
        self.jobs = {f"job-{n}": Job(f"job-{n}", body, interval=number) for n in range(number)}
        self.slots = (
            Slot(name=name, interval=number, phase=n, duration=1)
            for n, name in enumerate(self.jobs)
        )
        self.clock, self.store, self.bus = VirtualClock(MONDAY + 0.5), CountingStore(), Bus()
        self.pages = FakePages()

    @asynccontextmanager
    async def alive(self):
        book = RunBook(self.store, self.bus, real_now=self.clock.now)
        send, receive = open_priority_channel(math.inf)
        async with self.store.open(), trio.open_nursery() as nursery:
            scheduler = Scheduler(
                clock=self.clock,
                calendar=Calendar(ZoneInfo("UTC")),
                timetable=Timetable(slots=tuple(self.slots)),
                jobs=self.jobs,
                channel=send,
                book=book,
                bus=self.bus,
                pauses=Pauses(self.store, self.bus, real_now=self.clock.now),
                last_releases={},
            )
            runner = Runner(book, nursery, real_now=self.clock.now)
            worker = Worker(receive, runner, scheduler.ended)
            nursery.start_soon(worker.work, self.pages, self.pages.wait_gone)
            nursery.start_soon(scheduler.run)
            await trio.sleep(5)
            yield
            nursery.cancel_scope.cancel()


@contextmanager
def instructions_counted():
    """Counts the instructions of Python's that are carried out in muxd's code, by file."""
    counts = Counter()

    def local(frame, event, _arg):
        if event == "opcode":
            counts[frame.f_code.co_filename.removeprefix(OURS)] += 1
        return local

    def trace(frame, _event, _arg):
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace, frame.f_trace_opcodes = local, True
        return local

    before = sys.gettrace()
    # What earlier tests have left is collected before: here it would be counted.
    gc.collect()
    gc.disable()
    # Python 3.12 traces instructions only if a frame wants that before settrace is called.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        yield counts
    finally:
        sys.settrace(before)
        gc.enable()


async def instructions(number):
    """What ten releases and their runs take among so many jobs."""
    house = House(number)
    async with house.alive():
        with instructions_counted() as counts:
            await trio.sleep(10)
    assert sum(record.outcome == "ok" for record in house.store.records.values()) == 15
    return counts


async def test_a_run_costs_the_same_among_10000_jobs(autojump_clock):
    """From release to record not one step more is made than among 100 (but in C, in heaps)."""
    few, many = await instructions(100), await instructions(10_000)
    assert few["/scheduler.py"] > 500
    assert many == few


async def test_what_a_run_costs_in_tasks_writes_and_events(autojump_clock):
    """Three writes and three events, and no more tasks than it takes to let the body go alone."""
    house = House(60)
    async with house.alive():
        counting, writes, events = CountingTasks(), house.store.writes, house.bus.published
        trio.lowlevel.add_instrument(counting)
        await trio.sleep(10)
        trio.lowlevel.remove_instrument(counting)
        assert house.store.writes - writes == 3 * 10  # released, started, ended
        assert house.bus.published - events == 3 * 10
        names = Counter(name.partition(" ")[0].rpartition(".")[2] for name in counting.begun)
        assert names == {
            "body": 2 * 10,  # the body's own, and what it is in if it is let go
            "_get_ready": 10,  # of the next page
        }


class Instant(float):
    """Counts how often it is compared."""

    compared = 0

    def __lt__(self, other):
        Instant.compared += 1
        return float.__lt__(self, other)

    def __eq__(self, other):
        Instant.compared += 1
        return float.__eq__(self, other)

    __hash__ = float.__hash__


@pytest.mark.parametrize("number", [100, 10_000])
def test_what_is_most_overdue_is_found_in_logarithmic_time(number):
    """Among so many jobs of three intervals, each costs some comparisons for each level of a heap."""
    backlog = Backlog()
    jobs = [Job(f"j{n}", body, interval=f"{n % 3 + 1}h") for n in range(number)]
    for n, job in enumerate(jobs):
        release = Release(id=str(n), job=job, released_at=0.0, cause=Cause.catch_up)
        at = Instant(-n * 7919 % number)
        backlog.add(Overdue(release=release, instant=at, since=at))
    Instant.compared = 0
    taken = [backlog.take(1e6) for _ in range(number)]
    assert Instant.compared <= number * 4 * math.log2(number)
    ratios = [(1e6 - each.since) / each.job.interval for each in taken]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize("number", [100, 10_000])
def test_a_release_costs_some_comparisons_for_each_level_of_the_heap(number):
    """Taking out what is due and putting in what comes next is O(log n), whatever the order."""
    agenda = Agenda()

    def put(job, instant):
        agenda.put(Due(job=job, instant=Instant(instant), cause=Cause.slot))

    for n in range(number):
        put(Job(f"job-{n}", body, interval="1h"), n * 7919 % number)
    for round_ in range(1, 4):
        Instant.compared = 0
        for n in range(number):
            found = agenda.pop(round_ * number - number + n)
            assert found.instant == round_ * number - number + n
            put(found.job, found.instant + number)
        assert Instant.compared <= number * 4 * math.log2(number)
