"""The commands agree with each other and with the world, whatever is going on."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from tests.variants import nightly

from .conftest import COMMAND, JOBS, SLOW

MARKED = """
import trio
import muxd


@muxd.job(interval="10m", duration="5s", timeout="1m")
async def slow(run):
    await run.page.set_content("<h1>slow</h1>")
    with open({mark!r}, "a") as mark:
        mark.write("begun\\n")
    await trio.sleep(50)
"""

SLOW_SERVICE = """
import trio
import muxd
from muxd.abc import Service


class Waits(Service):
    name = "waits"

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        open({mark!r}, "w").close()
        await trio.sleep({seconds})
        task_status.started()
        await trio.sleep_forever()


@muxd.hookimpl
def muxd_services():
    yield Waits()
"""


def in_background(home, *args):
    process = subprocess.Popen(
        [*COMMAND, *args],
        env=home.environ,
        cwd=home.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    home.asked.append(process)
    home.output.touch()
    return process


def run_alone(home, *args):
    """A `muxd run` on its own that is in the middle of its run."""
    mark = home.folder / "begun"
    home.write("slow", MARKED.format(mark=str(mark)))
    process = in_background(home, "run", "slow", *args)
    home.wait(mark.exists, 20, "the run to be begun")
    return process


def starting(home, seconds):
    """A daemon that has the lock, and no socket yet."""
    home.write("jobs", JOBS)
    mark = home.folder / "starting"
    home.write("waits", SLOW_SERVICE.format(mark=str(mark), seconds=seconds))
    home.start(until="")
    home.wait(mark.exists, 20, "the service to be starting")


def test_while_a_job_runs_alone_the_commands_say_so(muxd_home):
    """start, stop, status and another run name the process that holds the directory, and none
    sends the user in a circle."""
    home = muxd_home
    process = run_alone(home)
    for command, code in (
        (("start",), 2),
        (("stop",), 3),
        (("status",), 3),
        (("run", "slow"), 2),
    ):
        home.call(*command, code=code)
        assert f"process {process.pid} is running a job alone" in home.errors, command
        assert "muxd stop" not in home.errors
        assert "muxd start" not in home.errors
    assert process.poll() is None
    process.terminate()
    process.wait(20)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), nightly(signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_lone_run_with_a_record(muxd_home, number, code):
    """The run is recorded as `interrupted` and shown, no further one is begun, the exit code is
    the signal's, and nothing is left behind."""
    home = muxd_home
    process = run_alone(home, "--repeat", "3", "--json")
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == code, errors
    (record,) = json.loads(output)["runs"]
    assert record["outcome"] == "interrupted"
    assert number.name in record["error"]
    assert [r["id"] for r in home.history()] == [record["id"]]
    home.nothing_is_left()


def test_a_body_that_ignores_its_end_does_not_keep_a_lone_run(muxd_home):
    """Ctrl-C, pressed again and again, ends a run that swallows every cancellation within its
    bound, with a record."""
    home = muxd_home
    mark = home.folder / "begun"
    home.write(
        "stuck",
        f"""
        import trio
        import muxd

        @muxd.job(interval="1h", timeout="10m")
        async def stuck(run):
            open({str(mark)!r}, "w").close()
            while True:
                try:
                    await trio.sleep(1)
                except BaseException:
                    pass
        """,
    )
    process = in_background(home, "run", "stuck")
    home.wait(mark.exists, 20, "the run to be begun")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in output
    assert [r["outcome"] for r in home.history()] == ["interrupted"]
    home.nothing_is_left()


def test_a_signal_before_the_first_run_ends_it_too(muxd_home):
    """While a service starts, a signal ends a lone run: no record, nothing left behind."""
    home = muxd_home
    mark = home.folder / "starting"
    home.write(
        "waits",
        SLOW_SERVICE.format(mark=str(mark), seconds=25)
        + '\n\n@muxd.job(interval="1h")\nasync def never(run):\n    pass\n',
    )
    process = in_background(home, "run", "never")
    home.wait(mark.exists, 20, "the service to be starting")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert home.history() == []
    home.nothing_is_left()


def test_a_daemon_that_is_starting_is_there(muxd_home):
    """`status` waits for its socket, a second start is refused."""
    home = muxd_home
    starting(home, 3)
    home.call("start", code=2)
    assert f"process {home.pid}" in home.errors
    assert home.json("status")["pid"] == home.pid
    home.wait(lambda: home.running_state() == "running", 20, "the daemon to run")
    home.call("stop")
    home.nothing_is_left()


