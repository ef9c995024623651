"""The run book: every release ends as one record, whatever happens."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

import muxd.writer
from muxd import Job, Outcome, Record
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.ended import REMEMBERED
from muxd.errors import BackgroundError, InternalError, LedgerError, UserError
from muxd.events import RunEnded, RunReleased, RunStarted
from muxd.ids import RunIds
from muxd.record import CUT_OFF
from muxd.recovery import Fate
from muxd.release import Cause, Release
from muxd.testing.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from muxd.bus import Subscription
    from muxd.events import Event

NOON = 1_704_110_400.0


def bounded(test):
    """End a test that waits for ever; a virtual day takes no time."""

    @wraps(test)
    async def run(*args, **kwargs):
        with trio.fail_after(86_400):
            await test(*args, **kwargs)

    return run


async def body(run):
    """Do nothing."""


def a_job(name: str = "a", **fields) -> Job:
    return Job(name, body, **({"interval": "1h", "plugin": "p"} | fields))


@attrs.define
class Desk:
    """A book on a store in memory, with a clock that a test sets."""

    store: MemoryStore
    book: RunBook
    heard: Subscription[Event]
    now: float = NOON

    async def run(self, job: Job, outcome: Outcome = Outcome.ok, **fields) -> Record:
        release = await self.book.release(job, released_at=self.now)
        assert release is not None
        return await self.book.end(await self.book.start(release, generation=1), outcome, **fields)

    def outcomes(self) -> list[str | None]:
        return [record.outcome for record in self.store.records.values()]

    def events(self) -> list[str]:
        found = []
        while True:
            try:
                event = self.heard.receive_nowait()
            except trio.WouldBlock:
                return found
            assert isinstance(event, (RunReleased, RunStarted, RunEnded))
            found.append(f"{type(event).__name__} {event.record.outcome}")


@asynccontextmanager
async def open_desk(store: MemoryStore | None = None, **fields) -> AsyncIterator[Desk]:
    store = MemoryStore() if store is None else store
    bus: Bus[Event] = Bus()
    desk: Desk
    with bus.subscribe("test") as heard:
        async with store.open():
            book = RunBook(store, bus, real_now=lambda: desk.now, **fields)
            desk = Desk(store, book, heard)
            yield desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


# The life of a run


@bounded
async def test_a_run_from_release_to_end(autojump_clock, desk: Desk) -> None:
    """Released, started and ended are each in the store, and told, before they are given out."""
    job = a_job(session="shop")
    release = await desk.book.release(job, released_at=NOON - 1, cause=Cause.slot)
    assert release is not None
    assert desk.store.records[release.id] == Record(
        id=release.id, job="a", plugin="p", released_at=NOON - 1, session="shop"
    )
    assert (desk.book.waiting, desk.book.running) == ((release,), None)
    assert desk.events() == ["RunReleased None"]
    started = await desk.book.start(release, generation=7)
    assert desk.store.records[release.id] == started == desk.book.running
    assert (started.started_at, started.browser_generation) == (NOON, 7)
    assert (desk.book.waiting, desk.book.now) == ((), 1)
    assert desk.events() == ["RunStarted None"]
    desk.now += 3
    ended = await desk.book.end(started, Outcome.ok, result="5 items")
    assert desk.store.records[release.id] == ended
    assert (ended.ended_at, ended.outcome, ended.result) == (NOON + 3, "ok", "5 items")
    assert (desk.book.running, desk.book.now, desk.book.counts[Outcome.ok]) == (None, 0, 1)
    assert desk.events() == ["RunEnded ok"]


@bounded
async def test_the_bus_hears_of_an_end_when_the_store_has_it(autojump_clock, desk: Desk) -> None:
    """Who is told can look it up."""
    found = []
    write = desk.store.write

    async def slow_write(*records: Record) -> None:
        await trio.sleep(1)
        found.append(desk.events())
        await write(*records)

    desk.store.write = slow_write
    await desk.run(a_job())
    assert found == [[], ["RunReleased None"], ["RunStarted None"]]
    assert desk.events() == ["RunEnded ok"]


@bounded
async def test_an_error_is_described(autojump_clock, desk: Desk) -> None:
    """Its class by its qualified name, its message, and both of the one inside a group."""
    record = await desk.run(a_job(), Outcome.failed, error=BackgroundError("oh"))
    assert (record.error_type, record.error) == ("muxd.errors.BackgroundError", "oh")
    group = BaseExceptionGroup("several", [ValueError("one")])
    record = await desk.run(a_job(), Outcome.failed, error=group)
    assert (record.error_type, record.error) == ("ValueError", "one")


@bounded
async def test_an_error_that_cannot_be_shown_or_is_endless_is_recorded_all_the_same(
    autojump_clock,
    desk: Desk,
) -> None:
    """A foreign exception's ``__str__`` may raise; messages end at 4,000 characters."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    record = await desk.run(a_job(), Outcome.failed, error=Mute())
    assert record.error == "<its message can't be shown>"
    record = await desk.run(
        a_job(), Outcome.failed, error=ValueError("x" * 9999), result="y" * 2000
    )
    assert record.error is not None
    assert record.result is not None
    assert (len(record.error), len(record.result)) == (4000, 1000)


