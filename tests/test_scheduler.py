"""The scheduler, in virtual time, with the real book, channel, bus and timetable."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache, wraps
from itertools import count, pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

import muxd.misfire
from muxd import Job, Outcome, Record, open_priority_channel
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.civil import Calendar
from muxd.clock import Clock, ScaledClock
from muxd.errors import LedgerError, UnknownJob, UserError
from muxd.events import ClockJumped
from muxd.misfire import MOST_CATCH_UPS
from muxd.pauses import Pauses
from muxd.planning import make_timetable
from muxd.release import Cause, Release
from muxd.retry import delay
from muxd.scheduler import Scheduler
from muxd.slotting import Slot, Timetable
from muxd.testing.clock import VirtualClock
from muxd.testing.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from random import Random

    from muxd.clock import ClockJump
    from muxd.events import Event

MINUTE, HOUR, DAY = 60, 3600, 86_400
MONDAY = 1_704_067_200.0
"""2024-01-01 00:00 UTC, where the virtual clock starts."""

SIXTEEN = {
    "plan": ("60m", "0m"),
    "reply": ("60m", "5m"),
    "learn": ("60m", "10m"),
    "data_collection": ("60m", "15m"),
    "news_scraping": ("60m", "20m"),
    "analytics": ("30m", "0m"),
    "velocity_tracker": ("30m", "7m"),
    "sync_follower": ("30m", "12m"),
    "enhanced_metrics": ("30m", "18m"),
    "metrics_scraper": ("10m", "0m"),
    "posting_queue": ("5m", "0m"),
    "attribution": ("2h", "25m"),
    "real_outcomes": ("2h", "55m"),
    "digest": ("6h", "30m"),
    "cleanup": ("1d", "3h30m"),
    "weekly_report": ("7d", "9h"),
}


async def body(run):
    """Do nothing."""


def a_job(name: str = "a", interval: str = "1h", **fields) -> Job:
    return Job(name, body, interval=interval, **({"duration": "20s"} | fields))


def sixteen() -> list[Job]:
    return [
        a_job(name, interval, preferred_phase=phase) for name, (interval, phase) in SIXTEEN.items()
    ]


def bounded(test):
    """End a test that waits for ever; virtual weeks take no time."""

    @wraps(test)
    async def run(*args, **kwargs):
        with trio.fail_after(5 * 366 * DAY):
            await test(*args, **kwargs)

    return run


@attrs.define
class World:
    """A scheduler and all that it works with, and a worker that only sleeps."""

    clock: Clock
    store: MemoryStore
    book: RunBook
    bus: Bus[Event]
    pauses: Pauses
    scheduler: Scheduler
    timetable: Timetable
    calendar: Calendar
    takes: Callable[[Release], float]
    """How long a run takes, seconds."""
    ends: Callable[[Release], Outcome]
    """How a run ends."""
    harm: Callable[[Release], str | None]
    """What harm it does."""
    send: trio.abc.SendChannel[Release]
    receive: trio.abc.ReceiveChannel[Release]

    async def work(self) -> None:
        async for release in self.receive:
            record = await self.book.start(release, generation=1)
            await trio.sleep(self.takes(release))
            ended = await self.book.end(record, self.ends(release), harm=self.harm(release))
            self.pauses.ended(ended, release.job)
            self.scheduler.ended(ended)

    async def live(self, seconds: float) -> None:
        """Let the daemon live for that long."""
        async with self.alive():
            await trio.sleep(seconds)

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Let the daemon live for as long as the block."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.work)
            nursery.start_soon(self.scheduler.run)
            yield
            nursery.cancel_scope.cancel()

    def records(self, job: str | None = None, **fields) -> list[Record]:
        """Of a job, with these values, by their instants."""
        return sorted(
            (
                record
                for record in self.store.records.values()
                if job in (None, record.job)
                and all(getattr(record, name) == value for name, value in fields.items())
            ),
            key=lambda record: (record.released_at, record.id),
        )

    def instants(self, job: str | None = None, **fields) -> list[float]:
        """Seconds after the start of the virtual clock."""
        return [record.released_at - MONDAY for record in self.records(job, **fields)]

    def planned(self, start: float, end: float) -> list[tuple[float, str]]:
        """What the timetable says, with start <= instant < end, UTC only."""
        epoch = self.calendar.to_unix(0)
        return [
            (epoch + instant, slot.name)
            for instant, slot in self.timetable.releases(int(start - epoch), int(end - epoch))
        ]


@asynccontextmanager
async def open_world(
    *jobs: Job,
    zone: str = "UTC",
    clock: Clock | None = None,
    store: MemoryStore | None = None,
    timetable: Timetable | None = None,
    takes: Callable[[Release], float] = lambda _: 20.0,
    ends: Callable[[Release], Outcome] = lambda _: Outcome.ok,
    harm: Callable[[Release], str | None] = lambda _: None,
    capacity: float = math.inf,
) -> AsyncIterator[World]:
    clock = VirtualClock() if clock is None else clock
    store = MemoryStore() if store is None else store
    timetable = make_timetable(jobs) if timetable is None else timetable
    calendar = Calendar(ZoneInfo(zone))
    bus: Bus[Event] = Bus()
    async with store.open():
        numbers = count(len(store.records))
        book = RunBook(
            store,
            bus,
            real_now=lambda: clock.real(clock.now()),
            # Delays before further tries come from the ids: the same in each run of a test.
            new_id=lambda: f"{next(numbers):014}",
            speed=clock.speed,
        )
        send, receive = open_priority_channel[Release](capacity)
        pauses = Pauses(store, bus, real_now=lambda: clock.real(clock.now()))
        scheduler = Scheduler(
            clock=clock,
            calendar=calendar,
            timetable=timetable,
            jobs={job.name: job for job in jobs},
            channel=send,
            book=book,
            bus=bus,
            pauses=pauses,
            last_releases=await store.last_releases(),
        )
        yield World(
            clock=clock,
            store=store,
            book=book,
            bus=bus,
            pauses=pauses,
            scheduler=scheduler,
            timetable=timetable,
            calendar=calendar,
            takes=takes,
            ends=ends,
            harm=harm,
            send=send,
            receive=receive,
        )


def slots(*rows: tuple[str, int, int, int]) -> Timetable:
    """A timetable of (name, interval, phase, duration)."""
    return Timetable(
        slots=tuple(
            Slot(name=name, interval=interval, phase=phase, duration=duration)
            for name, interval, phase, duration in rows
        )
    )


def disjoint(records: Iterable[Record]) -> bool:
    """No two of the runs at once."""
    runs = sorted((r.started_at, r.ended_at) for r in records if r.started_at is not None)
    return all(over <= start for (_, over), (start, _) in pairwise(runs))


# The timetable


@bounded
async def test_sixteen_jobs_run_at_their_instants(autojump_clock) -> None:
    """Over two days every release of the timetable is one good run, on time, never two at once."""
    async with open_world(*sixteen()) as world:
        assert world.timetable.feasible
        await world.live(2 * DAY - 1)
    found = [(record.released_at, record.job) for record in world.records()]
    assert sorted(found) == sorted(world.planned(MONDAY, MONDAY + 2 * DAY - 1))
    assert len(found) > 1500
    assert {record.job for record in world.records()} >= set(SIXTEEN) - {"weekly_report"}
    assert {record.outcome for record in world.records()} == {Outcome.ok}
    assert {record.lateness for record in world.records()} == {0}
    assert world.book.most_at_once == 1
    assert disjoint(world.records())


@bounded
async def test_it_sleeps_from_release_to_release(autojump_clock) -> None:
    """It wakes as often as there are releases, and not at all where there are none."""

    @attrs.define
    class Counting(Clock):
        clock: VirtualClock = attrs.field(factory=VirtualClock)
        sleeps: int = 0

        def now(self) -> float:
            return self.clock.now()

        def real(self, t: float) -> float:
            return self.clock.real(t)

        async def sleep_until(self, t: float) -> ClockJump | None:
            self.sleeps += 1
            return await self.clock.sleep_until(t)

    clock = Counting()
    async with open_world(a_job("a", "1h"), clock=clock) as world:
        await world.live(10 * HOUR - 1)
    assert clock.sleeps <= 11
    clock = Counting()
    async with open_world(clock=clock) as world:
        await world.live(DAY)
    assert clock.sleeps == 1


@bounded
async def test_a_slow_worker_makes_releases_coalesce(autojump_clock) -> None:
    """Twelve minutes of work every five: each release has its record, at most one waits."""
    async with open_world(a_job(interval="5m"), takes=lambda _: 12.0 * MINUTE) as world:
        await world.live(2 * HOUR - 1)
    assert world.instants() == [n * 300.0 for n in range(24)]
    outcomes = Counter(record.outcome for record in world.records())
    assert outcomes == {Outcome.ok: 8, Outcome.coalesced: 16}
    assert disjoint(world.records(outcome=Outcome.ok))


@bounded
async def test_of_one_instant_the_higher_priority_is_run_first(autojump_clock) -> None:
    """Where the timetable could not keep them apart."""
    jobs = [a_job("low", priority="low"), a_job("high", priority="high"), a_job("mid")]
    rows = [(job.name, HOUR, 0, 20) for job in jobs]
    async with open_world(*jobs, timetable=slots(*rows)) as world:
        await world.live(MINUTE * 2)
    started = sorted(world.records(), key=lambda record: record.started_at or 0)
    assert [record.job for record in started] == ["high", "mid", "low"]


@bounded
async def test_a_phase_is_on_the_wall_clock_of_the_zone(autojump_clock) -> None:
    """15m of a 1h job is :15 in a zone that is off by half an hour."""
    job = a_job(preferred_phase="15m", pinned=True)
    async with open_world(job, zone="Asia/Kolkata") as world:
        await world.live(5 * HOUR)
    assert len(world.records()) == 5
    for record in world.records():
        assert world.calendar.local(record.released_at).minute == 15


@pytest.mark.parametrize(
    ("day", "hours", "daily"), [("2026-03-29", 23, "03:30"), ("2026-10-25", 25, "02:30")]
)
@bounded
async def test_the_days_on_which_the_clocks_change(
    autojump_clock, day: str, hours: int, daily: str
) -> None:
    """A daily job runs once at its time; a 5m job every five real minutes, all day."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    jobs = [a_job("often", "5m"), a_job("daily", "1d", preferred_phase="2h30m", pinned=True)]
    async with open_world(*jobs, zone="Europe/Berlin", clock=VirtualClock(midnight)) as world:
        await world.live(hours * HOUR - 1)
    often = [record.released_at for record in world.records("often")]
    assert len(often) == 12 * hours
    assert {after - before for before, after in pairwise(often)} == {300}
    (once,) = world.records("daily")
    assert world.calendar.local(once.released_at).strftime("%F %H:%M") == f"{day} {daily}"
    assert {record.outcome for record in world.records()} == {Outcome.ok}


