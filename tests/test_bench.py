"""The benchmarks' own sums, and that docs/performance.md shows what was measured."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import attrs
import psutil
import pytest
import trio

from muxd.simulation.leap import LeapingClock

BENCH = Path(__file__).parent.parent / "contrib" / "bench"


@pytest.fixture
def bench(monkeypatch):
    """The modules of contrib/bench that these tests ask for."""
    monkeypatch.syspath_prepend(str(BENCH))
    names = ("_bench", "chart", "core", "environments", "flat", "floor")
    return SimpleNamespace(**{name: importlib.import_module(name) for name in names})


def test_the_page_shows_what_was_measured(bench):
    """The table and the picture of docs/performance.md are those of the results beside them."""
    results = json.loads(bench.chart.RESULTS.read_text("utf-8"))
    page = bench.chart.PAGE.read_text("utf-8")
    assert bench.chart.page_with(results, page) == page
    assert bench.chart.table(results) in page
    assert bench.chart.RESULTS.with_suffix(".svg").read_text("utf-8") == bench.chart.draw(results)


def samples(flat, level, *, every=100, launch_at=None):
    """Fifty of them; `level` says how much memory a browser takes that has made so many runs."""
    found = []
    for number in range(1, 51):
        runs = number * every
        phase = runs % launch_at if launch_at else runs
        found.append(
            flat.Sample(
                runs=runs,
                generation=runs // launch_at if launch_at else 0,
                phase=phase,
                python=60_000_000,
                driver=100_000_000,
                browser=round(level(runs, phase)),
                handles=50,
                processes=13,
                temporary=10,
            )
        )
    return found


def failed(flat, seen, *, old=0.1):
    verdicts = flat.judge(seen, [0.1] * 5000, [(old, 0.1)] * 100)
    return [verdict.what for verdict in verdicts if not verdict.holds]


def test_what_recycling_frees_is_flat(bench):
    """A browser that grows and is recycled is flat if each is as large as the one before it."""
    seen = samples(bench.flat, lambda _, phase: 4e8 + 5e4 * phase, launch_at=1000)
    assert failed(bench.flat, seen) == []


def test_growth_from_browser_to_browser_is_seen(bench):
    """One that is a little larger than the one before it is not flat, though each is recycled."""
    seen = samples(bench.flat, lambda runs, phase: 4e8 + 5e4 * phase + 1e4 * runs, launch_at=1000)
    assert failed(bench.flat, seen) == ["memory of browser"]


def test_a_growing_browser_is_seen(bench):
    """One that is never recycled is held to a level line, its warm-up left out."""
    seen = samples(bench.flat, lambda runs, _: 4e8 + 2e4 * runs)
    assert failed(bench.flat, seen) == ["memory of browser"]
    seen = samples(bench.flat, lambda runs, _: 4e8 - 1e8 * (runs <= 500))
    assert failed(bench.flat, seen) == []


def test_slower_runs_and_one_more_handle_are_seen(bench):
    """A daemon that has aged is held to a new one, and all that can be counted to what it was."""
    seen = samples(bench.flat, lambda *_: 4e8)
    seen = seen[:25] + [attrs.evolve(each, handles=51, temporary=11) for each in seen[25:]]
    assert failed(bench.flat, seen, old=0.106) == [
        "median time of a run",
        "handles",
        "temporary files",
    ]


def test_the_old_daemon_and_the_new_one_take_turns(bench):
    """Each pair has a run of both, in an order drawn by lot; the first pairs are for warming up."""
    made = []

    def one(name, times):
        return SimpleNamespace(job=lambda: made.append(name) or next(times))

    old, new = one("old", iter(range(30))), one("new", iter(range(100, 130)))
    assert list(bench.flat.by_turns(old, new, 20)) == [(n, 100 + n) for n in range(10, 30)]
    turns = {tuple(made[n : n + 2]) for n in range(0, 60, 2)}
    assert turns == {("old", "new"), ("new", "old")}


class Daemon:
    """Says one after another what it is given as the browser's status, and the last for ever."""

    pid = 1

    def __init__(self, *browsers, pid=2, jobs=()):
        self.browsers, self.daemon, self.jobs = [*browsers], pid, iter(jobs)

    def status(self):
        browser = self.browsers.pop(0) if len(self.browsers) > 1 else self.browsers[0]
        return {"pid": self.daemon, "browser": browser, "running": None, "waiting": []}

    def job(self):
        return next(self.jobs)