@bounded
async def test_an_end_is_not_before_its_start(autojump_clock, desk: Desk) -> None:
    """Also when the clock is set back in the run."""
    release = await desk.book.release(a_job(), released_at=NOON)
    assert release is not None
    record = await desk.book.start(release, generation=1)
    desk.now -= 3600
    assert (await desk.book.end(record, Outcome.ok)).duration == 0


@bounded
async def test_rehearsals_are_marked(autojump_clock) -> None:
    """Their speed is in each record, so that nothing is learned from them."""
    async with open_desk(speed=60.0) as desk:
        assert (await desk.run(a_job())).speed == 60


@bounded
async def test_a_run_starts_once_and_ends_once(autojump_clock, desk: Desk) -> None:
    """Anything else is a mistake in muxd, and changes nothing."""
    release = await desk.book.release(a_job(), released_at=NOON)
    assert release is not None
    record = await desk.book.start(release, generation=1)
    with pytest.raises(InternalError):
        await desk.book.start(release, generation=1)
    await desk.book.end(record, Outcome.ok)
    with pytest.raises(InternalError):
        await desk.book.end(record, Outcome.failed)
    with pytest.raises(InternalError):
        await desk.book.start(release, generation=1)
    assert desk.outcomes() == ["ok"]


@bounded
async def test_the_most_runs_at_once_are_counted(autojump_clock, desk: Desk) -> None:
    """So that "never two at once" can be seen to hold, or not to."""
    for _ in range(3):
        await desk.run(a_job())
    assert desk.book.most_at_once == 1
    for name in "bc":
        release = await desk.book.release(a_job(name), released_at=NOON)
        assert release is not None
        await desk.book.start(release, generation=1)
    assert (desk.book.most_at_once, desk.book.now) == (2, 2)


# Overlap


async def under_way(desk: Desk, job: Job) -> Record:
    release = await desk.book.release(job, released_at=desk.now)
    assert release is not None
    return await desk.book.start(release, generation=1)


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize(("overlap", "outcome"), [("coalesce", "coalesced"), ("skip", "missed")])
@bounded
async def test_a_second_release_is_recorded_instead_of_queued(
    autojump_clock, desk: Desk, overlap: str, outcome: str, running: bool
) -> None:
    """While a run of the job waits or is in progress; the record says which and why."""
    job = a_job(overlap=overlap)
    first = await desk.book.release(job, released_at=NOON)
    assert first is not None
    if running:
        await desk.book.start(first, generation=1)
    assert await desk.book.release(job, released_at=NOON + 1) is None
    assert desk.outcomes() == [None, outcome]
    second = list(desk.store.records.values())[1]
    assert (second.released_at, second.started_at) == (NOON + 1, None)
    assert first.id in (second.error or "")
    assert desk.events()[-1] == f"RunEnded {outcome}"


