"""A core that is steered while it runs, in virtual time: cancel, skip, pause, drain, runs in gaps."""

from __future__ import annotations

import contextlib
from collections import Counter

import attrs
import pytest
import trio

from muxd.audit import AuditTrail, read_trail
from muxd.errors import UnknownJob, UserError
from muxd.events import AllPaused, AllResumed, Reloaded, Reloading, Steered
from muxd.floors import Floors, Free
from muxd.login import login_note
from muxd.pause import DRAIN, WHOLE
from muxd.record import Outcome
from muxd.release import Cause
from muxd.resources import FreeDisk
from muxd.restarting import RestartGap
from muxd.servicemanager import keep_informed
from muxd.simulation.life import at_once
from muxd.steering import Steering
from muxd.testing import MemoryStore
from tests.upkeep.town import MB, MONDAY, Some, Town, a_job

ANN = "uid 1000 (ann)"


@pytest.fixture
def steered(tmp_path):
    """A town, with what steers it."""

    def make(*jobs, **options):
        town = Town(*jobs, **options)
        town.trail = AuditTrail(tmp_path, town.bus, real_now=town.clock.now, in_thread=at_once)
        town.steer = Steering(town.core, town.trail, real_now=town.clock.now)
        return town

    return make


@contextlib.asynccontextmanager
async def awake(town):
    """It lives, and its browser is up."""
    async with town.alive():
        await town.core.supervisor.up.wait()
        await trio.sleep(0.01)
        yield town


def busy(town, name="long"):
    """Keep the browser busy with a run that was asked for."""
    return town.steer.request(name, by=ANN)


JOBS = (a_job("long", "6h", "5h", duration="50s"), a_job("a", "10m", "5m", duration="20s"))


async def test_a_run_that_waits_is_cancelled(autojump_clock, steered):
    """It never begins, its record says who did it, and the channel goes on with the next."""
    town = steered(*JOBS)
    async with awake(town):
        await busy(town)
        await trio.sleep(1)
        release = await town.steer.request("a", by=ANN)
        done = await town.steer.cancel(release.id[-6:], by=ANN)
        assert (done.was, done.record.outcome) == ("waiting", Outcome.cancelled)
        assert ANN in done.record.error
        assert done.record.started_at is None
        assert town.core.waiting() == ()
        await trio.sleep(400)
    assert Counter(r.outcome for r in town.records("a")) == {Outcome.cancelled: 1, Outcome.ok: 1}


async def test_a_run_in_progress_is_cancelled(autojump_clock, steered):
    """The browser is free within ten seconds; the job is not tried again, nor is harm counted."""
    town = steered(a_job("long", "6h", "5h", duration="50s", retries=3, timeout="5m"))
    town.took["long"] = 250.0
    async with awake(town):
        release = await busy(town)
        await trio.sleep(1)
        began = town.now
        done = await town.steer.cancel(release.id, by=ANN)
        assert (done.was, done.record.outcome) == ("running", Outcome.cancelled)
        assert town.now - began <= 10
        assert town.core.book.running is None
        await trio.sleep(3600)
    assert [r.outcome for r in town.records()] == [Outcome.cancelled]
    assert not town.core.pauses.all


async def test_a_run_in_the_workers_hand_is_cancelled(autojump_clock, steered):
    """While the browser is being launched, and while its page is being opened, it does not start."""
    town = steered(*JOBS, launch=30.0)
    async with awake(town):
        town.browsers[-1].kill("by a test")
        await trio.sleep(1)
        first = await town.steer.request("a", by=ANN)
        assert (await town.steer.cancel(first.id, by=ANN)).record.outcome is Outcome.cancelled
        await trio.sleep(60)
        lease, gate = type(town.browsers[-1]).lease, trio.Event()

        @contextlib.asynccontextmanager
        async def slow(pages, *args, **kwargs):
            async with lease(pages, *args, **kwargs) as found:
                await gate.wait()
                yield found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(town.browsers[-1]), "lease", slow)
            second = await town.steer.request("a", by=ANN)
            await trio.sleep(1)
            assert (await town.steer.cancel(second.id, by=ANN)).record.outcome is Outcome.cancelled
            gate.set()
            await trio.sleep(1)
        third = await town.steer.request("a", by=ANN)
        assert (await town.core.book.wait_ended(third.id)).outcome is Outcome.ok
    assert all(r.started_at is None for r in town.records() if r.outcome is Outcome.cancelled)


