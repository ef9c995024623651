"""What a daemon survives with its guard: bodies that block it, and every kind of sudden death."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import time

import psutil
import pytest

from muxd.guard.watch import BLOCKED_AFTER, TOO_LATE
from tests.variants import nightly

from .conftest import COMMAND, JOBS, SLOW, alive

STUCK = """
import os
import re
import signal
import time
import muxd


def hang():
    {body}


@muxd.job(interval="60d", duration="1s", timeout="{timeout}", idempotent=True, retries=2)
async def stuck(run):
    await run.page.set_content("<h1>stuck</h1>")
    open({mark!r}, "w").close()
    hang()
    return "done"
"""

PATIENT = 90
"""For what takes seconds, and longer on a busy machine."""


def stuck(home, body, timeout="60s"):
    home.write("jobs", JOBS)
    mark = home.folder / "begun"
    home.write("stuck", STUCK.format(body=body, mark=str(mark), timeout=timeout))
    return mark


def until_there(go):
    """A block that ends with this file: however late the guard finds it, it does."""
    return f"while not os.access({str(go)!r}, os.F_OK): time.sleep(0.05)"


def limit(home, seconds=5):
    home.config.write_text(home.config.read_text() + f'blocked_limit = "{seconds}s"\n')


def told(home, words):
    """The guard's lines with these words."""
    whole = home.output.read_text().rpartition("\n")[0].splitlines()
    lines = (json.loads(line) for line in whole if line[:1] == "{")
    return [line for line in lines if words in line["event"]]


def is_back(home, old):
    """Another daemon than `old` runs."""

    def found():
        told = home.told()
        return told if told and told["state"] == "running" and told["pid"] != old else None

    return home.wait(found, PATIENT, "the next daemon")


def asked_for(home):
    """How the runs ended that were asked for, and not by the timetable."""
    return [r["outcome"] for r in home.history() if r["cause"] == "manual"]


def below(home):
    """Every process below the daemon."""
    return [process.pid for process in psutil.Process(home.pid).children(recursive=True)]


def test_a_block_is_named_while_it_lasts_and_costs_nobody_else_a_run(muxd_home):
    """Within 5 s the log has the stack; then the run ends as it would have, with the harm in its
    record, and the next is ok in the same daemon."""
    home = muxd_home
    go = home.folder / "go"
    mark = stuck(home, until_there(go))
    home.start()
    pid = home.pid
    asked = home.request("stuck")
    home.wait(mark.exists, 20, "the body to be begun")
    (line,) = home.wait(lambda: told(home, "job 'stuck' blocks muxd"), 20, "the block to be told")
    assert BLOCKED_AFTER <= line["blocked"] <= BLOCKED_AFTER + TOO_LATE + 0.2
    go.touch()
    assert "in hang" in line["stack"].splitlines()[0]
    assert "in stuck" in line["stack"].splitlines()[1]
    assert asked.wait(PATIENT) == 0
    (record,) = home.history("--job", "stuck")
    assert record["outcome"] == "ok"
    assert record["harm"].startswith("blocked muxd for ")
    assert line["blocked"] - 0.1 <= float(record["harm"].split()[3]) <= record["duration"] + 1
    assert ", in hang (stuck.py:" in record["harm"]
    kept = [
        json.loads(line) for line in (home.state / "logs" / "muxd.log").read_text().splitlines()
    ]
    (line,) = [line for line in kept if line["event"] == "job 'stuck' has blocked muxd"]
    assert "in hang" in line["stack"]
    after = home.json("run", "quick")
    assert (after["outcome"], after["harm"]) == ("ok", None)
    assert home.pid == pid


def test_a_run_that_blocks_past_its_deadline_has_the_stack_in_its_record(muxd_home):
    """It is `timed_out`, and its error says where it was."""
    home = muxd_home
    go = home.folder / "go"
    stuck(home, until_there(go), timeout="1s")
    home.start()
    asked = home.request("stuck")
    home.wait(lambda: told(home, "job 'stuck' blocks muxd"), 20, "the block to be told")
    go.touch()
    assert asked.wait(PATIENT) == 1
    (record,) = home.history("--job", "stuck", "--limit", "1")
    assert record["outcome"] == "timed_out"
    assert "blocked muxd for" in record["error"]
    assert "in hang" in record["error"]
    assert "blocked muxd for" in record["harm"]