@bounded
async def test_queue_one_lets_one_wait_behind_a_run_in_progress(autojump_clock, desk: Desk) -> None:
    """The next is coalesced with the one that waits."""
    job = a_job(overlap="queue_one")
    await under_way(desk, job)
    second = await desk.book.release(job, released_at=NOON)
    assert desk.book.waiting == (second,)
    assert await desk.book.release(job, released_at=NOON) is None
    assert desk.outcomes() == [None, None, "coalesced"]


@bounded
async def test_jobs_do_not_overlap_with_each_other(autojump_clock, desk: Desk) -> None:
    """The policy is about one job."""
    await under_way(desk, a_job("a"))
    assert await desk.book.release(a_job("b"), released_at=NOON) is not None


@bounded
async def test_a_release_while_another_is_being_written_is_coalesced(
    autojump_clock, desk: Desk
) -> None:
    """Two tasks can't make two runs of one job wait."""
    found = []

    async def one() -> None:
        found.append(await desk.book.release(a_job(), released_at=NOON))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert sorted(desk.outcomes(), key=str) == [None, "coalesced"]
    assert len([release for release in found if release]) == 1


@bounded
async def test_a_person_may_ask_while_a_run_is_in_progress(autojump_clock, desk: Desk) -> None:
    """Whatever the policy says, it is queued, with the priority over all."""
    job = a_job(overlap="skip")
    await under_way(desk, job)
    release = await desk.book.release(job, released_at=NOON, cause=Cause.manual)
    assert release is not None
    assert (release.cause, release.priority) == (Cause.manual, 1001)


@bounded
async def test_a_person_who_asks_again_gets_the_run_that_waits(autojump_clock, desk: Desk) -> None:
    """So that ``muxd run --wait`` has something to wait for; what was asked has its record."""
    slot = await desk.book.release(a_job(), released_at=NOON)
    assert await desk.book.request(a_job(), released_at=NOON + 1) == (slot, False)
    assert desk.outcomes() == [None, "coalesced"]
    assert list(desk.store.records.values())[1].cause is Cause.manual


@bounded
async def test_missed_releases_have_a_record_each(autojump_clock, desk: Desk) -> None:
    """With their own instants and the reason."""
    missed = [(NOON - 20, "asleep"), (NOON - 10, "asleep")]
    await desk.book.sort_out(a_job(), missed=missed)
    records = list(desk.store.records.values())
    assert [(r.released_at, r.outcome, r.error) for r in records] == [
        (NOON - 20, "missed", "asleep"),
        (NOON - 10, "missed", "asleep"),
    ]


@bounded
async def test_a_withdrawn_release_is_recorded_and_lets_the_next_in(
    autojump_clock, desk: Desk
) -> None:
    """One that has started can't be withdrawn any more."""
    release = await desk.book.release(a_job(), released_at=NOON)
    assert release is not None
    await desk.book.withdraw(release, Outcome.missed, "no room")
    assert desk.outcomes() == ["missed"]
    again = await desk.book.release(a_job(), released_at=NOON)
    assert again is not None
    await desk.book.start(again, generation=1)
    await desk.book.withdraw(again, Outcome.missed, "no room")
    assert desk.outcomes() == ["missed", None]


# Waiting for an end


@bounded
async def test_waiting_for_an_end(autojump_clock, desk: Desk) -> None:
    """It returns with the end, at once after it, and can be cancelled without harm."""
    release = await desk.book.release(a_job(), released_at=NOON)
    assert release is not None
    found = []

    async def wait() -> None:
        found.append(await desk.book.wait_ended(release.id))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        with trio.move_on_after(5):
            await desk.book.wait_ended(release.id)
        assert found == []
        record = await desk.book.start(release, generation=1)
        ended = await desk.book.end(record, Outcome.failed)
    assert found == [ended, ended]
    assert await desk.book.wait_ended(release.id) == ended


@bounded
async def test_waiting_for_what_ended_long_ago(autojump_clock, desk: Desk) -> None:
    """The store knows; what nobody knows is an error at once, not a wait for ever."""
    first = await desk.run(a_job())
    missed = [(instant, "asleep") for instant in range(REMEMBERED + 1)]
    await desk.book.sort_out(a_job(), missed=missed)
    assert await desk.book.wait_ended(first.id) == first
    with pytest.raises(KeyError):
        await desk.book.wait_ended("nonsense")


