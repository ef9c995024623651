"""`muxd start`, as a user runs it, and as the world treats it."""

from __future__ import annotations

import itertools
import os
import signal
from datetime import datetime

import psutil
import pytest

from muxd.guard.processes import processor_delay
from tests.variants import nightly

from .conftest import JOBS, SLOW

pytestmark = pytest.mark.chromium


def overlapping(records):
    spans = sorted((r["started_at"], r["ended_at"]) for r in records if r["started_at"])
    return [pair for pair in itertools.pairwise(spans) if pair[1][0] < pair[0][1]]


def waits(records):
    """How long each run waited once it was due and the browser free, seconds."""
    free = 0.0
    for record in sorted(records, key=lambda record: record["started_at"]):
        released, started, ended = (
            datetime.fromisoformat(record[f"{what}_at"]).timestamp()
            for what in ("released", "started", "ended")
        )
        yield started - max(released, free)
        free = ended


def starvation(pid):
    """How long the daemon, its driver and its browser have waited for a processor, seconds."""
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return sum(map(processor_delay, family))


def slow(home, seconds):
    mark = home.folder / "begun"
    home.write("slow", SLOW.format(mark=str(mark), seconds=seconds))
    return mark


def test_jobs_run_in_their_slots_one_at_a_time(muxd_home):
    """Every release is a record, ok, on time, never two at once; stop leaves nothing behind."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.start("--speed", "20")
    pid = home.json("status")["pid"]
    home.wait(lambda: sum(home.told()["runs"]["by_outcome"].values()) >= 6, 30, "six runs")
    status = home.json("status")
    home.call("start", code=2)
    assert str(pid) in home.errors
    assert home.completes("pause", "q") == ["quick"]
    assert home.completes("history", "show", "last") == ["last", "last-failed"]
    assert len(home.completes("history", "show", "")) >= 6
    starved = starvation(pid)  # which is no lateness of muxd's
    home.call("stop")
    records = home.history()
    assert {r["job"] for r in records} == {"quick", "fresh"}
    # The stop may come between a release and its run, which is then recorded as never begun.
    begun = [r for r in records if r["started_at"]]
    assert len(begun) >= 6
    assert {r["outcome"] for r in begun} == {"ok"}
    assert {r["outcome"] for r in records if r not in begun} <= {"interrupted"}
    assert len(records) - len(begun) <= 1
    assert all(r["lateness"] >= 0 for r in begun), records
    assert max(waits(begun)) < 1 + starved, records
    assert overlapping(records) == []
    assert status["runs"]["most_at_once"] == 1
    assert status["browser"]["most_at_once"] == 1
    assert home.daemon.wait(5) == 0
    home.nothing_is_left()


@pytest.mark.parametrize("victim", ["browser", nightly("driver")])
def test_a_killed_browser_costs_one_run(muxd_home, victim):
    """kill -9 of browser or driver in mid-run: that run is `crashed`, the next is ok on a new one."""
    home = muxd_home
    home.write("jobs", JOBS)
    mark = slow(home, 60)
    home.start()
    asked = home.request("slow")
    home.wait(mark.exists, 15, "the slow run to be begun")
    first = home.browser()
    (first if victim == "browser" else home.driver()).kill()
    assert asked.wait(10) == 1
    (crashed,) = home.history("--job", "slow")
    assert crashed["outcome"] == "crashed"
    assert crashed["browser_generation"] == 1
    home.wait(lambda: home.told()["browser"]["up"], 20, "the next browser")
    after = home.json("run", "quick")
    assert (after["outcome"], after["browser_generation"]) == ("ok", 2)
    assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE


def test_sigterm_lets_the_run_in_progress_finish(muxd_home):
    """SIGTERM in mid-run: the run ends ok within its grace, the daemon exits 0, nothing is left."""
    home = muxd_home
    mark = slow(home, 3)
    home.start()
    asked = home.request("slow")
    home.wait(mark.exists, 15, "the slow run to be begun")
    home.daemon.send_signal(signal.SIGTERM)
    assert home.daemon.wait(20) == 0
    assert [r["outcome"] for r in home.history()] == ["ok"]
    asked.wait(10)
    home.nothing_is_left()


def test_ctrl_c_in_a_terminal_lets_the_run_in_progress_finish(muxd_home):
    """SIGINT to the whole foreground group, as a terminal sends it, does not take the browser."""
    home = muxd_home
    mark = slow(home, 3)
    home.start()
    home.request("slow")
    home.wait(mark.exists, 15, "the slow run to be begun")
    os.killpg(home.daemon.pid, signal.SIGINT)
    assert home.daemon.wait(20) == 0
    assert [r["outcome"] for r in home.history()] == ["ok"]
    home.nothing_is_left()


def test_a_second_signal_ends_the_run_at_once(muxd_home):
    """The second SIGTERM does not wait for the grace: the run is recorded as `interrupted`."""
    home = muxd_home
    mark = slow(home, 50)
    home.start()
    home.request("slow")
    home.wait(mark.exists, 15, "the slow run to be begun")
    home.daemon.send_signal(signal.SIGTERM)
    home.wait(lambda: home.running_state() == "draining", 20, "the daemon to drain")
    home.daemon.send_signal(signal.SIGTERM)
    assert home.daemon.wait(20) == 0
    assert [r["outcome"] for r in home.history()] == ["interrupted"]
    home.nothing_is_left()


def test_a_killed_daemon_leaves_a_record_and_blocks_nobody(muxd_home):
    """kill -9 of the daemon in mid-run: `interrupted` at the next start, which nothing stands in
    the way of: neither lock, socket, profile nor an orphan browser."""
    home = muxd_home
    home.write("jobs", JOBS)
    mark = slow(home, 50)
    home.start()
    home.request("slow")
    home.wait(mark.exists, 15, "the slow run to be begun")
    browser = home.browser()
    browser.suspend()  # a browser that cannot follow its driver: an orphan
    home.kill()
    home.start()
    (record,) = home.history("--job", "slow")
    assert record["outcome"] == "interrupted"
    assert home.json("run", "quick")["outcome"] == "ok"
    assert not browser.is_running() or browser.status() == psutil.STATUS_ZOMBIE


TRAPS = {
    "loop": 'await run.page.evaluate("while (true) {}")',
    "promise": 'await run.page.evaluate("new Promise(() => {})")',
    "dialog": 'run.page.on("dialog", lambda d: None); await run.page.evaluate("alert(1)")',
    "swallows": "while True:\n        try:\n            await trio.sleep(1)\n"
    "        except BaseException:\n            pass",
}


@pytest.mark.nightly  # the fault matrix has many of them
def test_a_hang_is_ended_at_its_deadline_and_the_next_runs(muxd_home):
    """Whatever a body does, its deadline frees the browser within ten seconds for the next."""
    home = muxd_home
    home.write("jobs", JOBS)
    for name, trap in TRAPS.items():
        home.write(
            name,
            "import trio\nimport muxd\n\n\n"
            '@muxd.job(interval="60d", duration="1s", timeout="1s")\n'
            f"async def {name}(run):\n    {trap}\n",
        )
    home.start()
    for name in TRAPS:
        record = home.json("run", name, code=1)
        assert record["outcome"] == "timed_out", record
        assert record["duration"] < 11, record
        assert home.json("run", "quick")["outcome"] == "ok", name
    home.call("stop")
    home.nothing_is_left()


def test_a_broken_plugin_costs_only_itself(muxd_home):
    """A plugin that can't be imported is named with its reason; the jobs of the others run."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.write("broken", "import nothing_of_that_name\n")
    home.start()
    assert home.json("run", "quick")["outcome"] == "ok"
    (left_out,) = home.json("status")["plugins_left_out"].values()
    assert "nothing_of_that_name" in left_out
    home.call("stop")
    assert "nothing_of_that_name" in home.output.read_text()