def browser(pid, *, runs=0, recycling=None):
    up = pid is not None
    return {"up": up, "pid": pid, "generation": pid, "runs": runs, "recycling": recycling}


@pytest.fixture
def looks(bench, monkeypatch):
    """The browsers that were looked at; `looks.errors` are raised first, one at each look."""
    found = SimpleNamespace(at=[], errors=[])

    def look(daemon, folder, runs, resting):
        found.at.append(resting.browser)
        if found.errors:
            raise found.errors.pop(0)
        [one, *_] = samples(bench.flat, lambda *_: 4e8)
        return attrs.evolve(one, runs=runs, generation=resting.generation, phase=resting.runs)

    monkeypatch.setattr(bench.flat, "_look", look)
    monkeypatch.setattr(bench.flat, "REST", 0.0)
    return found


def test_no_browser_is_looked_at_that_is_being_recycled(bench, looks, tmp_path):
    """While recycling is due, or in progress, it is waited for; then the new browser is looked at."""
    due = browser(7, runs=1000, recycling={"reason": "1000 runs"})
    daemon = Daemon(due, due, due, browser(None), browser(None), browser(8))
    seen = bench.flat.sample(daemon, tmp_path, 1000)
    assert looks.at == [8]
    assert (seen.generation, seen.phase) == (8, 0)


def test_what_was_seen_of_a_browser_that_went_meanwhile_is_thrown_away(bench, looks, tmp_path):
    """Only what was read of one and the same browser counts, from before to after."""
    before = browser(7, runs=1000)
    daemon = Daemon(before, before, browser(8))  # it was replaced while it was looked at
    assert bench.flat.sample(daemon, tmp_path, 1000).generation == 8
    assert looks.at == [7, 8]


def test_a_process_that_ends_while_it_is_looked_at_is_no_failure(
    bench, looks, tmp_path, monkeypatch
):
    """It is looked again; but not for ever, and then the reason is told."""
    looks.errors = [psutil.NoSuchProcess(5), ValueError("there is no driver")]
    daemon = Daemon(browser(7, runs=100))
    assert bench.flat.sample(daemon, tmp_path, 100).phase == 100
    looks.errors = [ValueError("there is no driver")] * 1_000_000
    monkeypatch.setattr(bench.flat, "PATIENCE", 0.05)
    with pytest.raises(TimeoutError, match="no driver"):
        bench.flat.sample(daemon, tmp_path, 100)


TREE = """
import os, subprocess, sys, time
driver = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", "run-driver"]
driver = subprocess.Popen(driver, stdout=subprocess.PIPE)
driver.stdout.readline()
ended = subprocess.Popen(["true"])
os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
print(flush=True)
sys.stdin.read()
driver.kill()
"""