async def test_a_run_that_is_held_is_cancelled(autojump_clock, steered):
    """What waits for memory waits no more."""
    low = a_job("low", "10m", "5m", duration="20s", priority="low")
    town = steered(low, floors=Floors(memory=100 * MB))
    town.free = Free(memory=10 * MB, disk=FreeDisk(8000 * MB, 10**6))
    async with awake(town):
        await trio.sleep(301)
        (held,) = town.core.holding.held
        done = await town.steer.cancel(held.id, by=ANN)
        assert (done.was, done.record.outcome) == ("waiting", Outcome.cancelled)
        assert town.core.holding.held == ()


async def test_a_further_try_is_cancelled(autojump_clock, steered):
    """The run that failed is not tried again; that leaves no other record."""
    town = steered(a_job("a", "1h", "10m", duration="20s", retries=3))

    async def body(run):
        raise ValueError("no")

    (job,) = town.core._plugins.jobs
    town.core._plugins = town.core.planner._plugins = Some((attrs.evolve(job, body=body),))
    async with awake(town):
        release = await town.steer.request("a", by=ANN)
        failed = await town.core.book.wait_ended(release.id)
        await trio.sleep(0.01)
        done = await town.steer.cancel(failed.id, by=ANN)
        assert (done.was, done.record) == ("a further try", failed)
        await trio.sleep(500)
        with pytest.raises(UserError, match="has ended before: failed"):
            await town.steer.cancel(failed.id, by=ANN)
    assert [r.outcome for r in town.records()] == [Outcome.failed]


async def test_what_cant_be_cancelled_is_told(autojump_clock, steered):
    """No such run, an empty name, and one that means several."""
    town = steered(*JOBS)
    async with awake(town):
        await busy(town)
        await town.steer.request("a", by=ANN)
        for part, words in (("nobody", "no run with"), ("", "no run with"), ("0", "several runs")):
            with pytest.raises(UserError, match=words):
                await town.steer.cancel(part, by=ANN)
    results = [event.result for event in town.told(Steered) if event.action == "cancel"]
    assert all(result.startswith("refused: ") for result in results)
    assert len(results) == 3


async def test_one_release_is_skipped(autojump_clock, steered):
    """The one that was told, once, with its record; and it is not announced meanwhile."""
    town = steered(a_job("a", "10m", "5m", duration="20s"))
    async with awake(town):
        at = town.steer.skip("a", "holiday", by=ANN)
        assert at == MONDAY + 300
        assert town.steer.skip("a", "", by=ANN) == at
        assert town.core.scheduler.upcoming(2) == [(at + 600, "a"), (at + 1200, "a")]
        assert town.core.scheduler.next_release_of("a") == at + 600
        await trio.sleep(1000)
        assert not town.core.pauses.skips
    first, second = town.records("a")
    assert (first.released_at, first.outcome) == (at, Outcome.missed)
    assert "holiday" in first.error
    assert (second.released_at, second.outcome) == (at + 600, Outcome.ok)


async def test_a_skip_is_undone_and_needs_a_job(autojump_clock, steered):
    """Then the release is run; of a job that is not there none can be skipped."""
    town = steered(a_job("a", "10m", "5m", duration="20s"))
    async with awake(town):
        town.steer.skip("a", "", by=ANN)
        assert town.steer.unskip("a", by=ANN)
        assert not town.steer.unskip("a", by=ANN)
        with pytest.raises(UnknownJob):
            town.steer.skip("b", "", by=ANN)
        await trio.sleep(400)
    assert [r.outcome for r in town.records("a")] == [Outcome.ok]