def test_errors_in_the_background_fail_the_run_that_owns_them(muxd_home):
    """A listener and a route handler that raise fail their own run, and not the one after it."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.write(
        "bad",
        """
        import muxd

        def bang(_):
            raise RuntimeError("bang")

        @muxd.job(interval="60d")
        async def listener(run):
            run.page.on("console", bang)
            await run.page.evaluate("console.log(1)")

        @muxd.job(interval="60d")
        async def route(run):
            async def handler(route):
                await route.abort()
                raise RuntimeError("bang")
            await run.page.route("**/*", handler)
            try:
                await run.page.goto("http://localhost:9/")
            except Exception:
                pass
        """,
    )
    home.start()
    for job in ("listener", "route"):
        record = home.json("run", job, code=1)
        assert record["outcome"] == "failed", record
        assert "bang" in record["error"]
        assert home.json("run", "quick")["outcome"] == "ok"


def test_run_without_a_daemon(muxd_home):
    """`muxd run` alone: a browser of its own, the same ledger, exit codes 0, 1, 2; status says 3."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.write(
        "empty",
        "import muxd\n\n\n"
        '@muxd.job(interval="60d", expects_result=True)\nasync def nothing(run):\n    return []\n',
    )
    home.call("status", code=3)
    home.call("stop", code=3)
    home.call("run", "quik", code=2)
    assert "did you mean 'quick'" in home.errors
    told = home.json("run", "quick", "--repeat", "3")
    assert [r["outcome"] for r in told["runs"]] == ["ok", "ok", "ok"]
    assert told["summary"]["outcomes"] == {"ok": 3}
    assert told["summary"]["memory"]["first"] > 50_000_000
    assert told["summary"]["suggested"]["timeout"] == "10s"
    assert home.json("run", "nothing", code=1)["outcome"] == "empty"
    assert [r["job"] for r in home.history()] == ["nothing", "quick", "quick", "quick"]
    home.nothing_is_left()


def test_a_service_that_ignores_its_end_keeps_nobody(muxd_home):
    """Shielded against its cancellation: the daemon still ends, within its bound, and names it."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.write(
        "stubborn",
        """
        import trio
        import muxd
        from muxd.abc import Service

        class Stubborn(Service):
            name = "stubborn"

            async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
                task_status.started()
                with trio.CancelScope(shield=True):
                    await trio.sleep_forever()

        @muxd.hookimpl
        def muxd_services():
            yield Stubborn()
        """,
    )
    home.start()
    assert home.json("run", "quick")["outcome"] == "ok"
    home.daemon.send_signal(signal.SIGTERM)
    assert home.daemon.wait(40) == 1
    assert "service stubborn" in home.output.read_text()
    assert {r["outcome"] for r in home.history()} == {"ok"}  # its slot may come, too
    home.nothing_is_left()
