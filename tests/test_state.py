"""The state directory has one owner at a time, and a dead one is in nobody's way."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from muxd.errors import AlreadyRunning, ConfigError
from muxd.guard.place import Place
from muxd.state import Owner, StateDir

HOLD = """
import sys, time
from pathlib import Path
from muxd.state import StateDir
with StateDir(Path(sys.argv[1])).hold():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "state")], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_owner_is_refused_and_told_the_pid(tmp_path, holder):
    """While one process holds the directory, another gets AlreadyRunning with its pid."""
    state = StateDir(tmp_path / "state")
    assert state.owner() == Owner(holder.pid, "daemon")
    with pytest.raises(AlreadyRunning, match=str(holder.pid)) as refused, state.hold():
        pytest.fail("two owners")
    assert refused.value.pid == holder.pid
    assert refused.value.exit_code == 2


def test_a_dead_owner_blocks_nobody(tmp_path, holder):
    """After kill -9 the lock file is still there, and means nothing."""
    state = StateDir(tmp_path / "state")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert state.lock_file.exists()
    assert state.owner() is None
    with state.hold():
        assert state.owner() == Owner(os.getpid(), "daemon")


@contextlib.contextmanager
def guarding(root):
    place = Place(str(root))
    place.take()
    yield
    place.leave()


@pytest.mark.parametrize(
    "hold", [lambda root: StateDir(root).hold(), guarding], ids=["daemon", "guard"]
)
def test_a_full_disk_keeps_nobody_from_the_lock(tmp_path, hold):
    """Who holds it can't be written then; that it is held is the system's to know."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with hold(tmp_path):
            assert StateDir(tmp_path).owner() == Owner(None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert StateDir(tmp_path).owner() is None


FORKED = """
import multiprocessing, os, sys, time
from pathlib import Path
from muxd.state import StateDir

def forked():
    print(os.getpid(), flush=True)  # here, where what a fork does first has been done
    time.sleep(60)

with StateDir(Path(sys.argv[1])).hold():
    multiprocessing.get_context("fork").Process(target=forked).start()
    time.sleep(60)
"""


def test_what_a_dead_owner_has_forked_blocks_nobody(tmp_path):
    """A lock belongs to an open file, which a fork inherits: not this one. The next owner need not
    wait for the fork's end."""
    root = tmp_path / "state"
    with subprocess.Popen(
        [sys.executable, "-c", FORKED, str(root)], stdout=subprocess.PIPE, text=True
    ) as holder:
        child = int(holder.stdout.readline())
        try:
            assert StateDir(root).owner() == Owner(holder.pid)
            holder.kill()
            holder.wait()
            assert StateDir(root).owner() is None
            with StateDir(root).hold():
                os.kill(child, 0)  # it is there still
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_guard_has_the_directory_from_one_daemon_to_the_next(tmp_path):
    """It has the open file that is locked: nobody comes in between. Whom to tell to stop stays the
    same, and the file is the guard's to remove."""
    state, place = StateDir(tmp_path / "state"), Place(str(tmp_path / "state"))
    with state.hold(guard=77) as lock:
        place.share(os.dup(lock))
        assert state.owner() == Owner(os.getpid(), "daemon", 77)
    assert state.owner().told == 77
    with pytest.raises(AlreadyRunning), state.hold("run"):
        pytest.fail("two owners")
    place.take()
    assert state.owner() == Owner(os.getpid(), "daemon", os.getpid())
    with state.hold(guard=77, lock=os.dup(place.fd)):
        assert state.owner() == Owner(os.getpid(), "daemon", 77)
    place.leave()
    assert place.fd is None
    assert not state.lock_file.exists()
    with state.hold("run"):
        assert state.owner() == Owner(os.getpid(), "run")


def test_a_guard_whose_directory_was_made_anew_has_that(tmp_path):
    """What it holds is not in its place any more: neither it nor its daemon goes by that."""
    state, place = StateDir(tmp_path / "state"), Place(str(tmp_path / "state"))
    state.prepare()
    place.take()
    old = os.dup(place.fd)
    shutil.rmtree(state.root)
    state.prepare()
    assert state.owner() is None
    place.take()
    assert state.owner() == Owner(os.getpid(), "daemon", os.getpid())
    with pytest.raises(AlreadyRunning), state.hold(guard=77, lock=old):
        pytest.fail("held by a file that is gone")
    place.leave()
    assert state.owner() is None


def test_nothing_is_left_of_an_owner(tmp_path):
    """The lock file goes with its owner; the directory is for its user alone."""
    state = StateDir(tmp_path / "state")
    with state.hold():
        assert state.root.stat().st_mode & 0o777 == 0o700
    assert not state.lock_file.exists()
    assert state.owner() is None


def test_an_open_directory_is_closed_to_others(tmp_path):
    """A directory that others could look into is made private."""
    (tmp_path / "state").mkdir(mode=0o755)
    StateDir(tmp_path / "state").prepare()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_file_in_its_place_is_a_clear_message(tmp_path):
    """A state directory that can't be one is the user's mistake: named, with the remedy."""
    (tmp_path / "state").write_text("")
    with pytest.raises(ConfigError, match="--state-dir") as wrong:
        StateDir(tmp_path / "state").prepare()
    assert str(tmp_path / "state") in str(wrong.value)


def test_the_owner_says_what_it_is(tmp_path):
    """The lock tells a `muxd run` from a daemon, and so does the refusal."""
    state = StateDir(tmp_path / "state")
    with state.hold("run"):
        assert state.owner() == Owner(os.getpid(), "run")
        with pytest.raises(AlreadyRunning, match="is running a job alone"), state.hold():
            pytest.fail("two owners")


def test_looking_is_in_nobodys_way(tmp_path, monkeypatch):
    """A start at the very moment at which somebody looks who the owner is does not fail."""
    monkeypatch.setattr("muxd.state.PATIENCE", 30)
    state = StateDir(tmp_path / "state")
    state.prepare()
    state.lock_file.touch()
    with state.lock_file.open() as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        threading.Timer(0.1, looker.close).start()
        with state.hold():
            assert state.owner() == Owner(os.getpid(), "daemon")


def test_a_lock_that_is_only_looked_at_for_ever_is_refused(tmp_path, monkeypatch):
    """Somebody else's shared lock delays a start for a bounded time, and then it is refused."""
    monkeypatch.setattr("muxd.state.PATIENCE", 0.05)
    state = StateDir(tmp_path / "state")
    state.prepare()
    state.lock_file.touch()
    with state.lock_file.open() as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        with pytest.raises(AlreadyRunning, match="another process"), state.hold():
            pytest.fail("held in spite of another's lock")


def test_the_lock_of_another_owner_is_left_alone(tmp_path):
    """When the directory was removed and made anew meanwhile, its new owner keeps its lock."""
    state = StateDir(tmp_path / "state")
    with state.hold():
        shutil.rmtree(state.root)
        state.prepare()
        with state.hold("run"):
            inner = state.owner()
    assert inner == Owner(os.getpid(), "run")
    with state.hold():
        state.lock_file.unlink()
        state.lock_file.touch()
    assert state.lock_file.exists()