@pytest.mark.parametrize(
    "body",
    [
        nightly("time.sleep(600)"),
        pytest.param("while True: pass", marks=pytest.mark.nightly),  # as the regex, and milder
        're.match(r"(a+)+$", "a" * 60 + "b")',
    ],
    ids=["sleep", "loop", "regex"],
)
def test_past_its_limit_a_block_ends_the_daemon_and_the_next_goes_on(muxd_home, body):
    """Also where no thread of the daemon could run: the run is `crashed` with the stack, its job
    paused and not tried again, nothing of the old processes is left, others run as before."""
    home = muxd_home
    mark = stuck(home, body)
    limit(home)
    home.start()
    old, tree = home.pid, below(home)
    asked = home.request("stuck")
    home.wait(mark.exists, 20, "the body to be begun")
    status = is_back(home, old)
    assert not any(map(alive, [old, *tree]))
    assert asked.wait(20) == 1
    (record,) = home.history("--job", "stuck")
    assert record["outcome"] == "crashed"
    assert record["error_type"] == "muxd.errors.LoopBlocked"
    assert "in hang" in record["error"]
    assert "until muxd was killed" in record["harm"]
    (pause,) = status["paused"]
    assert pause["job"] == "stuck"
    assert "blocked muxd" in pause["note"]
    assert pause["probe_at"] is not None
    assert home.json("run", "quick")["outcome"] == "ok"
    assert [r["outcome"] for r in home.history("--job", "stuck")] == ["crashed"]
    home.call("stop")
    assert home.daemon.wait(20) == 0
    home.nothing_is_left()


@pytest.mark.parametrize(
    ("body", "how"),
    [
        # `tests/test_guard.py` has one that exits, without a browser.
        pytest.param("os._exit(3)", "exit code 3", marks=pytest.mark.nightly),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    ],
    ids=["exit", "segfault"],
)
def test_a_run_that_takes_the_daemon_along_is_charged(muxd_home, body, how):
    """Back at once; the run is `interrupted` with the harm and, being idempotent, tried again in
    time; three such in a row pause the job."""
    home = muxd_home
    stuck(home, body)
    home.start()
    old, tree = home.pid, below(home)
    for number in range(1, 4):
        home.request("stuck")
        status = is_back(home, old)
        old = status["pid"]
        record = home.history("--job", "stuck", "--limit", "1")[0]
        assert record["outcome"] == "interrupted"
        assert record["harm"] == f"muxd died ({how}) while it ran"
        assert bool(status["paused"]) == (number == 3)
    assert not any(map(alive, tree))
    assert home.json("run", "quick")["outcome"] == "ok"


@pytest.mark.parametrize("busy", [nightly(False), True], ids=["idle", "busy"])
def test_a_killed_daemon_is_back_at_once(muxd_home, busy):
    """kill -9 of the daemon, with a run in progress and a frozen browser, or without: the browser
    goes too, and the next daemon runs what is asked for."""
    home = muxd_home
    home.write("jobs", JOBS)
    mark = home.folder / "begun"
    home.write("slow", SLOW.format(mark=str(mark), seconds=300))
    home.start()
    old, tree = home.pid, below(home)
    if busy:
        home.request("slow")
        home.wait(mark.exists, 20, "the run to be begun")
        home.browser().suspend()
    os.kill(old, signal.SIGKILL)
    is_back(home, old)
    assert not any(map(alive, tree))
    assert asked_for(home) == ["interrupted"] * busy
    assert home.json("run", "quick")["outcome"] == "ok"
    (line,) = told(home, "muxd died")
    assert (line["how"], line["again_in"]) == ("SIGKILL", 0)


