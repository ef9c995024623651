"""While memory or disk is short, what can wait is held, in its order; all else runs."""

from __future__ import annotations

import logging
import os
import threading

import pytest
import structlog
import trio
from town import MB, Town, a_job

from muxd.artifacts import Artifacts
from muxd.events import BrowserDown, ResourcesFine, ResourcesLow
from muxd.floors import PATIENCE, Floors, Free, FreeReader, Shortage
from muxd.holding import LOOK_AGAIN
from muxd.keeping import make_room
from muxd.record import Outcome
from muxd.recycling import Limits
from muxd.resources import FreeDisk

PLENTY = Free(memory=8000 * MB, disk=FreeDisk(8000 * MB, 10**6))
NO_MEMORY = Free(memory=100 * MB, disk=FreeDisk(8000 * MB, 10**6))
NO_DISK = Free(memory=8000 * MB, disk=FreeDisk(100 * MB, 10**6))
FLOORS = Floors(memory=200 * MB, disk=200 * MB)
ALL_FIVE = [
    a_job(name, "10m", f"{minute}m", duration="10s", priority=name)
    for minute, name in enumerate(("critical", "high", "normal", "low", "background"), 1)
]


@pytest.fixture(autouse=True)
def quiet():
    """What is logged is not of interest, but where a test says so."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


# What is short


@pytest.mark.parametrize(
    ("free", "what"),
    [
        (PLENTY, None),
        (NO_MEMORY, "memory"),
        (NO_DISK, "disk"),
        (Free(memory=None, disk=None), None),
        (Free(memory=199 * MB, disk=FreeDisk(0, 0)), "memory"),
        (Free(memory=None, disk=FreeDisk(8000 * MB, 999)), "files"),
        (Free(memory=None, disk=FreeDisk(8000 * MB, None)), None),
    ],
)
def test_what_is_below_its_floor_is_short(free, what):
    """What is unknown is not; memory is named first."""
    shortage = FLOORS.shortage(free)
    assert (shortage and shortage.what) == what
    assert Floors().shortage(free) is None


def test_what_was_short_must_be_a_little_above_its_floor():
    """No to and fro; what was not short is judged by its floor itself."""
    free = Free(memory=210 * MB, disk=FreeDisk(210 * MB, 10**6))
    assert FLOORS.shortage(free) is None
    before = FLOORS.shortage(NO_MEMORY)
    assert FLOORS.shortage(free, before=before) == Shortage("memory", 210 * MB, 200 * MB)
    enough = Free(memory=220 * MB, disk=FreeDisk(210 * MB, 10**6))
    assert FLOORS.shortage(enough, before=before) is None


def test_a_shortage_is_said_in_words():
    """With sizes for people; files are counted."""
    assert str(FLOORS.shortage(NO_DISK)) == "disk is short: 100 MB left, the floor is 200 MB"
    files = FLOORS.shortage(Free(disk=FreeDisk(8000 * MB, 7)))
    assert str(files) == "room for files is short: 7 left, the floor is 1000"


# Holding


async def test_low_and_background_jobs_are_held_the_others_run(autojump_clock):
    """Held runs wait in the book; they run when there is enough, the urgent one first."""
    town = Town(*ALL_FIVE, floors=FLOORS)
    town.free = NO_MEMORY
    async with town.alive():
        await trio.sleep(590)
        assert [r.outcome for r in town.records("critical")] == [Outcome.ok]
        assert {r.job for r in town.records() if r.outcome is Outcome.ok} == {
            *("critical", "high", "normal")
        }
        assert [r.outcome for r in town.records("low") + town.records("background")] == [None, None]
        assert {release.job.name for release in town.core.waiting()} == {"low", "background"}
        town.free = PLENTY
        await trio.sleep(LOOK_AGAIN + 25)
        low, background = town.records("low")[0], town.records("background")[0]
        assert low.outcome is background.outcome is Outcome.ok
        assert low.started_at < background.started_at
    low_events = town.told(ResourcesLow)
    assert low_events[0].holding == ()
    assert [event.holding for event in low_events[-2:]] == [("low",), ("background", "low")]
    assert (low_events[0].what, low_events[0].free, low_events[0].floor) == (
        *("memory", 100 * MB, 200 * MB),
    )
    assert len(town.told(ResourcesFine)) == 1


async def test_the_log_says_so(autojump_clock):
    """What is short, and who waits for it; and when that is over."""
    town = Town(*ALL_FIVE, floors=FLOORS)
    town.free = NO_MEMORY
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as logs:
        async with town.alive():
            await trio.sleep(260)
            town.free = PLENTY
            await trio.sleep(60)
    said = [(line["log_level"], line["event"], line.get("holding")) for line in logs]
    short = "memory is short: 100 MB left, the floor is 200 MB"
    assert said == [
        ("warning", short, "nothing"),
        ("warning", short, "low"),
        ("info", "memory and disk are no longer short", None),
    ]


async def test_the_browser_is_recycled_once_before_anything_is_held(autojump_clock):
    """A browser that has run something gives back what it took; that may be enough."""
    town = Town(*ALL_FIVE, floors=FLOORS)

    async with town.alive():
        await trio.sleep(260)  # all have run but background, whose time is at 300
        town.free = NO_MEMORY
        await trio.sleep(30)
        assert town.core.supervisor.launched == 1
        await trio.sleep(30)
        assert town.core.supervisor.launched == 2
        (down,) = town.told(BrowserDown)
        assert down.reason == "recycled: memory is short: 100 MB left, the floor is 200 MB"
        assert town.records("background")[0].outcome is None
        await trio.sleep(3600)
        assert town.core.supervisor.launched == 2  # not again for the same shortage
        town.free = PLENTY
        await trio.sleep(600)
        town.free = NO_MEMORY
        await trio.sleep(600)
        assert town.core.supervisor.launched == 3


async def test_if_recycling_gives_back_enough_nothing_is_held(autojump_clock):
    """The release that found it short runs on the new browser."""
    town = Town(*ALL_FIVE, floors=FLOORS)
    async with town.alive():
        await trio.sleep(235)
        town.free = NO_MEMORY

        def when_closed():
            town.free = PLENTY

        town.on_close = when_closed
        await trio.sleep(30)
        (low,) = town.records("low")
        assert low.outcome is Outcome.ok
        assert low.browser_generation == 2
        assert low.lateness < 5
    assert [event.holding for event in town.told(ResourcesLow)] == [()]
    assert len(town.told(ResourcesFine)) == 1


async def test_nothing_is_starved(autojump_clock):
    """Hours of shortage: further releases of a held job are coalesced, others are on time, and the
    held run is the first of its job when there is enough."""
    town = Town(*ALL_FIVE, floors=FLOORS)
    town.free = NO_MEMORY
    async with town.alive():
        await trio.sleep(6 * 3600)
        assert len(town.records("critical")) >= 36
        assert all(r.lateness < 3 for r in town.records("critical")[1:])
        lows = town.records("low")
        assert [r.outcome for r in lows[:2]] == [None, Outcome.coalesced]
        assert {r.outcome for r in lows[1:]} == {Outcome.coalesced}
        town.free = PLENTY
        await trio.sleep(60)
        assert town.records("low")[0].outcome is Outcome.ok
        await trio.sleep(1200)
        assert town.records("low")[-1].outcome is Outcome.ok
        assert town.records("low")[-1].lateness < 1


async def test_what_somebody_asks_for_is_not_held(autojump_clock):
    """A person knows why."""
    town = Town(a_job("low", "1h", "30m", duration="10s", priority="low"), floors=FLOORS)
    town.free = NO_MEMORY
    async with town.alive():
        await trio.sleep(10)
        release = await town.core.request("low")
        with trio.fail_after(60):
            record = await town.core.book.wait_ended(release.id)
    assert record.outcome is Outcome.ok


async def test_what_is_held_at_the_end_is_interrupted(autojump_clock):
    """Told to stop, it is stopped at once, and every release has its record."""
    town = Town(*ALL_FIVE, floors=FLOORS)
    town.free = NO_MEMORY
    with trio.fail_after(500):
        await town.live(400)
    assert town.records("low")[0].outcome is Outcome.interrupted
    assert all(record.outcome is not None for record in town.records())


async def test_while_nothing_is_held_nobody_looks(autojump_clock):
    """It is looked before runs, and every so often while something is held."""
    town = Town(a_job("normal", "1h", "0m", duration="10s"), floors=FLOORS)
    looks = 0

    async def read():
        nonlocal looks
        looks += 1
        return NO_MEMORY

    town.core._read_free = read
    await town.live(24 * 3600 + 10)
    assert looks <= 26

    town = Town(a_job("low", "1d", "1h", duration="10s", priority="low"), floors=FLOORS)
    looks = 0
    town.core._read_free = read
    await town.live(2 * 3600)
    assert looks == pytest.approx(3600 / LOOK_AGAIN, abs=3)


async def test_a_held_run_does_not_keep_others_from_being_caught_up_with(autojump_clock):
    """After a sleep, what is overdue comes one by one; the held one is passed over."""
    town = Town(
        a_job("low", "2h", "1h", duration="10s", priority="low"),
        a_job("normal", "12h", "2h", duration="10s"),
        floors=FLOORS,
    )
    async with town.alive():
        await trio.sleep(1800)
        town.free = NO_MEMORY
        town.clock.suspend(2 * 3600)  # both are overdue, low by more of its interval
        await trio.sleep(300)
        assert town.records("low")[0].outcome is None
        assert town.records("normal")[0].outcome is Outcome.ok


async def test_held_runs_do_not_keep_the_browser_from_being_recycled(autojump_clock):
    """A gap is quiet although something waits for memory."""
    town = Town(*ALL_FIVE, floors=FLOORS, limits=Limits(runs=2))
    town.free = NO_MEMORY
    await town.live(3650)
    assert town.core.supervisor.recycled >= 5
    assert all(r.lateness < 3 for r in town.records("critical")[1:])


async def test_a_short_disk_is_pruned_first(autojump_clock):
    """If that makes room, nobody is told anything; else it goes on as with memory."""
    prunings = 0

    async def prune(shortage):
        assert (shortage.what, shortage.missing) == ("disk", 120 * MB)
        nonlocal prunings
        prunings += 1
        await trio.lowlevel.checkpoint()
        town.free = PLENTY if enough else town.free

    for enough in (True, False):
        prunings = 0
        town = Town(*ALL_FIVE, floors=FLOORS, prune=prune)
        town.free = NO_DISK
        async with town.alive():
            await trio.sleep(400)
            assert prunings >= 1
            assert (town.records("low")[0].outcome is Outcome.ok) == enough
        assert bool(town.told(ResourcesLow)) != enough

    town = Town(*ALL_FIVE, floors=FLOORS, prune=prune)
    prunings, town.free = 0, NO_MEMORY
    await town.live(400)
    assert prunings == 0


# Reading


async def test_this_machine_is_read(tmp_path):
    """What it says makes sense."""
    read = FreeReader(tmp_path)
    with trio.fail_after(60):
        while (free := await read()).disk is None:  # noqa: ASYNC110 - the disk is slow
            await trio.sleep(0.1)
    assert free.memory > MB
    assert free.disk.size > 0


async def test_a_dead_disk_holds_up_nobody(tmp_path, monkeypatch):
    """Its answer is waited for shortly, and it is not asked again before it has answered."""
    answered, asked = threading.Event(), 0

    def dead(path):
        nonlocal asked
        asked += 1
        answered.wait(30)
        return FreeDisk(1, 1)

    monkeypatch.setattr("muxd.floors.free_disk", dead)
    read = FreeReader(tmp_path)
    try:
        with trio.fail_after(PATIENCE + 10):
            assert (await read()).disk is None
        with trio.fail_after(10):
            assert (await read()).disk is None
        assert asked == 1
    finally:
        answered.set()
    with trio.fail_after(10):
        while (await read()).disk is None:  # noqa: ASYNC110 - a thread ends
            await trio.sleep(0.01)


async def test_a_directory_that_is_gone_is_unknown(tmp_path):
    """No error: the next run has other worries."""
    assert (await FreeReader(tmp_path / "gone")()).disk is None


# Room on the disk


@pytest.fixture
def artifacts(tmp_path):
    """Of five runs, the older the smaller its number: two files of 1 kB each."""
    kept = Artifacts(tmp_path / "artifacts", keep=1e12)
    for number in range(5):
        place = kept.write(f"run{number}", {"a.png": b"x" * 1000, "b.html": b"x" * 1000})
        os.utime(place, (number + 1e9, number + 1e9))
    return kept


@pytest.mark.parametrize(
    ("what", "free", "floor", "removed"),
    [
        ("disk", 0, 1500, 1),
        ("disk", 0, 5000, 3),
        ("disk", 0, 10**6, 5),
        ("files", 1097, 1000, 2),
        ("files", 0, 1000, 5),
    ],
)
def test_old_evidence_makes_room(artifacts, what, free, floor, removed):
    """The oldest goes, as much as is missing; the rest stays."""
    make_room(artifacts, Shortage(what, free, floor))
    left = [folder.run_id for folder in artifacts.folders()]
    assert left == [f"run{number}" for number in range(removed, 5)]


def test_no_more_than_is_missing_is_removed(artifacts):
    """Where nothing is missing, nothing goes."""
    assert artifacts.make_room() == []
    assert len(artifacts.folders()) == 5