# Stopping and starting


@bounded
async def test_what_waits_when_muxd_stops_is_interrupted(autojump_clock, desk: Desk) -> None:
    """The run in progress goes on and ends as it ends."""
    record = await under_way(desk, a_job("a"))
    release = await desk.book.release(a_job("b"), released_at=NOON)
    assert release is not None
    await desk.book.close()
    await desk.book.close()
    assert (await desk.book.wait_ended(release.id)).error == "muxd was stopped before it started"
    assert desk.outcomes() == [None, "interrupted"]
    await desk.book.end(record, Outcome.ok)
    assert desk.outcomes() == ["ok", "interrupted"]


@bounded
async def test_nothing_is_released_after_the_end(autojump_clock, desk: Desk) -> None:
    """The timetable's releases leave their record, a person is told."""
    await desk.book.close()
    assert await desk.book.release(a_job(), released_at=NOON) is None
    assert desk.outcomes() == ["interrupted"]
    with pytest.raises(UserError, match="stopping"):
        await desk.book.release(a_job(), released_at=NOON, cause=Cause.manual)


@bounded
async def test_a_stop_while_a_release_is_being_written(autojump_clock) -> None:
    """It is not given out, and is interrupted."""
    found: list[Release | None] = []

    class Slow(MemoryStore):
        async def write(self, *records: Record) -> None:
            await trio.sleep(1)
            await super().write(*records)

    async with open_desk(Slow()) as desk:

        async def release() -> None:
            found.append(await desk.book.release(a_job(), released_at=NOON))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(release)
            await trio.sleep(0.5)
            nursery.start_soon(desk.book.close)
        assert found == [None]
        assert desk.outcomes() == ["interrupted"]


@bounded
async def test_a_worker_that_has_an_interrupted_run_in_hand_waits_for_its_end(
    autojump_clock, desk: Desk
) -> None:
    """It may have taken it when muxd was told to stop; no body may start then."""
    release = await desk.book.release(a_job(), released_at=NOON)
    assert release is not None
    await desk.book.close()
    with trio.move_on_after(100) as scope:
        await desk.book.start(release, generation=1)
    assert scope.cancelled_caught
    assert (desk.outcomes(), desk.book.running) == (["interrupted"], None)


@bounded
async def test_the_next_start_finds_what_a_dead_daemon_left(autojump_clock) -> None:
    """Waiting or in progress: each is ``interrupted``, told, returned, and final."""
    async with open_desk() as desk:
        await under_way(desk, a_job("a"))
        await desk.book.release(a_job("b"), released_at=NOON)
        await desk.run(a_job("c"))
    async with open_desk(desk.store) as later:
        later.now += 500
        records = await later.book.recover()
        assert [(r.job, r.outcome, r.ended_at) for r in records] == [
            ("a", "interrupted", NOON + 500),
            ("b", "interrupted", NOON + 500),
        ]
        assert [r.error for r in records] == [
            "muxd ended while it ran",
            "muxd was stopped before it started",
        ]
        assert [r.error_type for r in records] == [CUT_OFF, None]
        assert [r.duration for r in records] == [None, None]
        assert later.events() == ["RunEnded interrupted"] * 2
        assert await later.store.unfinished() == []
        assert [r.job for r in later.book.unsettled] == ["a", "b"]
        assert await later.book.recover() == []
        assert [r.job for r in later.book.unsettled] == ["b", "a"]  # nobody stood for them yet


