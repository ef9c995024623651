"""While nothing is due, nothing is done."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
import trio
from town import MB, Town, a_job

from muxd.body.data import Data
from muxd.body.pruning import keep_data_in_shape
from muxd.control.server import serve_control
from muxd.guard.watch import SLOW, Watch
from muxd.health import Checkup
from muxd.heap import trim_in_lulls
from muxd.recycling import Limits
from muxd.retention import keep_in_shape

HOUR = 3600.0
DAY = 24 * HOUR


async def at_once(call, *args, **_options):
    """In place of a thread: with virtual time none is waited for."""
    await trio.lowlevel.checkpoint()
    return call(*args)


class Steps(trio.abc.Instrument):
    """Counts the steps of tasks, by their names."""

    def __init__(self):
        self.counts = Counter()

    def before_task_step(self, task):
        self.counts[task.name.rpartition(".")[2]] += 1


@pytest.fixture(autouse=True)
def without_threads(monkeypatch):
    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)


async def wake_ups(seconds, tmp_path, *, run_first):
    """The steps of all tasks of a daemon with 16 jobs, none due, over so long."""
    jobs = [a_job(f"job-{n}", "1d", f"{20 * 60 + n}m", duration="20s") for n in range(16)]
    limits = Limits(age=DAY, memory=1000 * MB)
    town, steps = Town(*jobs, limits=limits), Steps()
    async with trio.open_nursery() as nursery, town.alive() as town:
        core = town.core
        await nursery.start(serve_control, core, tmp_path / "socket")
        nursery.start_soon(
            lambda: keep_in_shape(
                town.store, keep=DAY, max_runs=100, real_now=town.clock.now, lulls=core.lulls
            )
        )
        data = Data(tmp_path, real_now=town.clock.now, in_thread=at_once)
        nursery.start_soon(partial(keep_data_in_shape, keep=DAY), data, town.clock.now, core.lulls)
        nursery.start_soon(trim_in_lulls, core.lulls, lambda: None)
        nursery.start_soon(Checkup(core).look_now_and_then, partial(trio.sleep, SLOW))
        await trio.sleep(10)
        if run_first:
            await core.book.wait_ended((await core.request("job-3")).id)
        await trio.sleep(601)  # between two questions: which comes first in one instant is by lot
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(seconds)
        trio.lowlevel.remove_instrument(steps)
        nursery.cancel_scope.cancel()
    steps.counts -= Counter({trio.lowlevel.current_task().name.rpartition(".")[2]: 1})  # our own
    return dict(steps.counts)


ASKED = {"look_now_and_then": HOUR / SLOW}
"""Whenever the guard asks, it is looked how muxd is."""


async def test_in_an_idle_hour_muxd_wakes_when_it_is_asked(autojump_clock, tmp_path):
    """No task of the core, its upkeep and the control socket takes a step between the questions."""
    assert await wake_ups(HOUR, tmp_path, run_first=False) == ASKED


async def test_in_an_idle_hour_after_a_run_muxd_wakes_when_it_is_asked(autojump_clock, tmp_path):
    """What a run gives occasion for (its memory, the next page, the ledger) is over in minutes."""
    assert await wake_ups(HOUR, tmp_path, run_first=True) == ASKED


def test_the_guard_of_an_idle_daemon_asks_every_15_seconds():
    """One question and one answer: 240 an hour each."""
    watch, now, asked = Watch(limit=30), 0.0, 0
    watch.begin(now)
    while (now := watch.next_look) < HOUR:
        assert watch.look(now) == "ask"
        watch.answered(now, now)
        asked += 1
    assert SLOW == 15
    assert asked == 240
