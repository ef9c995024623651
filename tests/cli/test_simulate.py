"""``muxd simulate``."""

from __future__ import annotations

import json
import shlex

import pytest

from muxd.scheduler import Scheduler

JOBS = {
    "jobs": [
        {"name": "feed", "interval": 1800, "duration": 20, "retries": 1, "overlap": "skip"},
        {"name": "daily", "interval": 86400, "duration": 60, "preferred_phase": 9000},
    ]
}
FILE = """
    import muxd

    @muxd.job(interval="1h", duration="20s")
    async def alpha(run):
        raise AssertionError("bodies are not run")
"""


@pytest.fixture
def jobs(write):
    write("jobs.json", json.dumps(JOBS))
    return "--jobs-file", "jobs.json"


def test_a_month_of_a_file_of_jobs(muxd, jobs):
    """People get numbers by outcome and by job; all went well, so the exit code is 0."""
    done = muxd("simulate", *jobs, "--days", "2", "--from", "2026-06-01")
    assert done.exit_code == 0, done.output
    assert "98 ok" in done.stdout
    assert "No promise was broken." in done.stdout
    assert "feed" in done.stdout


def test_plugins_are_simulated_without_their_bodies(muxd, write, place):
    """Jobs of a directory; nothing is written to the state directory."""
    write("jobs/mine.py", FILE)
    options = ("--jobs-dir", "jobs", "--state-dir", "state", "--days", "1", "--json")
    done = muxd("simulate", *options)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["runs"]["by_outcome"]["ok"] >= 24
    assert "alpha" in {job["name"] for job in found["jobs"]}
    assert found["broken"] == []
    assert not (place / "state").exists()


def test_the_same_seed_is_the_same_to_the_byte(muxd, jobs):
    """With faults too; another seed differs."""
    options = (
        "simulate",
        *jobs,
        "--days",
        "2",
        "--from",
        "2026-06-01",
        "--faults",
        "0.05",
        "--json",
    )
    first = muxd(*options, "--seed", "7")
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["faults"]
    assert muxd(*options, "--seed", "7").stdout == first.stdout
    assert muxd(*options, "--seed", "8").stdout != first.stdout


def test_a_broken_promise_is_told_with_the_command_to_see_it_again(muxd, jobs, monkeypatch):
    """Which, when, what came before; the exit code is 1; the command finds it again."""

    async def dropping(self, job, instant):
        pass

    monkeypatch.setattr(Scheduler, "_release_on_time", dropping)
    argv = ["muxd", "simulate", *jobs, "--from", "2026-06-01", "--days", "3", "--seed", "5"]
    monkeypatch.setattr("sys.argv", argv)
    done = muxd(*argv[1:])
    assert done.exit_code == 1
    assert "BROKEN: every release of every slot leaves exactly one record" in done.stdout
    (again,) = {
        line.partition("again: ")[2] for line in done.stdout.splitlines() if "again: " in line
    }
    words = shlex.split(again)
    assert words[words.index("simulate") :] == [
        "simulate", "--days", "4", "--faults", "0", "--seed", "5", "--from", "2026-06-01", *jobs,
    ]  # fmt: skip
    assert muxd(*words[words.index("simulate") :]).exit_code == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--faults", "2"), "--faults"),
        (("--days", "0"), "--days"),
        (("--jobs-file", "none.json"), "can't be read"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_mistakes_are_told(muxd, options, message):
    """Without a traceback, exit code 2."""
    done = muxd("simulate", *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_too_much_is_refused_as_at_the_start(muxd, write):
    """Jobs that ask for more than there is: named, exit code 2."""
    write("jobs.json", json.dumps({"jobs": [{"name": "hog", "interval": 60, "duration": 59}]}))
    done = muxd("simulate", "--jobs-file", "jobs.json", "--days", "1")
    assert done.exit_code == 2
    assert "slow down hog" in done.stderr