@bounded
async def test_what_is_told_to_come_is_what_comes(autojump_clock) -> None:
    """`upcoming` and `next_release_of` name the instants of the releases."""
    async with open_world(*sixteen()) as world:
        told = world.scheduler.upcoming(200)
        assert len(told) == 200
        first = {name: world.scheduler.next_release_of(name) for name in SIXTEEN}
        await world.live(DAY)
    came = [(record.released_at, record.job) for record in world.records()]
    assert sorted(told) == sorted(came)[:200]
    for name in SIXTEEN:
        if name != "weekly_report":
            assert first[name] == world.records(name)[0].released_at
    assert world.scheduler.next_release_of("nonsense") is None


@bounded
async def test_a_channel_that_is_full_costs_the_run_and_is_recorded(autojump_clock) -> None:
    """Nothing is dropped silently."""
    jobs = [a_job("a"), a_job("b")]
    rows = [("a", HOUR, 0, 20), ("b", HOUR, 0, 20)]
    async with open_world(*jobs, timetable=slots(*rows), capacity=1) as world:
        with trio.move_on_after(MINUTE):
            await world.scheduler.run()
    assert [(r.job, r.outcome) for r in world.records()] == [("a", None), ("b", "missed")]


# Sleep, steps, restarts


@bounded
async def test_a_night_of_sleep(autojump_clock) -> None:
    """Each job once, one by one in gaps, the most overdue first; the rest are missed."""
    clock = VirtualClock()
    async with open_world(*sixteen(), clock=clock) as world, world.alive():
        await trio.sleep(HOUR + 100)
        clock.suspend(8 * HOUR)
        woke = clock.now()
        await trio.sleep(2 * HOUR - 101)
    records = world.records()
    # Every release of the timetable has one record, the night's too.
    assert sorted((r.released_at, r.job) for r in records) == sorted(
        world.planned(MONDAY, MONDAY + 11 * HOUR - 1)
    )
    night = [r for r in records if MONDAY + HOUR + 100 < r.released_at < woke]
    assert {r.outcome for r in night} == {Outcome.ok, Outcome.missed}
    caught = [r for r in night if r.outcome is Outcome.ok]
    assert {r.cause for r in caught} == {Cause.catch_up}
    for name in {r.job for r in night}:
        own = [r for r in night if r.job == name]
        assert [r.outcome for r in own[:-1]] == [Outcome.missed] * (len(own) - 1)
    # No burst: what comes by the timetable is not delayed by what is caught up with.
    assert disjoint(records)
    assert world.book.most_at_once == 1
    assert {r.lateness for r in records if r.cause is Cause.slot and r.started_at} == {0}
    # Most intervals overdue first.
    order = sorted(caught, key=lambda r: r.started_at or 0)
    since = {r.job: min(n.released_at for n in night if n.job == r.job) for r in caught}
    overdue = [(woke - since[r.job]) / world.scheduler.jobs[r.job].interval for r in order]
    assert overdue == sorted(overdue, reverse=True)
    assert len(overdue) > 8