def test_while_the_next_daemon_is_started_muxd_is_there(muxd_home):
    """kill -9 of the daemon, and before the next is up: a run asked for is the next one's, which
    ends `ok`; after a second kill `stop` finds it, and stops it for good."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.start()
    old = home.pid
    os.kill(old, signal.SIGKILL)
    home.wait(lambda: not alive(old), 20, "it to be dead")
    assert home.json("run", "quick")["outcome"] == "ok"
    assert home.pid != old
    os.kill(home.pid, signal.SIGKILL)
    home.call("stop")
    assert home.daemon.wait(20) in (0, -signal.SIGTERM)  # as far as the next had come
    assert home.wait(lambda: not home.processes(), 20, "all processes to go")
    assert not (home.state / "muxd.lock").exists()


def test_a_killed_guard_leaves_nothing(muxd_home):
    """kill -9 of the guard, with a run in progress: daemon and browser go, the next start works."""
    home = muxd_home
    home.write("jobs", JOBS)
    mark = home.folder / "begun"
    home.write("slow", SLOW.format(mark=str(mark), seconds=300))
    home.start()
    tree = [home.pid, *below(home)]
    home.request("slow")
    home.wait(mark.exists, 20, "the run to be begun")
    home.daemon.kill()
    home.daemon.wait()
    home.wait(lambda: not any(map(alive, tree)), 20, "all of it to be gone")
    (home.jobs / "slow.py").unlink()  # its own slot may come at any time, and take a minute
    home.start()
    assert home.json("run", "quick")["outcome"] == "ok"


@pytest.mark.parametrize("target", [nightly("daemon"), nightly("guard"), "group"])
def test_a_signal_counts_once_wherever_it_is_sent(muxd_home, target):
    """SIGTERM to the daemon, the guard or both: the run in progress has its grace, exit code 0."""
    home = muxd_home
    home.write("jobs", JOBS)
    mark = home.folder / "begun"
    home.write("slow", SLOW.format(mark=str(mark), seconds=4))
    home.start()
    home.request("slow")
    home.wait(mark.exists, 20, "the run to be begun")
    if target == "group":
        os.killpg(home.daemon.pid, signal.SIGTERM)
    else:
        os.kill(home.pid if target == "daemon" else home.daemon.pid, signal.SIGTERM)
    assert home.daemon.wait(40) == 0
    assert asked_for(home) == ["ok"]
    home.nothing_is_left()


def test_ctrl_c_at_a_terminal_is_one_signal_and_a_second_is_a_second(muxd_home):
    """The terminal sends it to both processes: the first lets the run go on, the next ends it."""
    home = muxd_home
    home.write("jobs", JOBS)
    mark = home.folder / "begun"
    home.write("slow", SLOW.format(mark=str(mark), seconds=60))
    ours, theirs = pty.openpty()
    home.daemon = subprocess.Popen(
        [*COMMAND, "start"],
        env=home.environ,
        cwd=home.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: take_terminal(theirs),
    )
    os.close(theirs)
    os.set_blocking(ours, False)

    def drain():
        try:
            return os.read(ours, 65536) or True
        except OSError:  # nothing to read, or the other end is gone
            return True

    home.wait(lambda: drain() and home.running_state() == "running", 60, "the daemon to run")
    home.request("slow")
    home.wait(mark.exists, 20, "the run to be begun")
    os.write(ours, b"\x03")
    home.wait(lambda: drain() and home.running_state() == "draining", 20, "the daemon to drain")
    time.sleep(2)
    assert drain()
    assert home.running_state() == "draining"
    assert home.daemon.poll() is None
    os.write(ours, b"\x03")
    home.wait(lambda: drain() and home.daemon.poll() is not None, 30, "the end")
    assert home.daemon.wait() == 0
    assert asked_for(home) == ["interrupted"]
    home.nothing_is_left()
    os.close(ours)


def take_terminal(fd):
    import fcntl
    import termios

    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


@pytest.mark.nightly
def test_a_daemon_that_can_never_come_up_is_given_up(muxd_home):
    """Something kills it at each start: five tries, one message, exit code 1, nothing left."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.write(
        "kills",
        "import os\nimport muxd\n\n\n@muxd.hookimpl\ndef muxd_services():\n    os._exit(7)\n",
    )
    home.start(until="")
    assert home.daemon.wait(PATIENT) == 1
    (line,) = told(home, "it is not started again")
    assert "5 times" in line["event"]
    assert "exit code 7" in line["event"]
    home.call("status", code=3)


