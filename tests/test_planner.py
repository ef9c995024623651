"""The timetable in force: kept where it can be, made anew when asked, and followed by the ledger."""

from __future__ import annotations

import attrs
import pytest
import trio

from muxd.bus import Bus
from muxd.config import SlottingConfig
from muxd.errors import LedgerError, UserError
from muxd.events import PlanMade
from muxd.job import Job
from muxd.planner import REST, Planner
from muxd.record import Outcome, Record
from muxd.testing import MemoryStore


async def body(run):
    pass


@attrs.define
class Some:
    """Plugins with these jobs and muxd's own slotter."""

    jobs: tuple

    def slotters(self):
        from muxd.builtin.slotter import SolvingSlotter

        return [("muxd.slotter", SolvingSlotter())]


def jobs(*names, duration="40s", timeout="20m"):
    return tuple(
        Job(name, body, interval="30m", duration=duration, timeout=timeout) for name in names
    )


def ran(job, seconds, number):
    return Record(
        id=f"{job}{number}", job=job, released_at=float(number), started_at=float(number),
        ended_at=number + seconds, outcome=Outcome.ok,
    )  # fmt: skip


@pytest.fixture
def store():
    return MemoryStore()


async def at_once(work):
    return work()


async def begun(store, some, bus=None, **options):
    # Not in a thread: virtual time would not wait for it.
    planner = Planner(
        Some(some), store, bus or Bus(), SlottingConfig(), in_thread=at_once, **options
    )
    await planner.begin()
    return planner


async def test_phases_outlive_their_plugin(store):
    """A job that is away for one start has its old phase when it is back."""
    async with store.open():
        first = (await begun(store, jobs("a", "b", "c"))).timetable.phases
        await begun(store, jobs("a", "c"))
        assert (await begun(store, jobs("a", "b", "c"))).timetable.phases == first


async def test_anew_keeps_nothing_and_a_tight_plan_says_so(store):
    """Phases that leave no room are kept and told of; --anew makes room."""
    async with store.open():
        await store.set_phases({"a": (1800, 0), "b": (1800, 40), "c": (1800, 900)})
        kept = (await begun(store, jobs("a", "b", "c"))).timetable
        assert kept.phases == {"a": 0, "b": 40, "c": 900}
        assert "--anew" in kept.warnings[-1]
        fresh = (await begun(store, jobs("a", "b", "c"), anew=True)).timetable
        assert fresh.min_gap > 300
        assert not fresh.warnings


async def test_too_much_is_refused(store):
    """Beyond the limit there is no timetable, and the message has names."""
    async with store.open():
        with pytest.raises(UserError, match="slow down"):
            await begun(store, jobs("a", "b", duration="16m"))


async def test_a_job_that_outgrows_its_slot_moves(autojump_clock, store):
    """After runs that overran their slot the timetable is looked at, and changed as needed."""
    bus = Bus()
    async with store.open():
        await store.set_phases({"a": (1800, 0), "b": (1800, 860)})
        planner = await begun(store, jobs("a", "b"), bus)
        adopted = []
        with bus.subscribe("test") as events:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(planner.run, adopted.append)
                for number in range(6):
                    record = ran("a", 870.0, number)
                    await store.write(record)
                    planner.ended(record)
                with trio.fail_after(10 * REST):
                    told = await events.receive()
                    while not told.moved:
                        told = await events.receive()
                nursery.cancel_scope.cancel()
        assert isinstance(told, PlanMade)
        assert len(told.moved) == 1
        assert adopted[-1] is planner.timetable
        assert planner.timetable.feasible
        assert planner.timetable.slot("a").duration == 870
        assert {n: p for n, (_, p) in (await store.phases()).items()} == adopted[-1].phases


async def test_a_ledger_that_fails_puts_it_off(autojump_clock, store):
    """The timetable in force stays; it is looked at when the ledger works again."""
    async with store.open():
        planner = await begun(store, jobs("a", "b"))
        adopted = []
        with trio.fail_after(10 * REST):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(planner.run, adopted.append)
                for number in range(6):
                    await store.write(ran("a", 870.0, number))
                store.failure = LedgerError("disk I/O error")
                planner.ended(ran("a", 870.0, 6))
                await trio.sleep(1.5 * REST)
                assert not adopted
                store.failure = None
                await trio.sleep(REST)
                nursery.cancel_scope.cancel()
        assert adopted[-1].slot("a").duration == 870


async def test_short_runs_now_and_then_leave_it_alone(autojump_clock, store):
    """A run within its slot is no reason to look."""
    async with store.open():
        planner = await begun(store, jobs("a", "b"))
        before = planner.timetable
        with trio.move_on_after(10 * REST):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(planner.run, lambda table: pytest.fail("looked"))
                for number in range(5):
                    planner.ended(ran("a", 10.0, number))
                    await trio.sleep(REST)
        assert planner.timetable is before