@bounded
async def test_a_job_whose_own_slot_comes_first_is_not_run_twice(autojump_clock) -> None:
    """No gap before it: what was overdue is missed, and says so."""
    clock = VirtualClock()
    jobs = [a_job("a", "5m"), a_job("b", "5m")]
    tight = slots(("a", 300, 0, 140), ("b", 300, 150, 140))
    async with open_world(*jobs, clock=clock, timetable=tight) as world, world.alive():
        await trio.sleep(10)
        clock.suspend(HOUR + 140)
        await trio.sleep(10 * MINUTE)
    assert world.instants("a") == [n * 300.0 for n in range(15)]
    missed = world.records("a", outcome=Outcome.missed)
    assert missed[-1].error == "there is no free gap before its next release"
    assert {r.outcome for r in world.records(cause=Cause.catch_up)} == {Outcome.missed}


@bounded
async def test_a_slot_that_comes_first_stands_for_what_was_overdue(autojump_clock) -> None:
    """While another job was being caught up with; the overdue release is missed, and says so."""
    clock = VirtualClock()
    jobs = [a_job("a", "5m", preferred_phase="0m"), a_job("b", "5m", preferred_phase="2m")]
    slow = lambda release: 500.0 if release.cause is Cause.catch_up else 20.0  # noqa: E731
    async with open_world(*jobs, clock=clock, takes=slow) as world, world.alive():
        await trio.sleep(200)
        clock.suspend(HOUR)
        await trio.sleep(HOUR)
    assert [r.job for r in world.records(cause=Cause.catch_up, outcome=Outcome.ok)] == ["a"]
    overdue = [r for r in world.records("b") if r.released_at <= MONDAY + HOUR + 200]
    assert overdue[-1].outcome is Outcome.missed
    assert overdue[-1].error == "its next release came before there was a free gap"
    assert world.instants("b") == [120 + n * 300.0 for n in range(25)]


@bounded
async def test_a_stop_while_all_is_caught_up_with_loses_no_record(autojump_clock) -> None:
    """What it had not caught up with by then, the next scheduler catches up with."""
    clock, job = VirtualClock(), a_job(misfire="all", preferred_phase="0m")
    slow = lambda release: 1500.0  # noqa: E731
    async with open_world(job, clock=clock, takes=slow) as world:
        async with world.alive():
            await trio.sleep(1600)
            clock.suspend(10 * HOUR)
            await trio.sleep(2 * HOUR)
        await world.book.close()
    async with open_world(job, clock=clock, store=world.store) as later:
        (cut_off,) = await later.book.recover()
        await later.live(HOUR)
    assert later.instants() == [n * 3600.0 for n in range(14)]
    others = {r.outcome for r in later.records() if r.id != cut_off.id}
    assert others <= {Outcome.ok, Outcome.coalesced}  # a slot may come while one is run late


@bounded
async def test_what_is_owed_to_a_job_that_is_gone_or_changed_its_mind(autojump_clock) -> None:
    """It is missed, and says why: nothing stays open for ever."""
    clock, job = VirtualClock(), a_job(misfire="all", preferred_phase="0m")
    slow = lambda release: 1500.0  # noqa: E731
    async with open_world(job, clock=clock, takes=slow) as world, world.alive():
        await trio.sleep(1600)
        clock.suspend(5 * HOUR)
        await trio.sleep(60)
    other = a_job("other", preferred_phase="30m")
    async with open_world(other, clock=clock, store=world.store) as later:
        await later.book.recover()
        await later.live(MINUTE)
    assert [r for r in later.records("a") if r.outcome is None] == []
    assert {r.error for r in later.records("a", outcome=Outcome.missed)} == {"its job is gone"}


@bounded
async def test_a_job_that_leaves_the_timetable_takes_its_debts_along(autojump_clock) -> None:
    """What was owed to it is missed, at once."""
    clock, job = VirtualClock(), a_job(misfire="all", preferred_phase="0m")
    slow = lambda release: 1500.0  # noqa: E731
    async with open_world(job, clock=clock, takes=slow) as world, world.alive():
        await trio.sleep(1600)
        clock.suspend(5 * HOUR)
        await trio.sleep(60)
        world.scheduler.replace(slots(("other", HOUR, 0, 30)), {"other": a_job("other")})
        await trio.sleep(1)
        gone = world.records("a", outcome=Outcome.missed)
        assert len(gone) >= 3
        assert {r.error for r in gone} == {"its job is gone"}


@bounded
async def test_a_job_that_goes_while_its_debts_are_written_ends_nobody(
    autojump_clock, monkeypatch
) -> None:
    """A reload in that moment: all is missed, its release at that instant too; others go on."""
    clock, other = VirtualClock(), a_job("other", preferred_phase="30m")
    timetable = slots(("a", HOUR, 0, 20), ("other", HOUR, 1800, 20))
    job = a_job("a", misfire="all")
    async with open_world(job, other, clock=clock, timetable=timetable) as world, world.alive():
        sort_out = world.book.sort_out

        async def reloaded_meanwhile(whose, **debts):
            found = await sort_out(whose, **debts)
            if whose is job:
                rest = slots(("other", HOUR, 1800, 20))
                world.scheduler.replace(rest, {"other": other})
            return found

        monkeypatch.setattr(world.book, "sort_out", reloaded_meanwhile)
        await trio.sleep(1600)
        clock.suspend(5 * HOUR + 2000)  # at its instant it wakes
        await trio.sleep(2 * HOUR)
    gone = world.records("a", outcome=Outcome.missed)
    assert len(gone) == 6  # five that were owed, and one on time
    assert {record.error for record in gone} == {"its job is gone"}
    assert world.instants("a", outcome=Outcome.ok) == [0.0]
    assert len(world.records("other", outcome=Outcome.ok)) >= 2


@bounded
async def test_however_often_muxd_dies_a_job_is_owed_no_more_than_a_number(autojump_clock) -> None:
    """The oldest are missed."""
    clock, job = VirtualClock(), a_job(interval="1m", misfire="all", duration="5s")
    store = MemoryStore()
    for _ in range(3):
        async with open_world(job, clock=clock, store=store, takes=lambda _: 50.0) as world:
            await world.book.recover()
            async with world.alive():
                await trio.sleep(65)
                clock.suspend(HOUR)
                await trio.sleep(2 * MINUTE)
                owed = [r for r in world.records("a", cause=Cause.catch_up) if not r.outcome]
                begun = [r for r in owed if r.started_at]
                assert 0 < len(owed) - len(begun) <= MOST_CATCH_UPS
    instants = [r.released_at for r in store.records.values() if r.attempt == 1]
    assert len(instants) == len(set(instants))


# Pauses


@bounded
async def test_a_job_that_does_harm_three_times_running_is_paused(autojump_clock) -> None:
    """Its slots are passed over with a record each that says why; others lose nothing."""
    jobs = [a_job("bad", "5m"), a_job("good", "5m")]
    harm = lambda release: "crashed the browser" if release.job.name == "bad" else None  # noqa: E731
    async with open_world(*jobs, harm=harm, ends=lambda _: Outcome.ok) as world:
        await world.live(24 * MINUTE)
    outcomes = [r.outcome for r in world.records("bad")]
    assert outcomes[:4] == ["ok", "ok", "ok", "missed"]
    missed = world.records("bad", outcome=Outcome.missed)
    assert {r.error for r in missed} == {"its job is paused: 3x running, last: crashed the browser"}
    assert {r.outcome for r in world.records("good")} == {Outcome.ok}