def test_a_daemon_that_is_starting_can_be_stopped(muxd_home):
    """`stop` ends a daemon that has no socket yet, and returns when it is gone."""
    home = muxd_home
    starting(home, 25)
    assert str(home.pid) in home.call("stop", timeout=20)
    assert home.daemon.wait(5) == 0
    home.nothing_is_left()


def test_sighup_drains_like_sigterm(muxd_home):
    """A terminal that is closed stops the daemon in order: the run in progress may finish."""
    home = muxd_home
    mark = home.folder / "begun"
    home.write("slow", SLOW.format(mark=str(mark), seconds=2))
    home.start()
    home.request("slow")
    home.wait(mark.exists, 15, "the slow run to be begun")
    home.daemon.send_signal(signal.SIGHUP)
    assert home.daemon.wait(20) == 0
    assert [r["outcome"] for r in home.history()] == ["ok"]
    home.nothing_is_left()


def test_nohup_is_heeded(muxd_home):
    """Where SIGHUP is ignored, as by `nohup`, it stays so."""
    home = muxd_home
    home.write("jobs", JOBS)
    with home.output.open("ab") as output:
        home.daemon = subprocess.Popen(
            ["nohup", *COMMAND, "start"],
            env=home.environ,
            cwd=home.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    home.wait(lambda: home.running_state() == "running", 30, "the daemon to run")
    home.daemon.send_signal(signal.SIGHUP)
    assert home.json("run", "quick")["outcome"] == "ok"
    assert home.json("status")["state"] == "running"


def test_a_daemon_that_dies_under_a_run_is_not_missing(muxd_home):
    """`muxd run` whose daemon is killed says that it ended during the run, exit code 1; the record
    of the run has no duration: nobody saw its end."""
    home = muxd_home
    home.write("jobs", JOBS)
    mark = home.folder / "begun"
    home.write("slow", SLOW.format(mark=str(mark), seconds=50))
    home.start()
    asked = in_background(home, "run", "slow")
    home.wait(mark.exists, 15, "the slow run to be begun")
    home.kill()
    _, errors = asked.communicate(timeout=20)
    assert asked.returncode == 1
    assert "ended during the run" in errors
    assert "start one" not in errors
    home.start()
    (record,) = home.history("--job", "slow")
    assert record["outcome"] == "interrupted"
    assert record["duration"] is None
    assert "muxd.errors.RunCutOff" in record["error_type"]


def test_run_in_a_daemon_that_was_started_otherwise(muxd_home):
    """What the running daemon does not know, and a window it does not show, is said in words."""
    home = muxd_home
    home.write("jobs", JOBS)
    more = home.folder / "more"
    more.mkdir()
    (more / "extra.py").write_text(
        'import muxd\n\n\n@muxd.job(interval="1h")\nasync def extra(run):\n    pass\n'
    )
    home.start()
    home.call("run", "extra", "--jobs-dir", str(more), code=2)
    assert f"process {home.pid}) has not loaded the job 'extra'" in home.errors
    home.call("run", "quick", "--headed", code=2)
    assert "--headed can't be had" in home.errors
    for name in ("", "a/b", "a?b", "quik"):
        home.call("run", name, code=2)
        assert f"there is no job {name!r}" in home.errors
    assert "did you mean 'quick'" in home.errors


@pytest.mark.parametrize("daemon", [False, nightly(True)], ids=["alone", "daemon"])
def test_errors_and_results_that_are_hard_to_tell(muxd_home, daemon):
    """An error without a message is told by its class; half an emoji spoils neither the record nor
    the command."""
    home = muxd_home
    home.write(
        "odd",
        """
        import muxd

        @muxd.job(interval="1h")
        async def bare(run):
            assert run is None

        @muxd.job(interval="1h")
        async def half(run):
            return await run.page.evaluate("'half \\\\ud83d'")

        @muxd.job(interval="1h")
        async def fails(run):
            run.tell("it is\\nlate", "\\x1b[31mvery")
            raise ValueError("half \\udc80")
        """,
    )
    if daemon:
        home.start()
    assert "failed" in (line := home.call("run", "bare", code=1))
    assert line.rstrip().endswith("AssertionError")
    assert home.json("run", "half")["result"] == "half \\ud83d"
    said = home.call("run", "fails", code=1)
    assert r"ValueError: half \udc80" in said
    assert daemon or said.startswith("  tells: it is late\n    \\x1b[31mvery\n")
    assert [r["outcome"] for r in home.history()] == ["failed", "ok", "failed"]
    assert r"half \udc80" in home.call("history")


def test_the_command_that_start_prints_works(muxd_home):
    """The banner counts in words, and what it says to type finds this daemon; what a job logs is
    shown among its lines, details with --debug."""
    home = muxd_home
    home.write(
        "jobs",
        """
        import muxd

        @muxd.job(interval="1h")
        async def tells(run):
            run.log.info("heard", of="this")
            run.log.debug("heard in detail")
        """,
    )
    with home.output.open("ab") as output:
        home.daemon = subprocess.Popen(
            [*COMMAND, "--debug", "start", "--log-format", "console", "--state-dir", "else where"],
            env=home.environ,
            cwd=home.folder,
            stdout=output,
            stderr=output,
        )
    banner = home.wait(lambda: "in another terminal: " in home.output.read_text(), 20, "a banner")
    assert banner
    text = home.output.read_text()
    assert "muxd: 1 job of 1 plugin, on " in text
    command = text.partition("in another terminal: ")[2].partition(" (or plan")[0]
    shown = subprocess.run(
        command,
        shell=True,
        env={name: value for name, value in home.environ.items() if not name.startswith("MUXD_")},
        cwd=home.folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    home.state = home.folder / "else where"
    assert f"process {home.pid}" in shown
    home.environ["MUXD_STATE_DIR"] = str(home.state)
    home.wait(lambda: home.running_state() == "running", 20, "the daemon to run")
    home.call("run", "tells")
    told = home.output.read_text()
    assert "heard  job=tells" in told
    assert "of=this" in told
    assert "heard in detail" in told


@pytest.mark.nightly
def test_pausing_and_resuming(muxd_home):
    """A pause holds at once, is shown, survives a restart, and ends by `muxd resume`, with and
    without a daemon; a job that isn't there is a mistake."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.call("resume", "--all", code=3)
    home.start()
    assert "quick is paused for 2h" in home.call("pause", "quick", "--for", "2h", "--note", "why")
    home.call("pause", "fresh")
    (first, second) = home.json("status")["paused"]
    assert (first["job"], first["note"], first["probe_at"] is None) == ("quick", "why", False)
    assert (second["job"], second["note"], second["probe_at"]) == ("fresh", "by a person", None)
    assert "paused    quick: why; tried again from" in home.call("status")
    home.call("pause", "nonsense", code=2)
    assert "there is no job 'nonsense'" in home.errors
    home.call("pause", "quick", "--for", "long", code=2)
    home.call("resume", code=2)
    home.call("resume", "quick", "--all", code=2)
    assert home.json("run", "quick")["outcome"] == "ok"
    home.call("stop")
    home.daemon.wait(20)
    home.start()
    assert [item["job"] for item in home.json("status")["paused"]] == ["fresh", "quick"]
    assert home.json("resume", "quick")["resumed"] == ["quick"]
    assert "quick was not paused" in home.call("resume", "quick")
    home.call("stop")
    home.daemon.wait(20)
    assert "fresh is resumed" in home.call("resume", "--all")
    home.start()
    assert home.json("status")["paused"] == []
    assert "No job is paused." in home.call("resume", "--all")


SHIELDED = """
import trio
import muxd
from muxd.abc import Service


class Stays(Service):
    name = "stays"

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()


@muxd.hookimpl
def muxd_services():
    yield Stays()


@muxd.job(interval="1m", duration="2s")
async def quick(run):
    await run.page.set_content("<h1>quick</h1>")
    return "done"
"""


def test_a_start_that_fails_ends_whatever_its_plugin_does(muxd_home):
    """A service that ignores its end keeps nobody: muxd says why it fails and whose service it is,
    and the guard does not try again."""
    home = muxd_home
    quick = "import muxd.daemon\n\nmuxd.daemon.SINK_BOUND = muxd.daemon.LAST_BOUND = 0.1\n"
    home.write("shielded", quick + SHIELDED)
    home.config.write_text(home.config.read_text() + "[slotting]\nmax_utilisation = 0.01\n")
    home.call("start", code=1)
    assert "more than the limit of 1%" in home.errors
    assert home.errors.count("something ignores that muxd stops") == 1
    assert "service stays" in home.errors
    home.nothing_is_left()


def test_a_lone_run_ends_whatever_its_plugin_does(muxd_home):
    """A service that ignores its end keeps nobody: the run has its record, and no lock is left."""
    home = muxd_home
    home.write("shielded", SHIELDED)
    output = home.call("run", "quick", code=1, timeout=100)
    assert "ok" in output
    assert "something ignores that muxd stops" in home.errors
    assert "service stays" in home.errors
    (record,) = home.history()
    assert record["outcome"] == "ok"
    home.nothing_is_left()