@bounded
async def test_what_is_known_of_a_runs_fate_is_on_its_record(autojump_clock) -> None:
    """Of the run in progress, not of those that waited; of a run that nobody knows, nothing."""
    fate = Fate(
        run="",
        at=NOON + 100,
        outcome=Outcome.crashed,
        error="it blocked muxd",
        error_type="muxd.errors.LoopBlocked",
        harm="blocked muxd for 35.0 s",
    )
    for known in ("a", "b", "c"):
        async with open_desk() as desk:
            await under_way(desk, a_job("a"))
            await desk.book.release(a_job("b"), released_at=NOON)
        ids = {record.job: record.id for record in desk.store.records.values()}
        async with open_desk(desk.store) as later:
            later.now += 500
            records = await later.book.recover(attrs.evolve(fate, run=ids.get(known, "another")))
            found = {r.job: (r.outcome, r.ended_at, r.error_type, r.harm) for r in records}
            assert found["b"] == ("interrupted", NOON + 500, None, None)
            if known == "a":
                assert found["a"] == ("crashed", NOON + 100, fate.error_type, fate.harm)
            else:
                assert found["a"] == ("interrupted", NOON + 500, CUT_OFF, None)


@bounded
async def test_what_an_orderly_end_kept_from_starting_is_told_to_the_next_start(
    autojump_clock,
) -> None:
    """Until a newer release of the job, or another try, stands for it; not what people asked for."""
    async with open_desk() as desk:
        await under_way(desk, a_job("a"))
        for name in ("waits", "newer", "again"):
            await desk.book.release(a_job(name), released_at=NOON)
        await desk.book.request(a_job("manual"), released_at=NOON)
        await desk.book.close()
    async with open_desk(desk.store) as later:
        first = {r.job: r.id for r in later.store.records.values()}
        await later.book.release(a_job("newer"), released_at=NOON + 60)
        await later.book.release(
            a_job("again"), released_at=NOON + 9, cause="retry", attempt=2, first_id=first["again"]
        )
        for _ in range(2):
            await later.book.recover()
            found = {r.job: r.id for r in later.book.unsettled}
            assert set(found) == {"a", "newer", "again", "waits"}
            assert found["waits"] == first["waits"]
            assert found["again"] != first["again"]
            assert found["newer"] != first["newer"]


@bounded
async def test_a_try_that_was_still_to_be_made_is_not_forgotten(autojump_clock) -> None:
    """Of a run that didn't end well, or was cut off, until a newer release or try stands for it."""
    async with open_desk() as desk:
        for name, outcome in (("failed", Outcome.failed), ("ok", Outcome.ok)):
            record = await under_way(desk, a_job(name))
            await desk.book.end(record, outcome)
        await under_way(desk, a_job("cut"))
    async with open_desk(desk.store) as later:
        await later.book.recover()
        assert {r.job for r in later.book.unsettled} == {"failed", "cut"}
    async with open_desk(desk.store) as much_later:  # the one in between did not come to it
        await much_later.book.recover()
        assert {r.job for r in much_later.book.unsettled} == {"failed", "cut"}
        first = {r.job: r.id for r in much_later.book.unsettled}
        await much_later.book.release(a_job("failed"), released_at=NOON + 60)
        await much_later.book.release(
            a_job("cut"), released_at=NOON + 9, cause="retry", attempt=2, first_id=first["cut"]
        )
        await much_later.book.recover()
        assert {r.id for r in much_later.book.unsettled}.isdisjoint(first.values())


@bounded
async def test_what_is_owed_outlives_a_death(autojump_clock) -> None:
    """It stays unfinished, is taken on under its own id, and is released once."""
    async with open_desk() as desk:
        owed = await desk.book.sort_out(
            a_job(), owed=[NOON - 20, NOON - 10], missed=[(NOON - 30, "asleep")]
        )
        assert [r.released_at for r in owed] == [NOON - 20, NOON - 10]
        # The oldest first: a store that takes only some forgets none.
        assert desk.outcomes() == ["missed", None, None]
        assert desk.book.waiting == ()
    async with open_desk(desk.store) as later:
        assert await later.book.recover() == []
        assert [r.id for r in later.book.inherited] == [r.id for r in owed]
        first, second = (later.book.adopt(record, a_job()) for record in later.book.inherited)
        assert await later.book.release_owed(first) == first
        assert later.book.waiting == (first,)
        assert await later.book.release_owed(first) is None
        record = await later.book.start(first, generation=1)
        await later.book.end(record, Outcome.ok)
        await later.book.withdraw(second, Outcome.missed, "no gap")
        assert await later.book.release_owed(second) is None
        assert later.outcomes() == ["missed", "ok", "missed"]


