"""The real daemon on a ledger that is damaged, locked, or not its own."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import textwrap

import pytest

from .conftest import JOBS


def spoil(path, offset, size=4096):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * size)


def log_of(home):
    text = (home.state / "logs" / "muxd.log").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.nightly
def test_a_damaged_ledger_keeps_nobody_from_starting(muxd_home):
    """`muxd history` says what is wrong; `muxd start` saves what it can, says so, and goes on."""
    muxd_home.write("jobs", JOBS)
    muxd_home.call("run", "fresh")
    ledger = muxd_home.state / "ledger.sqlite3"
    spoil(ledger, 0)
    muxd_home.call("history", code=1)
    (line,) = muxd_home.errors.splitlines()
    assert "is damaged" in line
    assert "`muxd start` sets it aside" in line
    muxd_home.start()
    (kept,) = muxd_home.state.glob("ledger-damaged-*.sqlite3")
    (warning,) = muxd_home.json("status")["ledger"]["warnings"]
    assert f"kept as {kept.name}; 1 runs" in warning
    assert warning in muxd_home.call("status")
    assert warning in muxd_home.output.read_text()
    manual = [run["job"] for run in muxd_home.history() if run["cause"] == "manual"]
    assert manual == ["fresh"]  # on a slow machine a slot of it may have come meanwhile

    # And again, while it runs: the records of the present are in the new one.
    for path in muxd_home.state.glob("ledger.sqlite3*"):
        path.unlink()
    muxd_home.call("run", "quick")
    assert sorted(run["job"] for run in muxd_home.history() if run["cause"] == "manual") == [
        "fresh",
        "quick",
    ]
    assert len(muxd_home.json("status")["ledger"]["warnings"]) == 2
    muxd_home.call("stop")
    log = log_of(muxd_home)
    assert sum(line["level"] == "critical" for line in log) >= 3


@pytest.mark.nightly
@pytest.mark.parametrize("exclusive", [False, True])
def test_a_locked_ledger_is_waited_for_and_then_named(muxd_home, exclusive):
    """A start beside somebody's transaction ends within seconds, in one message, or goes on."""
    muxd_home.write("jobs", JOBS)
    muxd_home.call("run", "fresh")
    with contextlib.closing(
        sqlite3.connect(muxd_home.state / "ledger.sqlite3", isolation_level=None)
    ) as other:
        if exclusive:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE phases SET phase_s = phase_s")
        muxd_home.call("start", code=1, timeout=40)
        assert "another process holds it locked" in muxd_home.errors
        assert "Traceback" not in muxd_home.errors
    muxd_home.start()
    muxd_home.call("stop")


@pytest.mark.nightly  # the fault matrix has it as well
def test_runs_go_on_while_the_ledger_is_locked(muxd_home):
    """Records stay in memory, which `muxd status` says, and are written when the lock is gone."""
    muxd_home.write("jobs", JOBS)
    muxd_home.start()
    with contextlib.closing(
        sqlite3.connect(muxd_home.state / "ledger.sqlite3", isolation_level=None)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        muxd_home.call("run", "quick", timeout=60)
        told = muxd_home.json("status")["ledger"]
        assert told["unwritten"] >= 1
        assert "records are in memory only" in muxd_home.call("status")
        assert not any(run["job"] == "quick" for run in muxd_home.history())
    muxd_home.wait(
        lambda: muxd_home.told()["ledger"]["unwritten"] == 0, 90, "records to be written"
    )
    assert "quick" in {run["job"] for run in muxd_home.history()}
    muxd_home.call("stop")


def test_what_jobs_log_is_in_the_state_directory(muxd_home):
    """`run.log` of a run that nobody watched is found in the log file."""
    muxd_home.write(
        "jobs",
        textwrap.dedent(
            """
            import muxd

            @muxd.job(interval="60d", duration="2s")
            async def tells(run):
                run.log.info("seen", headlines=24)
            """
        ),
    )
    muxd_home.start()
    muxd_home.call("run", "tells")
    muxd_home.call("stop")
    log = log_of(muxd_home)
    (line,) = [line for line in log if line["event"] == "seen"]
    assert line["headlines"] == 24
    assert line["job"] == "tells"