@bounded
async def test_a_paused_job_is_tried_again_less_and_less_often(autojump_clock) -> None:
    """After 10 minutes, 20, 40 ... up to a day; each in a slot of its own."""
    job = a_job("bad", "5m")
    async with open_world(job, harm=lambda _: "blocked muxd for 9 s") as world:
        await world.live(4 * HOUR)
    ran = [r.started_at for r in world.records("bad", outcome=Outcome.ok)]
    waits = [round((after - before) / 300) for before, after in pairwise(ran)]
    assert waits == [1, 1, 3, 5, 9, 17]


@bounded
async def test_a_probe_that_does_no_harm_ends_the_pause(autojump_clock) -> None:
    """From then on every slot is used, and the harm of before is forgotten."""
    harmless_from = MONDAY + 20 * MINUTE
    harm = lambda r: None if r.released_at > harmless_from else "left 1 process"  # noqa: E731
    async with open_world(a_job("a", "5m"), harm=harm) as world:
        await world.live(HOUR + 100)
    assert [r.outcome for r in world.records("a")][-5:] == ["ok"] * 5
    assert not world.pauses.all


@bounded
async def test_what_is_paused_is_neither_caught_up_with_nor_tried_again(autojump_clock) -> None:
    """Nor is anything owed to it: all is recorded as missed."""
    clock = VirtualClock()
    job = a_job("a", "5m", misfire="all", retries=3)
    failing = lambda _: Outcome.failed  # noqa: E731
    async with open_world(job, clock=clock, ends=failing) as world, world.alive():
        await trio.sleep(MINUTE)
        world.pauses.pause("a", "a holiday")
        clock.suspend(HOUR)
        await trio.sleep(30 * MINUTE)
    later = [r for r in world.records("a") if r.released_at > MONDAY + MINUTE]
    assert len(later) == 18
    assert {r.outcome for r in later} == {Outcome.missed}
    assert {r.error for r in later} == {"its job is paused: a holiday"}


@bounded
async def test_a_stop_before_a_job_was_caught_up_with_is_no_end_to_it(autojump_clock) -> None:
    """The next start does it: stopping at once after waking up costs no run."""
    clock = VirtualClock()
    jobs = [a_job("a"), a_job("busy", "1m", duration="30s")]
    timetable = slots(("a", HOUR, 0, 25), ("busy", MINUTE, 30, 30))
    async with open_world(*jobs, clock=clock, timetable=timetable) as world:
        async with world.alive():
            await trio.sleep(100)
            clock.suspend(5 * HOUR + 10 * MINUTE + 50)
            await trio.sleep(1)  # the slot of "busy": no gap yet
        assert len(world.records("a", outcome=Outcome.missed)) == 4
        await world.book.close()
    async with open_world(*jobs, clock=clock, timetable=timetable, store=world.store) as later:
        await later.book.recover()
        await later.live(10 * MINUTE)
    assert [(r.released_at - MONDAY, r.cause, r.outcome) for r in later.records("a")][-1] == (
        5 * HOUR,
        "catch_up",
        "ok",
    )


@bounded
async def test_skip_forgets_what_was_overdue(autojump_clock) -> None:
    """With a record each, and the next at its slot."""
    clock = VirtualClock()
    async with open_world(a_job(misfire="skip"), clock=clock) as world, world.alive():
        await trio.sleep(100)
        clock.suspend(5 * HOUR)
        await trio.sleep(HOUR)
    assert [(r.released_at - MONDAY, r.outcome) for r in world.records()] == [
        (0, "ok"),
        *((n * 3600, "missed") for n in range(1, 6)),
        (6 * HOUR, "ok"),
    ]


@bounded
async def test_all_is_caught_up_with_one_by_one_up_to_a_number(autojump_clock) -> None:
    """The newest 24, the oldest of them first; older ones are missed."""
    clock = VirtualClock()
    async with open_world(a_job(misfire="all"), clock=clock) as world, world.alive():
        await trio.sleep(100)
        clock.suspend(30 * HOUR)
        await trio.sleep(3 * HOUR)
    assert [r.outcome for r in world.records()[1:7]] == ["missed"] * 6
    caught = world.records(cause=Cause.catch_up)
    assert [r.released_at - MONDAY for r in caught] == [n * 3600.0 for n in range(7, 31)]
    assert {r.outcome for r in caught} == {Outcome.ok}
    assert disjoint(world.records())
    started = [r.started_at for r in caught]
    assert started == sorted(started)
    assert world.instants() == [n * 3600.0 for n in range(34)]


@bounded
async def test_a_long_absence_does_not_flood_the_ledger(autojump_clock) -> None:
    """A hundred records a job, and one that says how many more there were."""
    clock = VirtualClock()
    job = a_job(interval="1m", duration="1s")
    async with open_world(job, clock=clock) as world, world.alive():
        await trio.sleep(10)
        clock.suspend(30 * DAY)
        await trio.sleep(30)
    missed = world.records(outcome=Outcome.missed)
    assert len(missed) == 101
    total = 30 * 24 * 60
    assert missed[0].released_at == MONDAY + 60
    assert f"{total - 1 - 100} releases, from 2024-01-01T00:01:00.000000Z" in (
        missed[0].error or ""
    )
    assert len(world.records(cause=Cause.catch_up)) == 1


@bounded
async def test_a_wait_of_seconds_is_not_a_misfire(autojump_clock) -> None:
    """A release whose turn comes a little late is an ordinary one."""
    clock = VirtualClock()
    async with open_world(a_job(), clock=clock) as world, world.alive():
        await trio.sleep(HOUR - 2)
        clock.suspend(5)
        await trio.sleep(MINUTE)
    assert [(r.cause, r.outcome, r.lateness) for r in world.records()] == [
        ("slot", "ok", 0),
        ("slot", "ok", 3),
    ]


@bounded
async def test_a_process_that_was_stopped_does_not_burst_either(autojump_clock) -> None:
    """No clock jumped, only nobody ran: the lateness alone makes it overdue."""

    class Frozen(Clock):
        """A clock at which one sleep takes eight hours too long."""

        def __init__(self) -> None:
            self.clock = VirtualClock()
            self.frozen = False

        def now(self) -> float:
            return self.clock.now()

        def real(self, t: float) -> float:
            return t

        async def sleep_until(self, t: float) -> ClockJump | None:
            if not self.frozen and t > MONDAY + HOUR:
                self.frozen = True
                t += 8 * HOUR
            return await self.clock.sleep_until(t)

    async with open_world(*sixteen(), clock=Frozen()) as world:
        await world.live(11 * HOUR - 1)
    assert sorted((r.released_at, r.job) for r in world.records()) == sorted(
        world.planned(MONDAY, MONDAY + 11 * HOUR - 1)
    )
    assert len(world.records(cause=Cause.catch_up)) > 8
    assert disjoint(world.records())