async def test_skips_and_the_pause_of_all_survive_muxd(autojump_clock, steered):
    """The next daemon passes over what this one was told to; a drain ends with it."""
    store = MemoryStore()
    jobs = (a_job("a", "10m", "5m", duration="20s"), a_job("b", "10m", "7m", duration="20s"))
    town = steered(*jobs, store=store)
    async with awake(town):
        town.steer.skip("a", "", by=ANN)
        town.steer.pause(None, "moving house", seconds=700.0, by=ANN)
        town.steer.drain("", by=ANN)
        await trio.sleep(1)
    later = steered(*jobs, store=store)
    async with awake(later):
        assert list(later.core.pauses.skips) == ["a"]
        assert later.core.pauses.whole.note == "moving house"
        assert later.core.pauses.drain is None
        await trio.sleep(1100)
        assert later.core.pauses.whole is None
    assert [r.outcome for r in later.records("a")] == [Outcome.missed, Outcome.ok]
    assert [r.outcome for r in later.records("b")] == [Outcome.missed, Outcome.ok]
    assert "moving house" in later.records("b")[0].error


async def test_all_is_paused(autojump_clock, steered):
    """No release of any job becomes a run; what is asked for does; each has its record."""
    town = steered(a_job("a", "10m", "5m", duration="20s"), a_job("b", "10m", "7m"))
    async with awake(town):
        town.steer.pause("b", "broken", seconds=None, by=ANN)
        town.steer.pause(None, "", seconds=None, by=ANN)
        asked = await town.steer.request("a", by=ANN)
        assert (await town.core.book.wait_ended(asked.id)).outcome is Outcome.ok
        await trio.sleep(900)
        assert town.steer.resume(None, by=ANN) == [WHOLE]
        assert list(town.core.pauses.all) == ["b"]
        assert town.steer.resume(None, by=ANN) == ["b"]
        assert town.steer.resume(None, by=ANN) == []
        town.core.pauses.pause("b", login_note("shop"))
        assert town.steer.resume(None, by=ANN) == []  # it would only be paused again
        assert town.steer.resume("b", by=ANN) == ["b"]
        await trio.sleep(600)
    by_slot = [r.outcome for r in town.records("a") if r.cause is Cause.slot]
    assert by_slot == [Outcome.missed, Outcome.missed, Outcome.ok]
    assert all(r.outcome in (Outcome.missed, Outcome.ok) for r in town.records("b"))
    assert [len(town.told(kind)) for kind in (AllPaused, AllResumed)] == [1, 1]


async def test_a_pause_of_all_ends_by_itself(autojump_clock, steered):
    """On time, and not only when a release comes."""
    town = steered(a_job("a", "6h", "5h", duration="20s"))
    async with awake(town):
        town.steer.pause(None, "", seconds=60.0, by=ANN)
        await trio.sleep(59)
        assert not town.told(AllResumed)
        await trio.sleep(2)
        assert [event.by for event in town.told(AllResumed)] == ["its end had come"]


async def test_a_drain(autojump_clock, steered):
    """What waits is run, then nothing; after it all goes on, further tries and overdue runs too."""
    town = steered(*JOBS)
    async with awake(town):
        await busy(town)
        waiting = await town.steer.request("a", by=ANN)
        gap, _ = await town.steer.request_in_gap("a", by=ANN)
        town.steer.drain("upgrade", by=ANN)
        with pytest.raises(UserError, match="drained"):
            await town.steer.request("a", by=ANN)
        assert await town.steer.wait_drained()
        assert (await town.core.book.wait_ended(waiting.id)).outcome is Outcome.ok
        await trio.sleep(900)
        assert town.core.book.find(gap.id)[0].outcome is None
        assert town.steer.resume(None, by=ANN) == [DRAIN]
        assert (await town.core.book.wait_ended(gap.id)).outcome is Outcome.ok
        assert not await town.steer.wait_drained()
    missed = [r for r in town.records("a") if r.outcome is Outcome.missed]
    assert missed
    assert all("muxd is drained: upgrade" in r.error for r in missed)


async def test_who_waits_for_a_drain_is_told_that_it_ended(autojump_clock, steered):
    """Resumed before all was through, it was in vain."""
    town = steered(*JOBS)
    async with awake(town), trio.open_nursery() as nursery:
        await busy(town)
        town.steer.drain("", by=ANN)
        found = []

        async def wait():
            found.append(await town.steer.wait_drained())

        nursery.start_soon(wait)
        await trio.sleep(1)
        town.steer.resume(None, by=ANN)
        await trio.sleep(1)
        assert found == [False]


