"""Killed between any two operations on files, muxd finds everything in order at its next start.

A copy of this process does the work, and kills itself before the first operation, then another before
the second, and so on until one gets through.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3

import pytest
import trio

from muxd.browser.sessions import SessionFiles
from muxd.builtin.ledger import Ledger
from muxd.record import Outcome, Record
from muxd.state import StateDir

pytestmark = pytest.mark.long

NOON = 1_795_521_600.0
COUNTED = ("open", "write", "pwrite", "fsync", "ftruncate", "replace", "unlink", "mkdir", "close")
MOST = 500
PHASES = {"a": (3600, 900), "b": (600, 30)}


class Killer:
    """Counts operations, and kills the process before the one of this number."""

    def __init__(self, number):
        self.left = number

    def step(self):
        """An operation is about to be done."""
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def counted(self, function):
        """The function, counted."""

        def call(*args, **kwargs):
            self.step()
            return function(*args, **kwargs)

        return call

    def begin(self):
        """Count from now on, in all of this process."""
        for name in COUNTED:
            setattr(os, name, self.counted(getattr(os, name)))
        killer = self

        class Counted(sqlite3.Connection):
            def execute(self, *args):
                killer.step()
                return super().execute(*args)

            def executemany(self, *args):
                killer.step()
                return super().executemany(*args)

        connect = sqlite3.connect
        sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Counted, **kwargs)


def each_death(work, check, prepare=lambda: None):
    """Die at each operation of `work`; `check` is called after each death.

    Returns how many operations there are.
    """
    for number in range(MOST):
        prepare()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                Killer(number).begin()
                work()
                code = 0
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, -signal.SIGKILL), f"at operation {number}: exit code {code}"
        check()
        if code == 0:
            return number
    raise AssertionError("it never got through")


async def at_once(work):
    """Run it here: a process that was forked has no other thread."""
    await trio.lowlevel.checkpoint()
    return work()


def with_ledger(directory, use=None):
    """Open the ledger to write, and do something with it."""

    async def main():
        with trio.fail_after(30):
            async with Ledger(directory, durable=False, run_in_thread=at_once).open() as ledger:
                return None if use is None else await use(ledger)

    return trio.run(main)


def record(number):
    at = NOON + number
    return Record(
        id=f"{number:04}", job="a", released_at=at, started_at=at, ended_at=at + 1,
        outcome=Outcome.ok, error="x" * 300,
    )  # fmt: skip


WAITING = Record(id="9999", job="b", released_at=NOON)
RECORDS = {each.id: each for each in map(record, range(60))}


def left_by_a_dead_muxd(directory):
    """A ledger, half of it in the journal, as a muxd that was killed leaves it."""

    async def use(ledger):
        await ledger.write(*list(RECORDS.values())[:30])
        await ledger.set_phases(PHASES, at=NOON)
        ledger._file._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        await ledger.write(*list(RECORDS.values())[30:], WAITING)
        os._exit(0)

    directory.mkdir()
    pid = os.fork()
    if pid == 0:
        try:
            with_ledger(directory, use)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    assert (directory / "ledger.sqlite3-wal").stat().st_size > 4096


async def contents(ledger):
    await ledger.check()  # finishes what a start leaves for later
    found = {each.id: each for each in await ledger.history(limit=1000)}
    return found, list(await ledger.unfinished()), await ledger.phases(), await ledger.placed()


@pytest.mark.parametrize(
    "what", ["first page", pytest.param("an index", marks=pytest.mark.nightly)]
)
def test_a_ledger_is_set_aside_whole_whenever_muxd_dies(tmp_path, what):
    """The next start finishes what was begun: nothing is lost, and the damaged one is kept."""
    source, state = tmp_path / "source", tmp_path / "state"
    kept_parts = ("", "-wal")
    left_by_a_dead_muxd(source)
    with contextlib.closing(
        sqlite3.connect(f"file:{source}/ledger.sqlite3?mode=ro", uri=True)
    ) as file:
        ((root,),) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs_by_job'")
    page = 1 if what == "first page" else root
    for part in kept_parts:  # the journal may have a good copy of the page
        path = source / f"ledger.sqlite3{part}"
        data = bytearray(path.read_bytes())
        if not part:
            data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
        else:
            frames = range(32, len(data), 24 + 4096)
            good = (at for at in frames if int.from_bytes(data[at : at + 4]) == page)
            del data[next(good, len(data)) :]
        path.write_bytes(data)
    shutil.copytree(source, tmp_path / "expected")
    expected = with_ledger(tmp_path / "expected", contents)
    assert len(expected[0]) >= 30
    assert expected[2:] == (PHASES, {"a": NOON, "b": NOON})

    def prepare():
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(source, state)

    def check():
        assert with_ledger(state, contents) == expected
        (kept,) = state.glob("ledger-damaged-*.sqlite3")
        for part in kept_parts:
            whole = (source / f"ledger.sqlite3{part}").read_bytes()
            assert kept.with_name(f"{kept.name}{part}").read_bytes() == whole
        others = {path.name for path in state.iterdir()} - {"ledger.sqlite3"}
        assert {name.removesuffix("-wal").removesuffix("-shm") for name in others} == {kept.name}

    assert each_death(lambda: with_ledger(state), check, prepare) > 40


def test_phases_are_replaced_whole_whenever_muxd_dies(tmp_path):
    """Those in force are the old or the new ones."""
    old, new = PHASES, {"b": (600, 60), "c": (60, 5)}
    with_ledger(tmp_path, lambda ledger: ledger.set_phases(old))

    def check():
        found = with_ledger(tmp_path, lambda ledger: ledger.phases())
        assert found in (old, new)
        with_ledger(tmp_path, lambda ledger: ledger.set_phases(old))

    assert each_death(lambda: with_ledger(tmp_path, lambda it: it.set_phases(new)), check) > 10


def test_a_session_is_saved_whole_whenever_muxd_dies(tmp_path):
    """What is loaded is the old or the new state, and no garbage gathers."""
    files = SessionFiles(tmp_path / "sessions")
    old, new = {"cookies": ["old" * 1000]}, {"cookies": ["new" * 2000]}
    files.save("shop", old)

    def check():
        assert files.load("shop") in (old, new)
        files.save("shop", old)
        assert [path.name for path in files.folder.iterdir()] == ["shop.json"]

    assert each_death(lambda: files.save("shop", new), check) > 5


def test_a_lock_blocks_nobody_whenever_muxd_dies(tmp_path):
    """The next start takes it, and until then nobody seems to own the directory."""
    state = StateDir(tmp_path / "state")

    def work():
        with state.hold():
            pass

    def check():
        assert state.owner() is None
        work()
        assert not state.lock_file.exists()

    assert each_death(work, check) > 4