@pytest.mark.nightly
def test_a_sink_that_blocks_is_found_and_no_run_is_charged(muxd_home):
    """Its stack names it; past the limit muxd is started again all the same."""
    home = muxd_home
    limit(home)
    home.write("jobs", JOBS)
    mark = home.folder / "blocked once"
    home.write(
        "sinks",
        f"""
        import os
        import time
        import muxd
        from muxd.abc import Sink

        class Blocks(Sink):
            name = "blocks"

            async def handle(self, event):
                if type(event).__name__ == "RunEnded" and not os.path.exists({str(mark)!r}):
                    open({str(mark)!r}, "w").close()
                    time.sleep(600)

        @muxd.hookimpl
        def muxd_sinks():
            yield Blocks()
        """,
    )
    home.start()
    old = home.pid
    home.request("quick")
    status = is_back(home, old)
    assert status["paused"] == []
    (line,) = told(home, "a plugin's sink or service blocks muxd")
    assert "in handle" in line["stack"]
    assert home.json("run", "quick")["harm"] is None


FORKS = """
import multiprocessing
import time
import muxd
import trio


@muxd.job(interval="60d", duration="1s", timeout="60s")
async def forks(run):
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(120,))
    process.start()
    open({mark!r}, "w").write(str(process.pid))
    await trio.sleep(50)
"""


def test_what_a_body_has_forked_keeps_nothing_of_a_dead_muxd(muxd_home):
    """kill -9 of the guard while a forked process of a run lives on: the browser goes, and the next
    muxd starts."""
    home = muxd_home
    home.write("jobs", JOBS)
    mark = home.folder / "forked"
    home.write("forks", FORKS.format(mark=str(mark)))
    home.start()
    browser = home.browser().pid
    home.request("forks")
    home.wait(lambda: mark.exists() and mark.read_text(), PATIENT, "the body to have forked")
    forked = int(mark.read_text())
    try:
        home.kill()
        home.wait(lambda: not alive(browser), PATIENT, "the browser to be gone")
        assert alive(forked)
        home.start()
        assert alive(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


LOGS = """
import muxd


@muxd.job(interval="60d", duration="1s")
async def logs(run):
    for number in range(40):
        run.log.info("x" * 10_000, number=number)
    return await run.page.title()
"""


@pytest.mark.nightly
def test_a_terminal_that_nobody_reads_stops_nothing(muxd_home):
    """Ctrl-S, or a full pipe for stdout and stderr, from the start on: what is logged is in the log
    file, runs end as ever and none is charged, and `stop` ends both processes."""
    home = muxd_home
    home.write("logs", LOGS)
    unread, pipe = os.pipe()
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, bytes(4096))
    os.set_blocking(pipe, True)
    home.daemon = subprocess.Popen(
        [*COMMAND, "start"],
        env=home.environ,
        cwd=home.folder,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
    )
    os.close(pipe)
    home.wait(lambda: home.running_state() == "running", PATIENT, "the daemon to run")
    record = home.json("run", "logs")
    assert (record["outcome"], record["harm"]) == ("ok", None)
    assert '"number": 39' in (home.state / "logs" / "muxd.log").read_text()
    home.call("stop")
    assert home.daemon.wait(30) == 0
    os.close(unread)
    home.nothing_is_left()


def test_without_a_guard(muxd_home):
    """`restart = false`: the process that was started is the daemon, and nobody starts it again."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.config.write_text(home.config.read_text() + "restart = false\n")
    home.start()
    assert home.pid == home.daemon.pid
    assert home.json("run", "quick")["outcome"] == "ok"
    home.daemon.send_signal(signal.SIGTERM)
    assert home.daemon.wait(30) == 0
    home.nothing_is_left()
