"""A real browser is recycled in the gaps of a real daemon's timetable."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

JOBS = """
import muxd


async def read(run):
    await run.page.set_content("<h1>here</h1>")
    return await run.page.inner_text("h1")


FIRST, SECOND, THIRD = (
    muxd.Job(name, read, interval="12s", preferred_phase=phase, pinned=True, duration="1s",
             timeout="10s", session=session)
    for name, phase, session in (("a", 0, "main"), ("b", 1, "fresh"), ("c", 2, "main"))
)
"""


def unix(text):
    return datetime.fromisoformat(text).timestamp()


def test_it_is_recycled_between_runs_and_no_run_is_late_for_it(muxd_home):
    """Every three runs a new browser, never two at once; every run is ok, and on time."""
    muxd_home.write("reading", JOBS)
    with muxd_home.config.open("a") as config:
        config.write("[browser]\nrecycle_runs = 3\n")
    muxd_home.start("--log-format", "json")

    def recycled():
        status = muxd_home.told()
        return status if status["browser"]["recycled"] >= 2 and status["browser"]["up"] else None

    status = muxd_home.wait(recycled, 100, "the browser to be recycled twice")
    assert status["browser"]["most_at_once"] == 1
    assert status["browser"]["last_loss"].startswith("recycled: ")
    assert status["runs"]["most_at_once"] == 1
    assert status["resources"]["memory_free"] > 0
    assert "made" in muxd_home.call("status")
    muxd_home.call("stop")
    muxd_home.daemon.wait(30)
    muxd_home.nothing_is_left()

    told = [
        json.loads(line) for line in muxd_home.output.read_text().splitlines() if line[:1] == "{"
    ]
    records = [e["record"] for e in told if e["event"] == "run_ended" and e["record"]["started_at"]]
    assert {record["outcome"] for record in records} == {"ok"}
    assert {record["browser_generation"] for record in records} >= {1, 2}
    ups = [unix(e["at"]) for e in told if e["event"] == "browser_up"]
    downs = [e for e in told if e["event"] == "browser_down" and e["reason"].startswith("recycled")]
    assert len(downs) >= 2
    for down in downs:
        since = unix(down["at"])
        until = min((up for up in ups if up > since), default=since)
        if until - since < 5:  # as long as is reckoned with; a machine may be busier than that
            assert not [r for r in records if since <= unix(r["released_at"]) < until]


HELD = """
import muxd


@muxd.job(interval="6s", preferred_phase="0s", duration="1s", pinned=True)
async def normal(run):
    await run.page.set_content("<h1>here</h1>")


@muxd.job(interval="6s", preferred_phase="2s", duration="1s", pinned=True, priority="low")
async def low(run):
    await run.page.set_content("<h1>here</h1>")
"""


@pytest.mark.nightly
def test_what_can_wait_is_held_while_memory_is_short(muxd_home):
    """The browser is recycled once, `low` waits, all else runs; everybody is told."""
    muxd_home.write("held", HELD)
    with muxd_home.config.open("a") as config:
        config.write('[resources]\nmemory_floor = "1000 TB"\n')
    muxd_home.start("--log-format", "console")

    def holding():
        status = muxd_home.told()
        good = status["runs"]["by_outcome"].get("ok", 0)
        return status if status["resources"]["holding"] == ["low"] and good >= 2 else None

    status = muxd_home.wait(holding, 60, "low to be held")
    assert status["browser"]["recycled"] <= 1
    assert status["resources"]["short"].startswith("memory is short: ")
    assert [item["job"] for item in status["waiting"]] == ["low"]
    assert "the floor is 1000 TB; held: low" in muxd_home.call("status")
    asked = muxd_home.json("run", "normal")
    assert asked["outcome"] == "ok"
    muxd_home.call("stop")
    muxd_home.daemon.wait(30)
    muxd_home.nothing_is_left()
    assert "memory is short" in muxd_home.output.read_text()
    outcomes = {(record["job"], record["outcome"]) for record in muxd_home.history("--limit", "50")}
    assert ("low", "interrupted") in outcomes
    assert ("low", "ok") not in outcomes
    assert ("normal", "ok") in outcomes