@bounded
async def test_a_step_forward_is_told_and_loses_nothing(autojump_clock) -> None:
    """The hour that never was has its records; the newest of each job is run."""
    clock = VirtualClock()
    async with open_world(*sixteen(), clock=clock) as world:
        with world.bus.subscribe("test") as heard:
            async with world.alive():
                await trio.sleep(HOUR + 100)
                clock.step(HOUR)
                await trio.sleep(2 * HOUR - 101)
            jumps = [e for e in _drain(heard) if isinstance(e, ClockJumped)]
    assert [(jump.seconds, jump.kind) for jump in jumps] == [(HOUR, "step")]
    assert sorted((r.released_at, r.job) for r in world.records()) == sorted(
        world.planned(MONDAY, MONDAY + 4 * HOUR - 1)
    )
    assert disjoint(world.records())


def _drain(heard) -> list:
    found = []
    while True:
        try:
            found.append(heard.receive_nowait())
        except trio.WouldBlock:
            return found


@bounded
async def test_an_hour_back_runs_no_daily_job_twice(autojump_clock) -> None:
    """The 02:30 job has run; the clock shows 02:00 again; it is not run again."""
    clock = VirtualClock()
    job = a_job(interval="1d", preferred_phase="2h30m", pinned=True)
    async with open_world(job, clock=clock) as world, world.alive():
        await trio.sleep(3 * HOUR)
        clock.step(-HOUR)
        await trio.sleep(2 * DAY + HOUR)
    assert world.instants() == [2.5 * HOUR + n * DAY for n in range(3)]


@pytest.mark.parametrize("woken", [False, True], ids=["asleep", "told something meanwhile"])
@bounded
async def test_a_sleep_and_a_step_back_in_one_moment(autojump_clock, woken: bool) -> None:
    """The scheduler learns of both before it sorts out what is overdue: what is recorded then is one
    row in order, with as many releases as time has passed, and none is sorted out twice."""
    clock = VirtualClock()
    async with open_world(a_job(interval="10m"), clock=clock) as world, world.alive():
        await trio.sleep(3 * HOUR + 100)
        before = set(world.store.records)
        clock.suspend(8 * HOUR)
        clock.step(-2 * HOUR)
        if woken:
            world.scheduler.news()
        await trio.sleep(60)
    after = sorted(r.released_at for r in world.records() if r.id not in before)
    assert after == [MONDAY + HOUR + 600 * (n + 1) for n in range(48)]


@bounded
async def test_an_hour_back_lets_short_intervals_go_on(autojump_clock) -> None:
    """A 5m job runs every five real minutes, whatever the wall shows; an hourly one hourly."""
    clock = VirtualClock()
    jobs = [a_job("often", "5m", preferred_phase="0m"), a_job("hourly", preferred_phase="1m")]
    async with open_world(*jobs, clock=clock) as world:
        before = trio.current_time()
        async with world.alive():
            await trio.sleep(3 * HOUR + 200)
            clock.step(-HOUR)
            await trio.sleep(3 * HOUR)
        passed = trio.current_time() - before
    assert len(world.records("often")) == pytest.approx(passed / 300, abs=1)
    assert len(world.records("hourly")) == pytest.approx(passed / 3600, abs=1)
    assert {r.outcome for r in world.records()} == {Outcome.ok}


@bounded
async def test_a_small_step_back_releases_nothing_again(autojump_clock) -> None:
    """The instant that comes twice is released once."""
    clock = VirtualClock()
    async with open_world(a_job(interval="5m"), clock=clock) as world, world.alive():
        await trio.sleep(HOUR + 1)
        clock.step(-3)
        await trio.sleep(HOUR)
    assert world.instants() == [n * 300.0 for n in range(24)]


@pytest.mark.parametrize("interval", ["5m", "1h", "1d"])
@bounded
async def test_a_clock_that_was_a_year_ahead_stalls_nothing(autojump_clock, interval: str) -> None:
    """Set right while muxd runs: the next release is at most one and a half intervals away."""
    clock = VirtualClock(MONDAY + 365 * DAY)
    job = a_job(interval=interval)
    async with open_world(job, clock=clock) as world, world.alive():
        await trio.sleep(10 * MINUTE)
        clock.step(-365 * DAY)
        now = clock.now()
        await trio.sleep(1)
        following = world.scheduler.next_release_of("a")
    assert following is not None
    assert now < following <= now + 1.5 * job.interval


@pytest.mark.parametrize("interval", ["5m", "1h", "1d"])
@bounded
async def test_releases_that_lie_ahead_in_the_ledger_stall_nothing(
    autojump_clock, interval: str
) -> None:
    """The clock was a year ahead before the restart: at most one interval is waited."""
    job = a_job(interval=interval)
    clock = VirtualClock(MONDAY + 365 * DAY)
    async with open_world(job, clock=clock) as world:
        await world.live(DAY)
    async with open_world(job, store=world.store) as later:
        following = later.scheduler.next_release_of("a")
        assert following is not None
        assert MONDAY <= following <= MONDAY + job.interval


@bounded
async def test_a_step_back_before_the_first_sleep_stalls_nothing(autojump_clock) -> None:
    """The clock is often set right while a machine, and muxd with it, starts."""
    clock = VirtualClock(MONDAY + 365 * DAY)
    async with open_world(a_job(interval="5m", preferred_phase="1m"), clock=clock) as world:
        clock.step(-365 * DAY)
        await world.live(10 * MINUTE)
    assert world.instants() == [60, 360]


@bounded
async def test_a_restart_goes_on_where_it_was(autojump_clock) -> None:
    """Each release has one record, across any number of restarts at any moment."""
    clock = VirtualClock()
    store = MemoryStore()
    for seconds in (100, 1, 3000, 299, 301, 7000, 20, 4 * HOUR):
        async with open_world(*sixteen(), clock=clock, store=store) as world:
            await world.book.recover()
            await world.live(seconds)
            await world.book.close()
    end = clock.now()
    found = [(record.released_at, record.job) for record in world.records()]
    assert sorted(found) == sorted(world.planned(MONDAY, end))


@bounded
async def test_what_was_overdue_at_a_stop_is_found_again(autojump_clock) -> None:
    """Stopped before, while and after it was caught up with: one record each all the same."""
    clock = VirtualClock()
    store = MemoryStore()
    jobs = [*sixteen(), a_job("all", "40m", misfire="all"), a_job("skip", "45m", misfire="skip")]
    async with open_world(*jobs, clock=clock, store=store) as world:
        await world.live(26 * HOUR)  # each job has been released once
    await trio.sleep(7 * HOUR)
    for seconds in (0.5, 1, 20, 100, 1000, 3 * HOUR):
        async with open_world(*jobs, clock=clock, store=store) as world:
            await world.book.recover()
            await world.live(seconds)
            await world.book.close()
    found = [(record.released_at, record.job) for record in world.records()]
    assert sorted(found) == sorted(world.planned(MONDAY, clock.now()))


