"""The comparison, small."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO

import attrs
import psutil
import pytest
import trio
from muxd_demo.meter import browsers_of
from muxd_demo.report import side_by_side
from muxd_demo.stampede import Attempt, Tally, compare
from rich.console import Console

import muxd
from muxd import find_browser

ONE_BY_ONE = Tally(
    attempts=tuple(Attempt(job=name, seconds=0.5) for name in ("plan", "reply")),
    seconds=1.5,
    peak_browsers=1,
    peak_memory=400 * 2**20,
    memory_kind="PSS",
)
AT_ONCE = Tally(
    attempts=(
        Attempt(job="plan", seconds=30.0, failure="timed out after 30 s"),
        Attempt(job="reply", seconds=21.0),
    ),
    seconds=31.0,
    peak_browsers=2,
    peak_memory=2000 * 2**20,
    memory_kind="PSS",
)


def test_the_table_sets_both_ways_side_by_side():
    """Every figure of both ways is in the table, and under it what failed, and why."""
    console = Console(width=100, record=True, file=StringIO())
    console.print(side_by_side(AT_ONCE, ONE_BY_ONE))
    lines = console.export_text().splitlines()
    figures = {
        cells[0].strip(): [cell.strip() for cell in cells[1:]]
        for cells in (line.strip("│").split("│") for line in lines if line.startswith("│"))
    }
    assert figures == {
        "Most browsers at once": ["2", "1"],
        "Most memory (PSS)": ["2,000 MiB", "400 MiB"],
        "Jobs that did well": ["1 of 2", "2 of 2"],
        "Jobs that failed": ["1", "0"],
        "A job took, median": ["25.5 s", "0.5 s"],
        "A job took, longest": ["30.0 s", "0.5 s"],
        "All took": ["31.0 s", "1.5 s"],
    }
    assert "at once: plan: timed out after 30 s" in "\n".join(lines)


def test_a_tally_is_json():
    """What --json prints has stable keys and counts what failed."""
    data = json.loads(json.dumps(AT_ONCE.as_dict()))
    assert (data["jobs"], data["failures"]) == (2, 1)
    assert set(data) == {
        *(field.name for field in attrs.fields(Tally)), "jobs", "failures",
    }  # fmt: skip


def test_a_browser_is_told_from_its_helpers():
    """Of a family of processes the browser alone is counted: not its renderers, not others, and
    not a helper that was just forked and still has the browser's command line."""
    forks = "import os, time; os.fork(); os.write(1, b'up\\n'); time.sleep(60)"
    # A browser that the tests share may be there.
    before = set(browsers_of(psutil.Process()))
    started = [
        subprocess.Popen([sys.executable, "-c", forks, *words], stdout=subprocess.PIPE)
        for words in (["--user-data-dir=x"], ["--type=renderer", "--user-data-dir=x"], [])
    ]
    try:
        for each in started:
            assert [each.stdout.readline() for _ in range(2)] == [b"up\n"] * 2
        assert sum(len(psutil.Process(each.pid).children()) for each in started) == 3
        new = set(browsers_of(psutil.Process())) - before
        assert [each.pid for each in new] == [started[0].pid]
    finally:
        for each in started:
            for process in (*psutil.Process(each.pid).children(), each):
                process.kill()
            each.wait()
            each.stdout.close()


@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_both_ways_are_measured_for_real(monkeypatch):
    """Two jobs: two browsers at once against one, all well, and no browser is left behind."""
    monkeypatch.setattr("muxd_demo.meter._PAUSE", 0.05)  # on a busy machine they overlap shortly
    told = []
    before = browsers_of(psutil.Process())
    with trio.fail_after(100):
        at_once, one_by_one = await compare(
            2, browser=find_browser().path, timeout=60, tell=told.append
        )
    assert (at_once.peak_browsers, one_by_one.peak_browsers) == (2, 1)
    assert at_once.peak_memory > one_by_one.peak_memory > 50 * 2**20
    assert [each.failure for each in (*at_once.attempts, *one_by_one.attempts)] == [None] * 4
    assert len(told) == 2
    assert browsers_of(psutil.Process()) == before


@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_a_job_that_takes_too_long_is_counted_as_failed():
    """A deadline that is too short fails the jobs at once, with the reason, and kills what they
    started."""
    before = browsers_of(psutil.Process())
    with trio.fail_after(100):
        at_once, _ = await compare(
            2, browser=find_browser().path, timeout=0.05, tell=lambda line: None
        )
    assert [each.failure for each in at_once.attempts] == ["timed out after 0.05 s"] * 2
    assert browsers_of(psutil.Process()) == before
