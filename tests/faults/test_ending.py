"""An end at every stage of a daemon's life: bounded, with nothing left, and the next start works."""

from __future__ import annotations

import os
import signal
import time

import pytest

from muxd.state import StateDir
from tests.variants import nightly

from .daemons import HONEST, alive, lives_on, waits

DELAYS = [0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 3.0]
"""Seconds after a start: from before the lock to a browser that is up and a run in progress."""
ENDED_WITHIN = 30.0
"""How long an end may take on a busy machine, seconds; without a run to wait for it is 1 to 3."""


def in_turn(delays):
    """Every other one is the nightly run's."""
    return [nightly(delay) if number % 2 else delay for number, delay in enumerate(delays)]


def begin(home, delay):
    home.write("honest", HONEST)
    home.start(until="")
    time.sleep(delay)  # the stages of a start give no signal: any instant is as good


def kill_guard(home):
    """kill -9 of the guard; returns when the daemon that it takes along holds nothing."""
    home.daemon.kill()
    home.daemon.wait()
    home.wait(lambda: StateDir(home.state).owner() is None, 20, "the daemon to be gone")


@pytest.mark.parametrize("delay", in_turn(DELAYS))
def test_sigterm_at_every_stage(muxd_home, delay):
    """The daemon ends within its bound, and leaves no process, lock or socket."""
    home = muxd_home
    begin(home, delay)
    home.daemon.send_signal(signal.SIGTERM)
    began = time.monotonic()
    code = home.daemon.wait(ENDED_WITHIN)
    assert time.monotonic() - began < ENDED_WITHIN
    # Before Python has come to muxd, the system ends it: that is as good.
    assert code in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    assert "Traceback" not in home.output.read_text()
    home.nothing_is_left()


@pytest.mark.parametrize("again", [0.0, nightly(0.2), 1.0])
def test_sigterm_while_it_stops(muxd_home, again):
    """More of them make the end no slower: the second one ends the run in progress.

    Signals of the same instant are one to the system: then the run has its grace.
    """
    home = muxd_home
    with home.config.open("a") as config:
        config.write('grace = "5s"\n')
    home.write("honest", HONEST)
    mark = waits(home)
    home.start()
    asked = home.request("slow")
    home.wait(mark.exists, 20, "the run to be begun")
    for _ in range(3):
        home.daemon.send_signal(signal.SIGTERM)
        time.sleep(again)
    assert home.daemon.wait(ENDED_WITHIN) == 0
    asked.wait(10)
    (record,) = home.history("--job", "slow")
    assert record["outcome"] in ("interrupted", "cancelled")
    home.nothing_is_left()


@pytest.mark.parametrize("delay", in_turn(DELAYS[1::2]))
def test_kill_at_every_stage(muxd_home, delay):
    """kill -9 of all of it, at any instant: the next start works, and what was is recorded."""
    home = muxd_home
    begin(home, delay)
    kill_guard(home)
    home.start()
    lives_on(home)
    assert all(record["outcome"] for record in home.history())


def test_kill_during_a_run(muxd_home):
    """The run that was in progress is `interrupted` at the next start."""
    home = muxd_home
    home.write("honest", HONEST)
    mark = waits(home)
    home.start()
    home.request("slow")
    home.wait(mark.exists, 20, "the run to be begun")
    home.kill()
    home.start()
    (record,) = home.history("--job", "slow")
    assert record["outcome"] == "interrupted"
    lives_on(home)


def test_kill_of_the_daemon_alone(muxd_home):
    """Its guard starts it again: the run is `interrupted`, and the next one is ok."""
    home = muxd_home
    home.write("honest", HONEST)
    mark = waits(home)
    home.start()
    first = home.pid
    home.request("slow")
    home.wait(mark.exists, 20, "the run to be begun")
    os.kill(first, signal.SIGKILL)
    home.wait(lambda: not alive(first), 10, "the daemon to be gone")
    home.wait(lambda: home.running_state() == "running" and home.pid != first, 60, "another one")
    (record,) = home.history("--job", "slow")
    assert record["outcome"] == "interrupted"
    assert home.daemon.poll() is None
    lives_on(home)


def test_kill_as_it_closes(muxd_home):
    """Dying on the way out leaves nothing that a start would trip over."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start()
    home.daemon.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    kill_guard(home)
    home.start()
    lives_on(home)


def test_plugin_gone_while_its_job_was_queued(muxd_home):
    """Its run is recorded as `interrupted`, no other is touched, and its phase is kept for it."""
    home = muxd_home
    home.write("honest", HONEST)
    mark = waits(home)
    home.write("gone", HONEST.replace("honest", "gone"))
    home.start()
    home.request("slow")
    home.wait(mark.exists, 20, "the first run to be begun")
    home.request("gone")
    home.wait(lambda: (home.told() or {}).get("waiting"), 20, "the second to wait")
    phases = phases_of(home)
    home.kill()
    (home.jobs / "gone.py").unlink()
    home.start()
    lives_on(home)
    assert [record["outcome"] for record in home.history("--job", "slow")] == ["interrupted"]
    assert [record["outcome"] for record in home.history("--job", "gone")] == ["interrupted"]
    home.kill()
    home.write("gone", HONEST.replace("honest", "gone"))
    home.start()
    assert phases_of(home) == phases


def phases_of(home):
    return home.json("plan")["phases"]