@bounded
async def test_a_rehearsal_has_no_past(autojump_clock) -> None:
    """It catches up with nothing, and leaves nothing to be caught up with."""
    clock = VirtualClock()
    async with open_world(a_job(), clock=clock) as world:
        await world.live(100)
    await trio.sleep(9.5 * HOUR)
    async with open_world(a_job(), clock=ScaledClock(60, clock), store=world.store) as later:
        await later.live(HOUR)
    rehearsed = later.records(speed=60)
    assert {r.cause for r in rehearsed} == {Cause.slot}
    assert len(rehearsed) == 60
    assert await _last(world.store) == {"a": MONDAY}


async def _last(store: MemoryStore) -> dict[str, float]:
    async with store.open():
        return dict(await store.last_releases())


@bounded
async def test_a_rehearsal_is_on_time_in_real_time(autojump_clock) -> None:
    """An hour a minute: releases are recorded at real instants, a second apart for a minute."""
    clock = ScaledClock(60, VirtualClock())
    jobs = [a_job("a", "5m"), a_job("b", "10m"), a_job("c", "1h")]
    async with open_world(*jobs, clock=clock, takes=lambda _: 0.5) as world:
        await world.live(2 * MINUTE - 0.1)
    assert len(world.records("a")) == 24
    assert len(world.records("c")) == 2
    starts = [r.released_at for r in world.records("a")]
    for before, after in pairwise(starts):
        assert after - before == pytest.approx(5)
    assert max(r.lateness or 0 for r in world.records()) < 0.6
    assert {r.outcome for r in world.records()} == {Outcome.ok}


# Tries of what did not end well


def failing(*names: str) -> Callable[[Release], Outcome]:
    return lambda release: Outcome.failed if release.job.name in names else Outcome.ok


@bounded
async def test_tries_land_in_gaps(autojump_clock) -> None:
    """A failed run is tried again after a growing delay, and meets no other job."""
    jobs = [*sixteen(), a_job("shaky", "2h", retries=3, preferred_phase="2m", duration="40s")]
    async with open_world(
        *jobs,
        ends=failing("shaky"),
        takes=lambda release: 40.0 if release.job.name == "shaky" else 20.0,
    ) as world:
        await world.live(3 * HOUR)
    tries = world.records("shaky")[:4]
    assert [(r.cause, r.attempt) for r in tries] == [
        ("slot", 1),
        ("retry", 2),
        ("retry", 3),
        ("retry", 4),
    ]
    assert {r.first_id for r in tries[1:]} == {tries[0].id}
    assert disjoint(world.records())
    assert {r.lateness for r in world.records() if r.started_at} == {0}
    for before, after in pairwise(tries):
        assert before.ended_at is not None
        waited = after.released_at - before.ended_at
        assert waited >= delay(before.attempt, seed=tries[0].id)


@bounded
async def test_tries_of_several_jobs_take_different_gaps(autojump_clock) -> None:
    """Failing together does not mean failing on each other."""
    names = [f"shaky{n}" for n in range(6)]
    jobs = [a_job(name, retries=1) for name in names]
    async with open_world(*jobs, ends=failing(*names)) as world:
        await world.live(HOUR - 1)
    assert len(world.records(cause=Cause.retry)) == 6
    assert disjoint(world.records())
    assert {r.lateness for r in world.records()} == {0}


@bounded
async def test_nothing_is_placed_where_time_is_reserved(autojump_clock) -> None:
    """A further try comes after it."""
    async with open_world(a_job(retries=1), ends=failing("a")) as world:
        world.scheduler.reserve("somebody", (MONDAY + 20, MONDAY + 1000))
        await world.live(HOUR - 1)
    (retry,) = world.records(cause=Cause.retry)
    assert retry.released_at == MONDAY + 1000


@bounded
async def test_the_next_release_stands_for_a_try(autojump_clock) -> None:
    """There is no try where it would come after the job's own slot."""
    async with open_world(
        a_job(interval="1m", duration="5s", retries=20), ends=failing("a"), takes=lambda _: 5.0
    ) as world:
        await world.live(30 * MINUTE - 1)
    by_slot = world.records(cause=Cause.slot)
    assert [r.released_at - MONDAY for r in by_slot] == [n * 60.0 for n in range(30)]
    assert {r.attempt for r in world.records(cause=Cause.retry)} == {2}
    assert {r.outcome for r in world.records()} == {Outcome.failed}


@bounded
async def test_a_good_try_is_the_last(autojump_clock) -> None:
    """Retries are used only as far as they are needed."""
    ends = lambda release: Outcome.ok if release.attempt == 2 else Outcome.crashed  # noqa: E731
    async with open_world(a_job(retries=5), ends=ends) as world:
        await world.live(HOUR - 1)
    assert [r.outcome for r in world.records()] == ["crashed", "ok"]


@bounded
async def test_a_try_that_was_slept_over_finds_another_gap(autojump_clock) -> None:
    """Its gap is over, its job's slot is still far: it is not run on top of another job."""
    clock = VirtualClock()
    jobs = [a_job("shaky", "1d", retries=1), a_job("often", "1m", duration="30s")]
    timetable = slots(("shaky", DAY, 0, 25), ("often", MINUTE, 30, 30))
    async with (
        open_world(*jobs, clock=clock, timetable=timetable, ends=failing("shaky")) as world,
        world.alive(),
    ):
        await trio.sleep(25)
        clock.suspend(2 * HOUR + 10)
        await trio.sleep(10 * MINUTE)
    _first, second = world.records("shaky")
    assert (second.cause, second.lateness) == (Cause.retry, 0)
    assert second.released_at > MONDAY + 2 * HOUR
    assert disjoint(world.records())


@bounded
async def test_a_try_does_not_wait_for_a_clock_that_was_set_back(autojump_clock) -> None:
    """It comes after its delay in truth, and once."""
    clock = VirtualClock()
    jobs = [a_job("shaky", "1d", retries=1)]
    async with open_world(*jobs, clock=clock, ends=failing("shaky")) as world, world.alive():
        await trio.sleep(25)
        clock.step(-3 * HOUR)
        await trio.sleep(2 * MINUTE)
        assert len(world.records("shaky", cause=Cause.retry)) == 1
        await trio.sleep(4 * HOUR)
    assert len(world.records("shaky")) == 2


@bounded
async def test_a_rehearsal_tries_nothing_again_of_real_life(autojump_clock) -> None:
    """A run that was cut off in earnest is not the rehearsal's."""
    clock = VirtualClock()
    job = a_job(interval="1d", idempotent=True)
    async with open_world(job, clock=clock) as world:
        await world.live(10)
    rehearsal = ScaledClock(60, clock)
    async with open_world(job, clock=rehearsal, store=world.store) as later:
        await later.book.recover()
        for record in later.book.unsettled:
            later.scheduler.ended(record)
        await later.live(5 * MINUTE)
    assert later.records(cause=Cause.retry) == []