async def test_a_run_in_a_gap(autojump_clock, steered):
    """It is in nobody's slot, its own neither; a second one is the first; it can be cancelled."""
    town = steered(a_job("a", "1m", "10s", duration="20s"), a_job("b", "1h", "30m", duration="25s"))
    async with awake(town):
        await trio.sleep(5)
        release, at = await town.steer.request_in_gap("b", by=ANN)
        again, same = await town.steer.request_in_gap("b", by=ANN)
        assert (again, same) == (release, at)
        assert at == MONDAY + 30
        record = await town.core.book.wait_ended(release.id)
        assert (record.outcome, record.cause) == (Outcome.ok, Cause.in_gap)
        assert record.started_at - MONDAY == pytest.approx(30, abs=0.1)
        other, _ = await town.steer.request_in_gap("b", by=ANN)
        done = await town.steer.cancel(other.id, by=ANN)
        assert (done.was, done.record.outcome) == ("placed", Outcome.cancelled)
        await trio.sleep(120)
    assert all(r.lateness < 1 for r in town.records("a") if r.started_at)
    assert Counter(r.outcome for r in town.records("b")) == {
        Outcome.ok: 1,
        Outcome.coalesced: 1,
        Outcome.cancelled: 1,
    }


async def test_a_gap_that_is_taken_is_another_one(autojump_clock, steered):
    """While the browser is busy at its time, the run is put off; where no gap is, it is refused."""
    full = a_job("full", "1m", "0s", duration="55s")
    town = steered(full, a_job("b", "1h", "59s", duration="30s", pinned=True))
    async with awake(town):
        with pytest.raises(UserError, match="no gap"):
            await town.steer.request_in_gap("b", by=ANN)
    town = steered(a_job("a", "1m", "10s", duration="20s"), a_job("b", "1h", "30m", duration="25s"))
    town.took["a"] = 26.0
    async with awake(town):
        release, at = await town.steer.request_in_gap("b", by=ANN)
        assert at == MONDAY + 30
        record = await town.core.book.wait_ended(release.id)
        assert record.outcome is Outcome.ok
        assert record.started_at > MONDAY + 36


async def test_a_run_in_a_gap_survives_muxd(autojump_clock, steered):
    """It keeps its id; the next daemon gives it a gap."""
    store = MemoryStore()
    job = a_job("a", "1h", "2m", duration="20s")
    town = steered(job, store=store)
    async with awake(town):
        town.core.scheduler.reserve("a test", (0, MONDAY + 600))
        release, _ = await town.steer.request_in_gap("a", by=ANN)
        await trio.sleep(5)
    assert store.records[release.id].outcome is None
    later = steered(job, store=store)
    later.clock.step(900)
    async with awake(later):
        assert (await later.core.book.wait_ended(release.id)).outcome is Outcome.ok


async def test_each_is_in_the_audit_trail(autojump_clock, steered, tmp_path):
    """On the bus and in a file for its owner alone; a line that was cut off costs no other."""
    town = steered(*JOBS)
    path = tmp_path / "audit.jsonl"
    path.write_text('{"at": "2026-01-01T00:00:00.0')
    async with awake(town), trio.open_nursery() as nursery:
        nursery.start_soon(town.trail.run)
        await town.steer.request("a", by=ANN)
        town.steer.pause("a", "why not", seconds=60, by="token from 127.0.0.1")
        with pytest.raises(UnknownJob):
            town.steer.pause("nobody", "", seconds=None, by=ANN)
        nursery.cancel_scope.cancel()
    await town.trail.finish()
    entries = read_trail(tmp_path, 10)
    assert [(e["by"], e["action"], e["target"]) for e in entries] == [
        (ANN, "pause", "nobody"),
        ("token from 127.0.0.1", "pause", "a"),
        (ANN, "run", "a"),
    ]
    assert entries[0]["result"].startswith("refused: there is no job 'nobody'")
    assert [event.action for event in town.told(Steered)] == ["run", "pause", "pause"]


