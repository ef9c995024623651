"""What is stuck is told from what takes its time, and from what muxd mends itself."""

from __future__ import annotations

import contextlib

import pytest
import trio
from town import MB, Town, a_job

from muxd.errors import BrowserLost, LedgerError
from muxd.floors import Floors, Free
from muxd.health import PATIENCE, RUN_SLACK, UNLUCKY, Checkup, Health
from muxd.resources import FreeDisk
from muxd.runner import Runner

WELL = Health()


@contextlib.asynccontextmanager
async def looking(town):
    """A checkup that looks every ten seconds; gives what it found, oldest first."""
    found = []

    async def look():
        checkup = Checkup(town.core)
        while True:
            found.append(checkup.look())
            await trio.sleep(10)

    async with town.alive(), trio.open_nursery() as nursery:
        nursery.start_soon(look)
        yield found
        nursery.cancel_scope.cancel()


async def test_a_day_of_runs_is_well(autojump_clock):
    """Long runs, releases that wait for them and a recycling are nothing to be told of."""
    jobs = [a_job(f"job-{n}", "10m", f"{n}m", duration="50s") for n in range(8)]
    town = Town(*jobs)
    async with looking(town) as found:
        await trio.sleep(3600)
        town.core.worker.retire("recycled: to see")
        await trio.sleep(3600)
    assert set(found) == {WELL}
    assert town.core.supervisor.launched == 2


async def test_a_run_that_does_not_end_is_stuck(autojump_clock, monkeypatch):
    """Past its timeout and all that muxd takes to end it; not before. It ends: all is well."""
    town = Town(a_job("slow", "10h", "1m", duration="20s", timeout="2m"))
    real, released = Runner._perform, trio.Event()

    async def perform(*args, **kwargs):
        await released.wait()
        return await real(*args, **kwargs)

    monkeypatch.setattr(Runner, "_perform", perform)
    async with looking(town) as found:
        await trio.sleep(60 + 120 + RUN_SLACK - 10)
        assert set(found) == {WELL}
        await trio.sleep(30)
        assert found[-1] == Health(stuck=("a run of 'slow' does not end; its timeout is 2m",))
        released.set()
        await trio.sleep(60)
        assert found[-1] == WELL


async def test_records_that_can_not_be_written_are_told(autojump_clock):
    """A ledger that fails for a while is muxd's to deal with, and worth a word."""
    town = Town(a_job("a", "1m", "30s", duration="5s"))
    async with looking(town) as found:
        await trio.sleep(50)
        town.store.write, real = broken, town.store.write
        await trio.sleep(200)
        assert found[-1].stuck == ()
        assert "can't be written to the ledger" in found[-1].ailing[0]
        town.store.write = real
        await trio.sleep(300)
        assert found[-1] == WELL


async def broken(*records):
    await trio.lowlevel.checkpoint()
    raise LedgerError("no")


@pytest.mark.parametrize(
    ("hangs", "words"),
    [
        ("muxd.worker.Worker._serve", "runs wait, and none is begun"),
        ("muxd.scheduler.Scheduler._release_due", "the next release is due and is not made"),
    ],
)
async def test_what_hangs_in_muxd_itself_is_stuck(autojump_clock, monkeypatch, hangs, words):
    """A release that nobody takes although a browser is up; one that is due and isn't made."""
    town = Town(a_job("due", "1h", "1m", duration="20s"))

    async def never(*args, **kwargs):
        await trio.sleep_forever()

    monkeypatch.setattr(hangs, never)
    async with looking(town) as found:
        await trio.sleep(60 + PATIENCE - 10)
        assert set(found) == {WELL}
        await trio.sleep(30)
        assert found[-1].stuck == (words,)


async def test_no_browser_is_no_reason_to_start_anew(autojump_clock):
    """That it doesn't come up for a while is told, and is not stuck; a loss is not even told."""
    town = Town(a_job("a", "1m", "30s", duration="5s"))
    async with looking(town) as found:
        await trio.sleep(300)
        town.browsers[-1].kill("killed by the test")
        await trio.sleep(300)
        assert set(found) == {WELL}
        real, town.core.supervisor._open = town.core.supervisor._open, refuses
        town.browsers[-1].kill("killed by the test")
        await trio.sleep(UNLUCKY + 30)
        assert found[-1] == Health(ailing=("there is no browser: there is none today",))
        await trio.sleep(3600)
        assert found[-1].stuck == ()
        town.core.supervisor._open = real
        await trio.sleep(300)
        assert found[-1] == WELL


@contextlib.asynccontextmanager
async def refuses(number):
    await trio.lowlevel.checkpoint()
    raise BrowserLost("there is none today")
    yield


async def test_jobs_that_are_held_are_not_stuck(autojump_clock):
    """Short of memory, what can wait waits for as long as it takes; that it is short is told."""
    town = Town(
        a_job("low", "10m", "1m", duration="5s", priority="low"), floors=Floors(memory=500 * MB)
    )
    town.free = Free(memory=100 * MB, disk=FreeDisk(8000 * MB, 10**6))
    async with looking(town) as found:
        await trio.sleep(3600)
    assert {health.stuck for health in found} == {()}
    assert "memory is short" in found[-1].ailing[0]


async def test_a_drain_may_take_its_time(autojump_clock):
    """Told to stop, muxd makes no release any more: that is not stuck."""
    jobs = a_job("a", "1m", duration="5s"), a_job("b", "10m", "30s", duration="10s", timeout="1h")
    town = Town(*jobs, grace=3600.0)
    town.took = {"b": 1000.0}
    async with looking(town) as found:
        await trio.sleep(35)
        assert town.core.book.running.job == "b"
        town.core.stop()
        await trio.sleep(2 * PATIENCE)
        assert town.core.book.running.job == "b"
    assert set(found) == {WELL}