@bounded
async def test_a_try_waits_in_real_time_in_a_rehearsal(autojump_clock) -> None:
    """Delays are real: a minute is not a second."""
    clock = ScaledClock(60, VirtualClock())
    job = a_job(interval="1d", retries=1)
    async with open_world(job, clock=clock, ends=failing("a"), takes=lambda _: 1.0) as world:
        await world.live(5 * MINUTE)
    first, second = world.records()
    assert first.ended_at is not None
    assert second.released_at - first.ended_at >= delay(1, seed=first.id) - 1e-3


@bounded
async def test_a_run_that_the_last_daemon_did_not_end_is_tried_again(autojump_clock) -> None:
    """What the book recovers may be told to the scheduler before it runs."""
    clock = VirtualClock()
    job = a_job(idempotent=True)
    async with open_world(job, clock=clock) as world:
        await world.live(10)
    async with open_world(job, clock=clock, store=world.store) as later:
        await later.book.recover()
        for record in later.book.unsettled:
            later.scheduler.ended(record)
        await later.live(10 * MINUTE)
    assert [(r.cause, r.outcome) for r in later.records()] == [
        ("slot", "interrupted"),
        ("retry", "ok"),
    ]


# What people ask for


@bounded
async def test_a_person_gets_a_run_at_once_and_before_all(autojump_clock) -> None:
    """It does not touch the timetable, and works while the scheduler sleeps."""
    jobs = [a_job("busy", "5m", priority="critical"), a_job("b"), a_job("c")]
    rows = [("busy", 300, 0, 200), ("b", HOUR, 1800, 20), ("c", HOUR, 100, 20)]
    async with (
        open_world(*jobs, timetable=slots(*rows), takes=lambda _: 200.0) as world,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(world.live, 20 * MINUTE)
        await trio.sleep(110)  # busy is in progress, c waits
        release = await world.scheduler.request("b")
        record = await world.book.wait_ended(release.id)
        nursery.cancel_scope.cancel()
    assert (record.cause, record.released_at, record.started_at) == (
        Cause.manual,
        MONDAY + 110,
        MONDAY + 200,
    )
    assert world.records("c")[0].started_at in (None, MONDAY + 400)


@bounded
async def test_who_asks_for_a_run_that_waits_gets_that_one(autojump_clock) -> None:
    """It is in the channel once."""
    async with open_world(a_job("a"), a_job("b")) as world:
        first = await world.scheduler.request("a")
        assert await world.scheduler.request("a") == first
        with pytest.raises(UnknownJob):
            await world.scheduler.request("c")
        await world.live(1)
    assert [r.outcome for r in world.records("a", cause=Cause.manual)] == [None, "coalesced"]


@bounded
async def test_a_request_while_muxd_stops_is_refused_and_recorded(autojump_clock) -> None:
    """The channel is closed first, then the book."""
    async with open_world(a_job()) as world:
        await world.send.aclose()
        with pytest.raises(UserError, match="stopping"):
            await world.scheduler.request("a")
        await world.book.close()
        with pytest.raises(UserError, match="stopping"):
            await world.scheduler.request("a")
    assert [r.outcome for r in world.records()] == ["interrupted"]


@bounded
async def test_a_job_without_a_slot_runs_when_asked_for(autojump_clock) -> None:
    """And is tried again like others."""
    async with open_world(
        a_job(retries=1), timetable=Timetable(slots=()), ends=failing("a")
    ) as world:
        await world.scheduler.request("a")
        await world.live(HOUR)
    assert [r.cause for r in world.records()] == [Cause.manual, Cause.retry]


# Another timetable


@bounded
async def test_another_timetable_takes_over(autojump_clock) -> None:
    """Jobs that stay neither stall nor run twice; new ones come, old ones go."""
    async with (
        open_world(
            a_job("stays"),
            a_job("goes"),
            timetable=slots(("stays", HOUR, 600, 20), ("goes", HOUR, 1200, 20)),
        ) as world,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(world.live, 4 * HOUR)
        await trio.sleep(2 * HOUR + 700)
        jobs = {job.name: job for job in (a_job("stays"), a_job("comes", "30m"))}
        world.scheduler.replace(slots(("stays", HOUR, 900, 20), ("comes", 1800, 1500, 20)), jobs)
        assert set(world.scheduler.jobs) == {"stays", "comes"}
    assert world.instants("goes") == [1200.0, HOUR + 1200.0]
    assert world.instants("stays") == [600.0, HOUR + 600.0, 2 * HOUR + 600.0, 3 * HOUR + 900.0]
    assert world.instants("comes") == [
        2 * HOUR + 1500.0,
        2 * HOUR + 3300,
        3 * HOUR + 1500.0,
        3 * HOUR + 3300,
    ]


@bounded
async def test_a_job_that_keeps_its_place_is_not_looked_up_again(
    autojump_clock, monkeypatch
) -> None:
    """Where one of many takes longer now, no other's next release is computed; all come as ever."""
    jobs = [a_job("longer"), *(a_job(f"other-{n}") for n in range(20))]
    rows = [(job.name, HOUR, 60 * n, 20) for n, job in enumerate(jobs)]
    async with open_world(*jobs, timetable=slots(*rows)) as world, world.alive():
        await trio.sleep(HOUR / 2)
        before = world.scheduler.upcoming(50)
        asked = []
        monkeypatch.setattr(Calendar, "next_release", lambda *args: asked.append(args))
        rows[0] = ("longer", HOUR, 0, 40)
        world.scheduler.replace(slots(*rows), {job.name: job for job in jobs})
        monkeypatch.undo()
        assert asked == []
        assert world.scheduler.upcoming(50) == before
        await trio.sleep(HOUR)
    assert len(world.records(outcome=Outcome.ok)) == 2 * 21
    assert {record.lateness for record in world.records(outcome=Outcome.ok)} == {0}


@bounded
async def test_a_job_that_was_declared_anew_is_released_as_it_is_now(autojump_clock) -> None:
    """Though it keeps its place: its session, whose page is opened ahead, may be another."""
    async with open_world(a_job("a"), timetable=slots(("a", HOUR, 600, 20))) as world:
        other = a_job("a", session="shop")
        world.scheduler.replace(slots(("a", HOUR, 600, 30)), {"a": other})
        assert world.scheduler.next_job is other


@bounded
async def test_what_was_placed_in_a_gap_finds_one_of_the_other_timetable(autojump_clock) -> None:
    """A try does not run on top of a slot that was not there when it was planned."""
    jobs = [a_job("shaky", "1d", retries=1), a_job("often", "1m", duration="30s")]
    async with (
        open_world(*jobs, timetable=slots(("shaky", DAY, 0, 20)), ends=failing("shaky")) as world,
        world.alive(),
    ):
        await trio.sleep(25)
        planned = world.scheduler.next_release_of("shaky")
        assert planned is not None
        phase = int(planned - MONDAY) % MINUTE  # right on top of it
        other = slots(("shaky", DAY, 0, 20), ("often", MINUTE, phase, 30))
        world.scheduler.replace(other, {job.name: job for job in jobs})
        await trio.sleep(HOUR)
    again = world.records("shaky")[1]
    assert again.cause is Cause.retry
    assert again.released_at >= planned + 30
    assert disjoint(world.records())


# Everything at once

moves = st.lists(
    st.one_of(
        st.tuples(st.just("live"), st.integers(1, 3 * HOUR)),
        st.tuples(st.just("suspend"), st.integers(1, 9 * HOUR)),
        st.tuples(st.just("step"), st.integers(1, 3 * HOUR)),
        st.tuples(st.just("kill"), st.integers(0, 5 * HOUR)),
        st.tuples(st.just("stop"), st.integers(0, 5 * HOUR)),
        st.tuples(st.just("ask"), st.integers(0, 2)),
        st.tuples(st.just("break the ledger for"), st.integers(1, HOUR)),
    ),
    max_size=8,
)


@pytest.mark.long
@given(moves, st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_whatever_happens_each_release_leaves_one_record(
    story: list[tuple[str, int]], chance: Random
) -> None:
    """Sleep, steps, kills, stops, failures, a ledger that breaks: one record each, one at once."""

    async def run() -> None:
        with trio.fail_after(366 * DAY):
            await _live_through(story, chance)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(muxd.misfire, "MOST_RECORDS", 10_000)  # so that none share a record
        trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


@cache
def five_jobs() -> tuple[list[Job], Timetable]:
    jobs = [
        a_job("five", "5m"),
        a_job("ten", "10m", misfire="skip", overlap="skip"),
        a_job("hour", "1h", misfire="all", retries=1),
        a_job("odd", "25m", overlap="queue_one", retries=2, idempotent=True),
        a_job("two", "2h", duration="2m", retries=1),
    ]
    return jobs, make_timetable(jobs)


async def _live_through(story: list[tuple[str, int]], chance: Random) -> None:
    clock, store = VirtualClock(), MemoryStore()
    jobs, timetable = five_jobs()
    asked = 0
    # Each has been released once: a job without a past starts at its next slot.
    rest = [("live", 3 * HOUR), *story, ("live", 4 * HOUR)]
    while rest:
        async with open_world(
            *jobs,
            clock=clock,
            store=store,
            timetable=timetable,
            takes=lambda _: chance.choice([1.0, 20.0, 20.0, 400.0]),
            ends=lambda _: chance.choice([Outcome.ok, Outcome.ok, Outcome.failed]),
        ) as world:
            await world.book.recover()
            for record in world.book.unsettled:
                world.scheduler.ended(record)
            async with world.alive(), trio.open_nursery() as beside:
                beside.start_soon(world.book.run)
                while rest:
                    move, number = rest.pop(0)
                    if move == "live":
                        await trio.sleep(number)
                    elif move == "suspend":
                        clock.suspend(number)
                    elif move == "step":
                        clock.step(number)
                    elif move == "ask":
                        await world.scheduler.request(jobs[number].name)
                        asked += 1
                    elif move == "break the ledger for":
                        store.failure = LedgerError("no")
                        await trio.sleep(number)
                        store.failure = None
                        await trio.sleep(MINUTE)
                    else:
                        break
                beside.cancel_scope.cancel()
            if move == "stop" or not rest:
                await world.book.close()
            assert world.book.most_at_once <= 1
            assert world.book.unwritten == ()
        if move in ("kill", "stop"):
            await trio.sleep(number)
    ours = (Cause.slot, Cause.catch_up)
    found = sorted((r.released_at, r.job) for r in store.records.values() if r.cause in ours)
    end = max(at for at, _ in found)
    assert found == sorted((at, name) for at, name in world.planned(MONDAY, end + 1))
    assert end > clock.now() - 10 * MINUTE
    assert len(world.records(cause=Cause.manual)) == asked
    assert disjoint(world.records())


@bounded
async def test_what_is_placed_waits_while_it_is_paused(autojump_clock) -> None:
    """A pause that comes between the placing and the gap holds all the same."""
    clock = VirtualClock()
    jobs = [a_job("a", "30m"), a_job("b", "1d", duration="600s")]
    timetable = slots(("a", 1800, 0, 1000), ("b", DAY, 600, 90))
    async with open_world(*jobs, clock=clock, timetable=timetable) as world, world.alive():
        await trio.sleep(HOUR)
        clock.suspend(DAY - HOUR + 700)
        await trio.sleep(1)
        world.pauses.pause("b", "a holiday")
        await trio.sleep(3000)
        (owed,) = world.records("b", cause=Cause.catch_up)
        assert (owed.outcome, owed.error) == (Outcome.missed, "its job is paused: a holiday")


@bounded
async def test_a_gap_in_which_the_browser_is_busy_is_none(autojump_clock) -> None:
    """A further try whose gap comes while another run overruns starts in no slot of a third."""
    jobs = [a_job("a"), a_job("b", retries=1, duration="60s"), a_job("c")]
    timetable = slots(("b", HOUR, 0, 60), ("a", HOUR, 70, 20), ("c", HOUR, 600, 20))

    def takes(release: Release) -> float:
        return {"a": 529.0, "b": 5.0 if release.attempt == 1 else 60.0, "c": 20.0}[release.job.name]

    def ends(release: Release) -> Outcome:
        first = release.job.name == "b" and release.attempt == 1
        return Outcome.failed if first else Outcome.ok

    async with open_world(*jobs, timetable=timetable, takes=takes, ends=ends) as world:
        await world.live(1500)
    (on_time,) = world.records("c")
    assert on_time.started_at == on_time.released_at
    (again,) = world.records("b", cause=Cause.retry)
    assert again.started_at >= on_time.ended_at


@bounded
async def test_all_are_run_beside_the_job_s_own_slots(autojump_clock) -> None:
    """Where there is room, none of them stands for a release on time."""
    clock, job = VirtualClock(), a_job(interval="1m", misfire="all", duration="20s")
    async with open_world(job, clock=clock, takes=lambda _: 15.0) as world, world.alive():
        await trio.sleep(10 * MINUTE + 30)
        clock.suspend(10 * MINUTE)
        await trio.sleep(HOUR)
    outcomes = {r.outcome for r in world.records() if r.released_at < MONDAY + HOUR}
    assert outcomes == {Outcome.ok}


@bounded
async def test_a_ledger_that_is_slow_costs_nobody_a_run(autojump_clock) -> None:
    """What came due while the scheduler itself was kept from its work is on time."""

    class Slow(MemoryStore):
        async def write(self, *records: Record) -> None:
            if any(r.job == "a" and r.outcome is None and not r.started_at for r in records):
                await trio.sleep(9)
            await super().write(*records)

    jobs = [a_job("a", misfire="skip"), a_job("b", misfire="skip")]
    timetable = slots(("a", HOUR, 600, 20), ("b", HOUR, 601, 20))
    async with open_world(*jobs, timetable=timetable, store=Slow()) as world:
        await world.live(HOUR)
    assert {r.outcome for r in world.records()} == {Outcome.ok}
