"""``muxd_daemon``: a real daemon, in a process and a directory of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from muxd import Job
from muxd.errors import UnknownJob
from muxd.testing import MuxdDaemon

OTHERS = """
import muxd


@muxd.job(interval="1d", duration="20s")
async def broken(run):
    raise LookupError("no price")
"""


@pytest.fixture
def kitjobs(monkeypatch):
    """A module of jobs that can be imported by its name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import kitjobs

    yield kitjobs
    del sys.modules["kitjobs"]


@pytest.mark.browser
def test_a_daemon(muxd_daemon, kitjobs, tmp_path):
    """It has the jobs that it is given and no others, runs them, answers, and leaves no process."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "later.py").write_text(OTHERS.replace("broken", "later"))
    daemon = muxd_daemon(
        kitjobs.headlines, OTHERS, tmp_path / "more", config='[jobs.later]\ninterval = "2d"\n'
    )
    good = daemon.run(kitjobs.headlines)
    assert (good.outcome, good.result, good.session) == ("ok", "news", "main")
    bad = daemon.run("broken")
    assert (bad.outcome, bad.error) == ("failed", "no price")
    # Not the records: the ledger rounds their instants to the microsecond, and JSON cuts them.
    assert [record.id for record in daemon.history()] == [bad.id, good.id]
    assert [record.result for record in daemon.history("headlines")] == ["news"]
    with pytest.raises(UnknownJob, match="brokn"):
        daemon.run("brokn")
    assert daemon.status()["state"] == "running"
    jobs = {line.split()[0] for line in daemon.call("jobs").splitlines()[1:] if line.strip()}
    assert jobs == {"headlines", "broken", "later"}
    with pytest.raises(subprocess.CalledProcessError) as caught:
        daemon.call("history", "show", "nothing")
    assert caught.value.stderr
    account = muxd_daemon.account()
    assert account.startswith(f"{daemon.folder}\n")
    assert "broken" in account
    assert "\x1b" not in account
    pid = daemon.status()["pid"]
    assert daemon.stop() == 0
    assert not psutil.pid_exists(pid)
    assert daemon.stop() == 0  # again changes nothing


def test_a_daemon_that_does_not_start_says_why(muxd_daemon):
    """The error has what the daemon has said."""
    with pytest.raises(
        RuntimeError, match=r"did not come up but ended, exit code 2:\nmuxd: there are no jobs"
    ):
        muxd_daemon()


def test_jobs_that_another_process_can_not_have(tmp_path):
    """A job that nothing names can't be given, and the message says what can."""

    async def body(_run):
        """Do nothing."""

    daemons = MuxdDaemon(tmp_path)
    with pytest.raises(ValueError, match="job 'x' can't be found by a name"):
        daemons(Job("x", body, interval="1h"))
    with pytest.raises(ValueError, match="7 is no job: give a Job, a module, a Path or the text"):
        daemons(7)