@bounded
async def test_what_is_owed_is_subject_to_overlap(autojump_clock, desk: Desk) -> None:
    """A run of the job under way stands for it, as for any release; a closed book keeps it owed."""
    (first,) = await desk.book.sort_out(a_job(), owed=[NOON - 20])
    (second,) = await desk.book.sort_out(a_job(), owed=[NOON - 10])
    await under_way(desk, a_job())
    assert await desk.book.release_owed(first) is None
    assert desk.outcomes()[0] == "coalesced"
    await desk.book.close()
    assert await desk.book.release_owed(second) is None
    oldest, *_ = await desk.store.unfinished()
    assert oldest.id == second.id


@bounded
async def test_what_is_owed_to_a_job_that_is_gone_is_ended(autojump_clock) -> None:
    """With the reason; nothing stays open for ever."""
    async with open_desk() as desk:
        await desk.book.sort_out(a_job(), owed=[NOON - 20])
    async with open_desk(desk.store) as later:
        await later.book.recover()
        await later.book.abandon(later.book.inherited[0], "its job is gone")
        assert later.outcomes() == ["missed"]
        assert await later.store.unfinished() == []


@bounded
async def test_no_run_starts_after_the_close_however_many_waited(
    autojump_clock, desk: Desk
) -> None:
    """The worker has the first of 400 in hand when the book is closed: it waits for its end."""
    first, *_ = [await desk.book.release(a_job(f"j{n}"), released_at=NOON) for n in range(400)]
    assert first is not None
    await desk.book.close()
    with trio.move_on_after(1) as waits:
        await desk.book.start(first, generation=1)
    assert waits.cancelled_caught
    assert desk.book.now == 0


@bounded
async def test_cancelling_does_not_leave_a_run_half_done(autojump_clock, desk: Desk) -> None:
    """Each step is finished first: the store and the book agree."""
    job = a_job()
    with trio.CancelScope() as scope:
        scope.cancel()
        release = await desk.book.release(job, released_at=NOON)
    assert release is not None
    with trio.CancelScope() as scope:
        scope.cancel()
        record = await desk.book.start(release, generation=1)
    assert desk.store.records[release.id] == record
    with trio.CancelScope() as scope:
        scope.cancel()
        record = await desk.book.end(record, Outcome.cancelled)
    assert desk.store.records[release.id] == record
    assert desk.outcomes() == ["cancelled"]


# A store that fails


@bounded
async def test_a_failing_store_stops_nobody_and_loses_nothing(autojump_clock, desk: Desk) -> None:
    """Runs go on, the log says so, and all is written as soon as it can be."""
    desk.store.failure = LedgerError("disk full")
    with capture_logs() as logs:
        ended = [await desk.run(a_job()) for _ in range(5)]
        assert len(desk.store.records) == 0
        assert desk.book.unwritten == tuple(ended)
        assert [log["log_level"] for log in logs] == ["error"]
        assert "disk full" in logs[0]["error"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.book.run)
            await trio.sleep(1000)
            assert 5 < len(logs) < 30  # it tries, with growing pauses
            desk.store.failure = None
            await trio.sleep(muxd.writer.LONGEST_PAUSE)
            assert list(desk.store.records.values()) == ended
            nursery.cancel_scope.cancel()
    assert logs[-1]["log_level"] == "info"
    assert desk.book.unwritten == ()


@bounded
async def test_the_next_record_takes_the_waiting_ones_along(autojump_clock, desk: Desk) -> None:
    """Also where nobody runs the book's own task."""
    desk.store.failure = LedgerError("disk full")
    await desk.run(a_job())
    desk.store.failure = None
    await trio.sleep(2)
    await desk.run(a_job())
    assert desk.outcomes() == ["ok", "ok"]


@bounded
async def test_a_store_that_hangs_is_given_up_for_a_while(autojump_clock, desk: Desk) -> None:
    """A write takes 10 s at most; those that follow soon after don't wait for it at all."""

    async def hang(*records: Record) -> None:
        await trio.sleep_forever()

    write, desk.store.write = desk.store.write, hang
    began = trio.current_time()
    await desk.run(a_job())
    assert trio.current_time() - began == 10
    desk.store.write = write
    await trio.sleep(100)
    await desk.run(a_job())
    assert desk.outcomes() == ["ok", "ok"]


