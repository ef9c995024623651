"""Which jobs are paused, and how that outlives everything."""

from __future__ import annotations

import attrs
import pytest
import trio

from muxd import Job, Outcome, Record
from muxd.bus import Bus
from muxd.errors import LedgerError
from muxd.events import JobPaused, JobResumed
from muxd.pauses import STRIKES, Pauses
from muxd.testing import MemoryStore


async def body(run):
    """Do nothing."""


HOURLY = Job("a", body, interval="1h")


def record(number: int, *, harm: str | None = "left 1 process", **fields) -> Record:
    own = {
        "id": f"{number:04}",
        "job": "a",
        "released_at": float(number),
        "started_at": float(number),
        "ended_at": number + 1.0,
        "outcome": Outcome.ok,
        "harm": harm,
    }
    return Record(**(own | fields))


@attrs.define
class Desk:
    """Pauses on a store in memory, in virtual time."""

    store: MemoryStore
    bus: Bus
    pauses: Pauses

    def strike(self, times: int = STRIKES) -> None:
        for number in range(times):
            self.pauses.ended(record(number), HOURLY)


@pytest.fixture
async def desk():
    store, bus = MemoryStore(), Bus()
    async with store.open():
        yield Desk(store, bus, Pauses(store, bus, real_now=trio.current_time))


async def test_three_in_a_row_pause_a_job_and_fewer_do_not(autojump_clock, desk):
    """A run without harm in between begins the count anew; what never ran does not count."""
    desk.strike(STRIKES - 1)
    desk.pauses.ended(record(7, harm=None), HOURLY)
    desk.strike(STRIKES - 1)
    missed = record(8, harm=None, started_at=None, outcome=Outcome.missed)
    desk.pauses.ended(missed, HOURLY)
    assert desk.pauses.in_the_way("a") is None
    with desk.bus.subscribe("test") as events:
        desk.pauses.ended(record(9, harm="blocked muxd for 9 s"), HOURLY)
        event = await events.receive()
    assert isinstance(event, JobPaused)
    assert event.pause.note == "3x running, last: blocked muxd for 9 s"
    assert desk.pauses.in_the_way("a") == event.pause
    assert desk.pauses.in_the_way("b") is None


async def test_a_pause_outlives_muxd(autojump_clock, desk):
    """It is in the store soon after it is in force, and so is its end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.pauses.run)
        desk.pauses.pause("a", "a holiday")
        await trio.sleep(1)
        later = Pauses(desk.store, desk.bus, real_now=trio.current_time)
        await later.load()
        assert later.all == desk.pauses.all
        assert desk.pauses.resume("a", by="a person")
        assert not desk.pauses.resume("a", by="a person")
        await trio.sleep(1)
        assert await desk.store.pauses() == {}
        nursery.cancel_scope.cancel()


async def test_a_store_that_fails_delays_the_writing_not_the_pause(autojump_clock, desk):
    """It is tried again until it is written."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.pauses.run)
        desk.store.failure = LedgerError("the disk is full")
        desk.strike()
        assert desk.pauses.in_the_way("a") is not None
        await trio.sleep(100)
        desk.store.failure = None
        await trio.sleep(11)
        assert set(await desk.store.pauses()) == {"a"}
        nursery.cancel_scope.cancel()


async def test_harm_is_counted_across_restarts(autojump_clock, desk):
    """A job that kills muxd each time is paused although no muxd sees it three times; what was
    forgiven stays so."""
    desk.strike(STRIKES - 1)
    desk.pauses.ended(record(50, job="b"), HOURLY)
    desk.pauses.resume("b", by="a person")
    await desk.pauses.save()
    for number in (60, 61):
        later = Pauses(desk.store, desk.bus, real_now=trio.current_time)
        await later.load()
        assert not later.all
        later.ended(record(number, job="b"), HOURLY)
        await later.save()
    later.ended(record(62), HOURLY)
    assert set(later.all) == {"a"}


async def test_a_run_that_was_cut_off_shows_nothing(autojump_clock, desk):
    """It neither ends a pause nor the count, unless it did harm."""
    desk.strike(STRIKES - 1)
    for outcome in (Outcome.interrupted, Outcome.cancelled):
        desk.pauses.ended(record(7, harm=None, outcome=outcome), HOURLY)
    desk.pauses.ended(record(8, outcome=Outcome.interrupted), HOURLY)
    probe_at = desk.pauses.all["a"].probe_at
    cut_off = record(9, harm=None, outcome=Outcome.interrupted, started_at=probe_at + 1)
    desk.pauses.ended(cut_off, HOURLY)
    assert set(desk.pauses.all) == {"a"}


async def test_a_pause_taken_while_the_clock_was_wrong_lasts_no_longer(autojump_clock):
    """Set back by years, it lasts as long again as it was to."""
    now = 1e9
    store = MemoryStore()
    async with store.open():
        pauses = Pauses(store, Bus(), real_now=lambda: now)
        pauses.pause("a", "3x running", interval=3600.0)
        now -= 1e8
        assert pauses.in_the_way("a") is not None
        now += 3601
        assert pauses.in_the_way("a") is None


async def test_a_probe_comes_after_an_interval_at_the_earliest(autojump_clock, desk):
    """And one that does harm again doubles the wait, up to a day."""
    desk.strike()
    waits = []
    for number in range(10, 20):
        probe_at = desk.pauses.all["a"].probe_at
        await trio.sleep(probe_at - trio.current_time())
        assert desk.pauses.in_the_way("a") is None
        now = trio.current_time()
        desk.pauses.ended(record(number, started_at=now), HOURLY)
        assert desk.pauses.in_the_way("a") is not None
        waits.append(round((desk.pauses.all["a"].probe_at - now) / 600))
    assert waits == [6, 6, 8, 16, 32, 64, 128, 144, 144, 144]
    assert desk.pauses.all["a"].note == "tried again 10x in vain, last: left 1 process"


async def test_only_a_run_of_its_time_ends_a_pause(autojump_clock, desk):
    """One that was under way when the pause began, or that a person asked for, does not."""
    desk.strike()
    desk.pauses.ended(record(5, harm=None, started_at=trio.current_time()), HOURLY)
    assert desk.pauses.in_the_way("a") is not None
    with desk.bus.subscribe("test") as events:
        now = desk.pauses.all["a"].probe_at
        desk.pauses.ended(record(6, harm=None, started_at=now + 1), HOURLY)
        event = await events.receive()
    assert isinstance(event, JobResumed)
    assert event.by == "its run 0006, which did no harm"
    assert desk.pauses.all == {}


async def test_a_person_s_pause_lasts_until_a_person_ends_it(autojump_clock, desk):
    """However long that is; with a time given, until then."""
    desk.pauses.pause("a", "a holiday")
    for _ in range(1000):
        await trio.sleep(86_400)
    assert desk.pauses.in_the_way("a") is not None
    desk.pauses.pause("a", "a day off", until=trio.current_time() + 86_400)
    await trio.sleep(86_399)
    assert desk.pauses.in_the_way("a") is not None
    await trio.sleep(2)
    assert desk.pauses.in_the_way("a") is None