async def test_the_audit_trail_is_bounded_and_private(steered, tmp_path, monkeypatch):
    """Two files at most, each of a size, mode 0600; the newest entries are in them."""
    monkeypatch.setattr("muxd.audit.SIZE", 2_000)
    town = steered(*JOBS)
    for number in range(100):
        town.trail.add(ANN, "skip", f"job{number}", "x" * 50)
        await town.trail.finish()
    files = sorted(tmp_path.glob("audit*"))
    assert [file.name for file in files] == ["audit.jsonl", "audit.jsonl.1"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert all(file.stat().st_size <= 2_000 for file in files)
    assert [entry["target"] for entry in read_trail(tmp_path, 3)] == ["job99", "job98", "job97"]


async def test_a_restart_waits_for_a_gap(autojump_clock, steered):
    """It takes the first that is long enough, keeps it free, and another if somebody runs then."""
    town = steered(a_job("a", "1m", "10s", duration="20s"), a_job("b", "1h", "30m", duration="25s"))
    async with awake(town):
        restart = RestartGap(town.core, town.core._calendar)
        gap = restart.find()
        assert (gap.at, gap.length) == (MONDAY + 30, restart.need)
        _, at = await town.steer.request_in_gap("b", by=ANN)
        assert at >= gap.at + gap.length
        town.took["a"] = 30.0  # longer than its slot: the gap is not what it was
        await restart.wait(gap)
        assert town.now > 40
        assert restart.waits_for is not None
        assert restart.waits_for > gap.at  # people are told so
        assert town.core.free_for() >= restart.need - 2.5


async def test_a_restart_on_a_full_timetable_takes_the_longest_gap(autojump_clock, steered):
    """None is long enough: then it costs somebody some seconds, and not for ever nothing happens."""
    town = steered(a_job("a", "30s", "0s", duration="25s"))
    async with awake(town):
        restart = RestartGap(town.core, town.core._calendar)
        gap = restart.find()
        assert gap.length < restart.need
        await restart.wait(gap)
        assert town.core.book.running is None


async def test_other_jobs_are_taken_over(autojump_clock, steered):
    """The new one is slotted in, what waits of the gone one is cancelled; nothing else moves."""
    town = steered(*JOBS, a_job("gone", "1h", "30m", duration="20s"))
    async with awake(town):
        core, planner = town.core, town.core.planner
        await busy(town)
        waiting = await town.steer.request("gone", by=ANN)
        placed, _ = await town.steer.request_in_gap("gone", by=ANN)
        before = dict(planner.timetable.phases)
        old = {job.name: job for job in core._plugins.jobs}
        new = Some((old["long"], old["a"], town._bodied({"name": "new", "interval": "20m"})))
        async with planner.lock:
            slot = planner.slot_of(new)
            table = await planner.draft(new, slot, planner._config, renewed=())
            await planner.take_over(table, new, slot, planner._config)
            core.take_over(new)
        for record in core.book.queued():
            if record.job == "gone":
                await core.withdraw(record, "its job is gone")
        for release in (waiting, placed):
            assert (await core.book.wait_ended(release.id)).outcome is Outcome.cancelled
        assert table.moved == ()
        assert {name: table.phases[name] for name in ("long", "a")} == {
            name: before[name] for name in ("long", "a")
        }
        await trio.sleep(1300)
    assert [r.outcome for r in town.records("new")] == [Outcome.ok]
    assert len(town.lives) == 1


async def test_a_service_manager_is_told_of_reloads_and_restarts(autojump_clock, steered):
    """That it is reloading, and ready again; one that is to be started again does not stop."""

    told = []

    class Manager:
        watchdog = float("inf")

        def tell(self, *lines):
            told.append(lines)

    town = steered(*JOBS)
    async with awake(town), trio.open_nursery() as nursery:
        nursery.start_soon(keep_informed, Manager(), town.core, town.bus)
        await trio.sleep(1)
        town.bus.publish(Reloading(at=town.clock.now()))
        await trio.sleep(1)
        town.bus.publish(Reloaded(at=town.clock.now()))
        await trio.sleep(1)
        town.core.restarting = True
        town.core.stop()
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    reloading, ready, restarting = told[-3:]
    assert reloading[0] == restarting[0] == "RELOADING=1"
    assert reloading[1].removeprefix("MONOTONIC_USEC=").isdigit()
    assert ready[0] == "READY=1"
    assert not any("STOPPING=1" in lines for lines in told)