def test_helpers_that_have_ended_are_no_obstacle(bench, tmp_path, monkeypatch):
    """A browser that was recycled leaves some, of which the daemon takes note before its next run."""
    monkeypatch.setattr(bench.flat, "REST", 0.0)
    with subprocess.Popen(
        [sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as root:
        root.stdout.readline()
        daemon = Daemon(browser(7, runs=3), pid=root.pid)
        daemon.pid = root.pid
        monkeypatch.setattr(bench.flat, "PATIENCE", 5.0)
        seen = bench.flat.sample(daemon, tmp_path, 3)
        root.communicate()
    assert seen.processes == 3
    assert min(seen.python, seen.driver) > 1_000_000
    assert seen.browser == 0


def test_a_bench_that_is_cut_short_has_lost_nothing(bench, looks, tmp_path, monkeypatch):
    """All that was read until then is in the file, and no verdict."""
    daemon = Daemon(browser(7), jobs=[0.1] * 7)

    @contextmanager
    def given(*_, **__):
        yield daemon

    monkeypatch.setattr(bench.flat, "muxd_daemon", given)
    monkeypatch.setattr(bench.flat, "open_site", given)
    monkeypatch.setattr(bench.flat.tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    results = bench.flat.Results("main", 100)
    with pytest.raises(StopIteration):
        bench.flat.measure(results, tmp_path / "into")
    written = json.loads((tmp_path / "into" / "flat.json").read_text())
    assert [each["runs"] for each in written["samples"]] == [2, 4, 6]
    assert written["seconds"] == [0.1] * 6
    assert written["verdicts"] == []


class Contestant:
    """Takes as much CPU time for a job as `job` says, and as much as `later` in the others' turns."""

    def __init__(self, pid, all_, *, job, later):
        self.pid, self.all, self.own, self.later = pid, all_, job, later
        self.cpu, self.turns = 0.0, []
        all_.append(self)

    def job(self):
        self.cpu += self.own
        for other in self.all:
            other.cpu += other.later * (other is not self)
            other.turns.append(self.pid)
        return 0.01


@pytest.fixture
def race(bench, monkeypatch):
    """Five of them, by number. Number 3 does most of its work when its turn is over."""
    found = []
    for pid in range(5):
        Contestant(pid, found, job=0.1, later=0.05 if pid == 3 else 0.0)
    monkeypatch.setattr(bench._bench, "cpu_time", lambda pid: found[pid].cpu)
    monkeypatch.setattr(bench._bench, "REST", 0.0)
    monkeypatch.setattr(bench._bench, "SETTLE", 0.0)
    return dict(enumerate(found))


def test_work_between_the_turns_is_counted(bench, race):
    """CPU time is all that a contestant used, by the number of its jobs, the warm-up left out."""
    costs = bench._bench.interleaved(race, 10, warm_up=3)
    assert [cost.cpu for cost in costs.values()] == pytest.approx([0.1, 0.1, 0.1, 0.3, 0.1])
    assert all(len(cost.walls) == 10 for cost in costs.values())
    assert bench._bench.ratios(costs[3], costs[0])["cpu"] == pytest.approx(3)


def test_nobody_always_comes_after_the_same_one(bench, race):
    """Each has each other before it in some rounds, and the order is the same in every bench."""
    bench._bench.interleaved(race, 37, warm_up=3)
    turns = race[0].turns
    assert Counter(turns) == dict.fromkeys(range(5), 40)
    assert {(a, b) for a in range(5) for b in range(5) if a != b} <= {*pairwise(turns)}
    assert [*bench._bench.shuffled("abc", 9)] == [*bench._bench.shuffled("abc", 9)]


def test_the_floor_has_the_shape_of_a_run(bench):
    """What trio takes by itself is measured with as many tasks, steps, turns and scopes as a run."""
    shape = bench.floor.Shape(tasks=4, steps=18, turns=17, scopes=10, deadlines=4)
    steps = bench.core.Steps()
    with bench.floor.scopes_counted(steps.counts):
        trio.run(bench.floor.idle_runs, shape, 200, clock=LeapingClock(), instruments=[steps])
    assert bench.floor.Shape.of(steps.counts, 200) == shape


def test_the_day_is_simulated(bench, capsys):
    """A day of some jobs goes by in the simulator, and keeps all promises."""
    bench.core.day(5)
    assert "a day of 5 jobs" in (told := capsys.readouterr().out)
    assert " 0 broken promises" in told


def test_what_can_not_be_installed_is_told(bench, monkeypatch, tmp_path):
    """Where there is no node, whoever needs it is left out with that reason; so is a failed command."""
    monkeypatch.setenv("PATH", str(tmp_path))
    environments = bench.environments.Environments(tmp_path)
    with pytest.raises(bench.environments.NotThere, match="there is no node"):
        environments.node("puppeteer-core")
    with pytest.raises(bench.environments.NotThere, match="No package metadata"):
        bench.environments.python_version(sys.executable, "no-such-package")
