"""The world round muxd: a disk that is full, a ledger that is taken or damaged, clocks that jump."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import subprocess
import time

import psutil
import pytest
import trio

from muxd.record import Outcome
from muxd.testing import VirtualClock
from tests.test_scheduler import HOUR, disjoint, open_world, sixteen

from .daemons import HONEST, age, lives_on, waits

RECORDED_WITHIN = 40.0
"""How long after the store can be written again the records are in it: the pause before the next
attempt, seconds."""


def ask(home, job="honest"):
    """Ask for a run and wait until it has ended; the exit code."""
    return home.request(job).wait(60)


@contextlib.contextmanager
def no_room(pid):
    """Let the process write to no file any more, as on a disk that is full."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_disk_full(muxd_home):
    """Runs go on; their records wait in memory, and are in the ledger when there is room again."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start()
    lives_on(home)
    with no_room(home.pid):
        assert ask(home) == 0
        assert ask(home) == 0
        assert len(home.history()) == 1
    age(lambda: len(home.history()) == 3, RECORDED_WITHIN, "the records of the full disk")
    assert {record["outcome"] for record in home.history()} == {"ok"}
    lives_on(home)
    home.daemon.terminate()
    assert home.daemon.wait(60) == 0
    home.nothing_is_left()


def test_disk_full_at_the_end(muxd_home):
    """What the ledger could not take by then goes into the log, whole; the end is bounded."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start()
    with no_room(home.pid):
        assert ask(home) == 0
        home.daemon.terminate()
        assert home.daemon.wait(60) in (0, 1)
    home.start()
    lives_on(home)


@pytest.fixture
def small_disk(muxd_home):
    """The state directory is a file system of its own, of 120 MB."""
    state = muxd_home.state
    state.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=120M,mode=0700", "tmpfs", str(state)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield state
    finally:
        if muxd_home.daemon is not None and muxd_home.daemon.poll() is None:
            muxd_home.kill()
        subprocess.run(["umount", "--lazy", str(state)], check=True)


