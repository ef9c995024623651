"""``muxd_run``: jobs in tests run as they do in the daemon, on a browser that all of them share."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress

import pytest
from playwright.async_api import Error

import muxd
from muxd.errors import JobError
from muxd.testing import Answer, MuxdRun

pytestmark = pytest.mark.browser

SHOP = "<h1>Shop</h1><p class=price>2.40</p><p class=price>3.10</p>"


@muxd.job(interval="1h", timeout="30s", expects_result=True)
async def prices(run):
    await run.page.goto(URL)
    return await run.page.locator(".price").all_inner_texts()


URL = ""


@pytest.fixture
def shop(muxd_site, monkeypatch):
    site = muxd_site({"/": SHOP})
    monkeypatch.setitem(globals(), "URL", site.url)
    return site


async def visit(run):
    await run.page.goto(URL)
    return await run.page.inner_text("p")


def test_a_job_runs_and_gives_its_record(muxd_run, shop):
    """The record is the daemon's; what was returned or raised is there itself."""
    record = muxd_run(prices)
    assert isinstance(record, muxd.Record)
    assert (record.outcome, record.job, record.error) == ("ok", "prices", None)
    assert (muxd_run.returned, muxd_run.raised) == (["2.40", "3.10"], None)
    shop["/"] = "<h1>sold out</h1>"
    assert muxd_run(prices).outcome == "empty"
    shop.drop()
    record = muxd_run(prices)
    assert record.outcome == "failed"
    assert type(muxd_run.raised).__name__ == "Error"
    assert record.error == str(muxd_run.raised)
    assert muxd_run.returned is None
    assert [r.outcome.value for r in muxd_run.records] == ["ok", "empty", "failed"]


def test_what_a_job_keeps_is_there_for_its_next_run(muxd_run, shop):
    """Rows and the state of good runs, and how the last one went; the test sees the rows."""

    async def keeps(run):
        run.state["n"] = run.state.get("n", 0) + 1
        await run.page.goto(URL)
        found = [
            {"price": float(text)} for text in await run.page.locator(".price").all_inner_texts()
        ]
        saving = run.save(found, key="price", complete=True, may_be_empty=True)
        saved, _ = await asyncio.gather(saving, run.page.title())
        assert found, "sold out"
        return run.state["n"], len(saved.new), run.last.good and run.last.good.id

    first = muxd_run(keeps)
    assert muxd_run.returned == (1, 2, None)
    shop["/"] = "<h1>sold out</h1>"
    assert muxd_run(keeps).error.startswith("sold out")
    assert [row["gone_at"] is not None for row in muxd_run.saved("keeps")] == [True, True]
    shop["/"] = SHOP
    assert muxd_run(keeps).outcome == "ok"
    assert muxd_run.returned == (2, 2, first.id)
    assert [row["price"] for row in muxd_run.saved("keeps")] == [2.4, 3.1]
    assert muxd_run.saved("others") == []


def test_fields_can_be_others(muxd_run, shop):
    """A field is other for one run; a deadline is kept, and the next run has a browser."""
    shop.hang()
    assert muxd_run(prices, timeout="1s").outcome == "timed_out"
    shop.mend()
    assert muxd_run(prices).outcome == "ok"
    with pytest.raises(JobError, match="timeout='never' is not possible"):
        muxd_run(prices, timeout="never")
    with pytest.raises(JobError, match="there is no such field; did you mean 'timeout'"):
        muxd_run(prices, timout="1s")

    async def body(run):
        return run.job.name, run.job.interval

    assert muxd_run(body, name="prices", interval="2h").job == "prices"
    assert muxd_run.returned == ("prices", 7200)


def test_sessions_are_the_tests_own(muxd_run, shop, request, tmp_path):
    """Cookies stay from run to run of a test, each session for itself; another test has none."""
    shop["/"] = lambda request: Answer(
        f"<p>{request.cookies}</p>", headers={"Set-Cookie": "visitor=7; Max-Age=1000"}
    )
    for session, second in (("main", "visitor=7"), ("shop", "visitor=7"), ("fresh", "")):
        muxd_run(visit, session=session)
        assert muxd_run.returned == "", session
        muxd_run(visit, session=session)
        assert muxd_run.returned == second, session
    another = MuxdRun(request.getfixturevalue("_muxd_browser"), tmp_path / "another")
    another(visit)
    assert another.returned == ""


def test_a_lost_browser_costs_its_own_run_only(muxd_run, shop):
    """A job that kills the browser has crashed; the next one has another browser."""

    async def killer(run):
        with suppress(Error):  # the call may fail before the page is seen to be gone
            await run.page.goto("chrome://kill")
        await run.page.wait_for_function("false")  # until it is: nothing else ends this wait

    async def murderer(run):
        session = await run.browser.new_browser_cdp_session()
        await session.send("Browser.crash")

    assert muxd_run(killer, timeout="20s").outcome == "crashed"
    assert muxd_run(murderer, timeout="20s").outcome == "crashed"
    assert muxd_run(prices).outcome == "ok"


def test_runs_of_other_threads_wait_their_turn(muxd_run, shop):
    """One run at a time, as ever: a test with threads, or an event loop, can't have two."""
    threads = [threading.Thread(target=muxd_run, args=(prices,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    first, second, third = sorted(muxd_run.records, key=lambda record: record.started_at)
    assert first.ended_at <= second.started_at
    assert second.ended_at <= third.started_at


FAILING = """
import signal
import threading

import pytest
import trio

import muxd.browser.evidence

muxd.browser.evidence.EVIDENCE_BOUND = 20.0


async def body(run):
    await run.page.set_content("<h1>well</h1>")
    return await run.page.inner_text("h1")


async def broken(run):
    await run.page.set_content("<h1>broken</h1>")
    raise LookupError("no price")


def test_of_good_runs(muxd_run):
    muxd_run(body)
    assert muxd_run.returned == "better"


def test_of_bad_runs(muxd_run):
    assert muxd_run(broken).outcome == "ok"


def test_that_passes(muxd_run):
    assert muxd_run(broken).outcome == "failed"


async def test_within_an_event_loop(muxd_run, tmp_path):
    assert muxd_run(body).outcome == "ok"


def test_interrupted(muxd_run):
    async def endless(run):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        muxd_run(endless, timeout="1h")
    assert muxd_run(body).outcome == "ok"
"""


@pytest.mark.timeout(300)
def test_a_failed_test_leaves_its_evidence(tmp_path):
    """Of a failed test's runs, good or bad, screenshot and trace are kept and told; of others none."""
    (tmp_path / "test_it.py").write_text(FAILING)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\nfilterwarnings = error\n")
    base = tmp_path / "base"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={base}"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False
    )
    told = done.stdout
    assert "2 failed, 3 passed" in told, told + done.stderr
    kept = {path.parts[-4] for path in base.glob("*0/muxd/*/screenshot.png")}
    assert kept == {"test_of_good_runs0", "test_of_bad_runs0"}
    assert "body: ok" in told
    assert "broken: failed, LookupError: no price" in told
    for trace in base.glob("*0/muxd/*/trace.zip"):
        assert f"playwright show-trace {trace}\n" in told
        with zipfile.ZipFile(trace) as file:
            assert "trace.trace" in file.namelist()
    summary = next(base.glob("test_of_good_runs0/muxd/*/summary.json"))
    assert json.loads(summary.read_text())["run"]["outcome"] == "ok"