@bounded
async def test_a_record_that_got_through_after_all_holds_up_no_other(
    autojump_clock, desk: Desk
) -> None:
    """A write that was cut off may have been done: the store then refuses its repetition."""
    write = desk.store.write

    async def written_but_no_answer(*records: Record) -> None:
        await write(*records)
        if any(record.outcome for record in records):
            await trio.sleep_forever()

    desk.store.write = written_but_no_answer
    first = await desk.run(a_job("a"))
    desk.store.write = write
    await trio.sleep(100)
    second = await desk.run(a_job("b"))
    assert list(desk.store.records.values()) == [first, second]
    assert desk.book.unwritten == ()


@bounded
async def test_another_end_than_the_store_has_is_said_aloud(autojump_clock, desk: Desk) -> None:
    """The store keeps its own; the log has the other; nothing else is held up."""
    release = await desk.book.release(a_job(), released_at=NOON)
    assert release is not None
    record = await desk.book.start(release, generation=1)
    await desk.store.write(attrs.evolve(record, outcome=Outcome.failed, ended_at=NOON))
    with capture_logs() as logs:
        await desk.book.end(record, Outcome.ok)
    assert desk.outcomes() == ["failed"]
    assert [log["refused"]["outcome"] for log in logs] == ["ok"]
    assert desk.book.unwritten == ()


@bounded
async def test_memory_is_bounded_and_the_log_is_the_last_resort(
    autojump_clock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than fits goes into the log, whole, oldest first."""
    monkeypatch.setattr(muxd.writer, "CAPACITY", 10)
    desk.store.failure = LedgerError("disk full")
    with capture_logs() as logs:
        ended = [await desk.run(a_job()) for _ in range(12)]
    critical = [log["record"] for log in logs if log["log_level"] == "critical"]
    assert critical == [record.as_dict() for record in ended[:2]]
    assert desk.book.unwritten == tuple(ended[2:])


@bounded
async def test_at_the_very_end_what_waits_is_written_or_logged(autojump_clock, desk: Desk) -> None:
    """Without a pause before it, however short ago the last attempt failed."""
    desk.store.failure = LedgerError("disk full")
    first = await desk.run(a_job())
    desk.store.failure = None
    await desk.book.finish()
    assert list(desk.store.records.values()) == [first]
    desk.store.failure = LedgerError("disk full")
    second = await desk.run(a_job())
    with capture_logs() as logs:
        await desk.book.finish()
    assert [log["record"] for log in logs if log["log_level"] == "critical"] == [second.as_dict()]
    assert desk.book.unwritten == ()


@bounded
async def test_who_waits_for_an_end_is_told_while_the_store_fails(
    autojump_clock, desk: Desk
) -> None:
    """And the bus is told too."""
    release = await desk.book.release(a_job(), released_at=NOON)
    assert release is not None
    record = await desk.book.start(release, generation=1)
    desk.store.failure = LedgerError("disk full")
    ended = await desk.book.end(record, Outcome.ok)
    assert await desk.book.wait_ended(release.id) == ended
    assert desk.events()[-1] == "RunEnded ok"


# Names of runs


@given(st.lists(st.floats(0, 4e9), min_size=2, max_size=50))
def test_ids_ascend_whatever_the_clock_does(instants: list[float]) -> None:
    """Short, of digits and small letters, each greater than the one before it."""
    clock = iter(instants)
    ids = RunIds(lambda: next(clock))
    made = [ids() for _ in instants]
    assert made == sorted(set(made))
    assert all(re.fullmatch(r"[0-9a-z]{14}", made_id) for made_id in made)


def test_ids_of_two_daemons_sort_by_time_and_differ() -> None:
    """Also those of one millisecond."""
    assert RunIds(lambda: NOON)() < RunIds(lambda: NOON + 0.001)()
    assert len({RunIds(lambda: NOON)() for _ in range(50)}) == 50