def test_no_room_for_the_browser_either(muxd_home, small_disk):
    """Not a byte is left where the profile, temporary files and traces are: runs are `ok` all the same."""
    home = muxd_home
    home.write("honest", HONEST)
    home.write("fresh", HONEST.replace("honest", "fresh").replace("(", '(session="fresh", ', 1))
    home.start()
    lives_on(home)
    with (small_disk / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass
    for job in ("fresh", "honest", "fresh"):
        record = home.json("run", job)
        assert (record["outcome"], record["harm"], record["left"]) == ("ok", None, None)
    (small_disk / "filling").unlink()
    lives_on(home)


def test_ledger_locked_by_another_process(muxd_home):
    """Runs go on; the records are in the ledger when the other lets go of it."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start()
    lives_on(home)
    other = sqlite3.connect(home.state / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert ask(home) == 0
    finally:
        other.execute("ROLLBACK")
        other.close()
    age(lambda: len(home.history()) == 2, RECORDED_WITHIN, "the record of that run")
    lives_on(home)


def test_ledger_locked_at_the_start(muxd_home):
    """A lock that is let go of in time delays the start; one that stays is named, with the remedy."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start()
    lives_on(home)
    home.kill()
    other = sqlite3.connect(home.state / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        home.start(until="")
        assert home.daemon.wait(90) == 1
        assert "another process holds it locked" in home.output.read_text()
        assert "Traceback" not in home.output.read_text()
    finally:
        other.execute("ROLLBACK")
        other.close()
    home.start()
    lives_on(home)


# `tests/builtin/test_ledger_damage.py` has these and others without a daemon.
@pytest.mark.parametrize(
    "damage",
    [
        "overwritten",
        *(
            pytest.param(each, marks=pytest.mark.nightly)
            for each in ("cut off", "emptied", "another file")
        ),
    ],
)
def test_ledger_corrupt(muxd_home, damage):
    """It is set aside and named, a new one is begun, and jobs run."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start()
    for _ in range(3):
        lives_on(home)
    home.call("stop")
    home.daemon.wait(30)
    ledger = home.state / "ledger.sqlite3"
    whole = ledger.read_bytes()
    ledger.write_bytes(
        {
            "overwritten": whole[:1000] + b"\xff" * (len(whole) - 1000),
            "cut off": whole[: len(whole) // 2],
            "emptied": b"",
            "another file": b"no ledger " * 1000,
        }[damage]
    )
    home.start()
    lives_on(home)
    if damage != "emptied":
        aside = [f for f in home.state.iterdir() if f.name.startswith("ledger") and f != ledger]
        assert any("damaged" in f.name or "aside" in f.name for f in aside), aside
        assert "damaged" in home.output.read_text()


def test_ledger_corrupt_during_a_run(muxd_home):
    """The run that is in progress is not touched; its record is in the ledger at the end."""
    home = muxd_home
    home.write("honest", HONEST)
    mark = waits(home, seconds=8)
    home.start()
    lives_on(home)
    asked = home.request("slow")
    home.wait(mark.exists, 20, "the run to be begun")
    ledger = home.state / "ledger.sqlite3"
    with ledger.open("r+b") as file:
        file.seek(0)
        file.write(b"\xff" * ledger.stat().st_size)
    assert asked.wait(60) == 0
    lives_on(home)
    age(
        lambda: {"slow", "honest"} <= {record["job"] for record in home.history()},
        RECORDED_WITHIN,
        "the records",
    )


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_clock_stepped(autojump_clock, step):
    """An hour forward: the newest of each job, in gaps. Back: nothing is run twice at once."""
    clock = VirtualClock()
    async with open_world(*sixteen(), clock=clock) as world, world.alive():
        with trio.fail_after(100 * HOUR):
            await trio.sleep(3 * HOUR + 100)
            clock.step(step)
            await trio.sleep(3 * HOUR)
    records = world.records()
    assert world.book.most_at_once == 1
    assert {r.outcome for r in records} <= {Outcome.ok, Outcome.missed}
    ran = [r for r in records if r.started_at is not None]
    if step > 0:
        assert disjoint(records)
        assert len({(r.job, r.released_at) for r in ran}) == len(ran)
    # Six hours really passed, whatever the clock shows; forward, the newest of the lost hour is run.
    for name, interval in (("posting_queue", 300), ("metrics_scraper", 600), ("plan", HOUR)):
        number = len([r for r in ran if r.job == name])
        assert number == pytest.approx(6 * HOUR / interval, abs=2), name
    assert len([r for r in ran if r.job == "cleanup"]) == 1


async def test_machine_asleep_for_8_hours(autojump_clock):
    """Each job is caught up with once, in gaps, and nobody on time waits for it."""
    clock = VirtualClock()
    async with open_world(*sixteen(), clock=clock) as world, world.alive():
        with trio.fail_after(100 * HOUR):
            await trio.sleep(HOUR + 100)
            clock.suspend(8 * HOUR)
            woke = clock.now()
            await trio.sleep(2 * HOUR)
    records = world.records()
    assert disjoint(records)
    late = [r for r in records if r.started_at is not None and r.released_at < woke - 100]
    late = [r for r in late if r.started_at >= woke]
    assert len({r.job for r in late}) == len(late) > 8
    on_time = [r for r in records if r.released_at >= woke and r.started_at is not None]
    assert {r.lateness for r in on_time} == {0}


def test_machine_asleep_between_a_start_and_a_run(muxd_home):
    """SIGSTOP of all of muxd for a while, as in sleep: it goes on, and no guard kills anybody."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start()
    pid = home.pid
    everybody = [process.pid for process in home.processes()]
    subprocess.run(["kill", "-STOP", *map(str, everybody)], check=False)  # one may have ended
    try:
        home.wait(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, 10, "its sleep")
        time.sleep(8)
    finally:
        subprocess.run(["kill", "-CONT", *map(str, everybody)], check=False)
    lives_on(home)
    assert home.pid == pid
