"""What `muxd status` is told, of however many jobs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio
from town import MB, MONDAY, Town, a_job

from muxd.builtin.ledger import Ledger
from muxd.errors import LedgerError, PluginError
from muxd.floors import Floors, Free
from muxd.record import Outcome, Record
from muxd.state import StateDir
from muxd.status import SHOWN, jobs_of, status_of

COUNT = 150
NAMES = [f"job{number:03}" for number in range(COUNT)]


async def at_once(work):
    await trio.lowlevel.checkpoint()
    return work()


@pytest.fixture
def town(tmp_path):
    """Jobs, one a minute, and a ledger on disk."""
    jobs = [a_job(name, "1d", f"{number}m", duration="5s") for number, name in enumerate(NAMES)]
    return Town(*jobs, store=Ledger(tmp_path, run_in_thread=at_once))


def daemon_of(town, tmp_path):
    """What the status is made from."""
    return SimpleNamespace(
        core=town.core,
        book=town.core.book,
        pulse=None,
        pid=1,
        speed=1.0,
        zone="UTC",
        state=StateDir(tmp_path),
        plugins=SimpleNamespace(problems=()),
        web=SimpleNamespace(url=None, problem=None),
        memory=SimpleNamespace(warnings=()),
        restarts_at=None,
    )


async def test_jobs_are_told_in_pages(town, tmp_path, autojump_clock):
    """Page after page gives every job once, by name, with its next release; the last says so."""
    daemon = daemon_of(town, tmp_path)
    async with town.alive():
        await trio.sleep(150)  # the first three were released
        after, pages = "", []
        while after is not None:
            pages.append(jobs_of(daemon, after=after, limit=40))
            after = pages[-1]["next"]
    assert [len(page["jobs"]) for page in pages] == [40, 40, 40, 30]
    assert {page["total"] for page in pages} == {COUNT}
    told = [job for page in pages for job in page["jobs"]]
    assert [job["name"] for job in told] == NAMES
    assert told[2]["next_at"] == "2024-01-02T00:02:00.000000Z"
    assert told[3]["next_at"] == "2024-01-01T00:03:00.000000Z"
    assert jobs_of(daemon, after="zzz", limit=1)["jobs"] == []


async def test_lists_are_cut_and_told_how_long_they_are(town, tmp_path, autojump_clock):
    """So many of the next releases as were asked for; of what is paused, the first hundred."""
    daemon = daemon_of(town, tmp_path)
    async with town.alive():
        await trio.sleep(10)
        for name in NAMES[:-1]:
            town.core.pause(name, "by a test")
        told = status_of(daemon, upcoming=3)
        assert [row["job"] for row in told["upcoming"]] == NAMES[1:4]
        again = status_of(daemon, upcoming=COUNT + 5)["upcoming"]
        assert [row["job"] for row in again] == [*NAMES[1:], *NAMES[:6]]
    assert len(told["paused"]) == SHOWN
    assert told["paused_total"] == COUNT - 1
    assert told["waiting_total"] == len(told["waiting"]) == 0


async def test_a_status_costs_no_statement_of_sql(town, tmp_path, autojump_clock):
    """All that is told is in memory: the ledger is asked nothing."""
    daemon, statements = daemon_of(town, tmp_path), []
    async with town.alive():
        await trio.sleep(120)
        town.store._file._connection.set_trace_callback(statements.append)
        status_of(daemon, upcoming=10)
        jobs_of(daemon, after="", limit=100)
        town.store._file._connection.set_trace_callback(None)
    assert statements == []


async def test_what_runs_what_waits_and_why(tmp_path, autojump_clock):
    """The run in progress with its bounds; the queue in its order, each with the reason."""
    town = Town(
        a_job("long", "1h", duration="60s", timeout="5m"),
        a_job("high", "1h", "10s", duration="5s", priority="high"),
        a_job("low", "1h", "20s", duration="5s", priority="low"),
    )
    daemon = daemon_of(town, tmp_path)
    async with town.alive():
        await trio.sleep(3600 + 30)
        told = status_of(daemon, upcoming=3)
        assert told["running"]["job"] == "long"
        assert told["running"]["expected"] == 60
        assert told["running"]["deadline"][:19] == "2024-01-01T01:05:00"
        queue = [(item["job"], item["reason"], item["held"]) for item in told["waiting"]]
        assert queue == [("high", "long is running", False), ("low", "1 before it", False)]
        last = {job["name"]: job["last"] for job in jobs_of(daemon, after="", limit=9)["jobs"]}
        assert last["low"]["outcome"] == "ok"
        assert last["low"]["duration"] == pytest.approx(4.9)


async def test_today_and_failures_are_those_of_the_ledger_too(tmp_path, autojump_clock):
    """A start knows what was before it; at midnight, local time, the day begins with nothing."""
    noon = MONDAY + 12 * 3600

    def ended(run_id, at, outcome, job="a"):
        return Record(
            id=run_id, job=job, released_at=at, started_at=at, ended_at=at, outcome=outcome
        )

    town = Town(a_job("a", "1h", duration="5s"), a_job("b", "1d", "30m", duration="5s"))
    town.clock.step(12 * 3600 + 60)
    async with town.store.open() as store:
        await store.write(
            ended("1", MONDAY - 1, Outcome.failed),
            *(ended(f"2{n}", noon - 600 + n, Outcome.ok) for n in range(3)),
            *(ended(f"3{n}", noon - 300 + n, Outcome.timed_out, "b") for n in range(4)),
            ended("40", noon, Outcome.cancelled),
        )
    daemon = daemon_of(town, tmp_path)
    async with town.alive():
        await trio.sleep(3600)
        told = status_of(daemon, upcoming=1)
        assert told["today"] == {"ok": 4, "timed_out": 4, "cancelled": 1}
        assert [run["id"] for run in told["failures"]] == ["33", "32", "31", "30", "1"]
        assert told["runs"]["by_outcome"] == {"ok": 1}
        await trio.sleep(11 * 3600 - 90)
        assert status_of(daemon, upcoming=1)["today"]["ok"] == 14
        await trio.sleep(32)  # to the middle of the first run of the next day
        assert status_of(daemon, upcoming=1)["today"] == {}
        await trio.sleep(60)
        assert status_of(daemon, upcoming=1)["today"] == {"ok": 1}


async def test_pauses_of_all_and_what_is_to_be_known(tmp_path, autojump_clock):
    """What is paused, drained and skipped; and one list of what people should see to."""
    town = Town(a_job("a", "1h", duration="5s"))
    daemon = daemon_of(town, tmp_path)
    daemon.plugins.problems = (PluginError("shop", "muxd_jobs", ValueError("no")),)
    async with town.alive():
        await trio.sleep(60)
        told = status_of(daemon, upcoming=1)
        assert told["paused_whole"] is told["drained"] is None
        assert told["skipped"] == []
        assert [line for line in told["warnings"] if "shop" in line] == told["warnings"]
        town.core.pauses.pause_whole("holiday", until=MONDAY + 7200)
        town.core.pauses.begin_drain("an update")
        town.core.pauses.skip("a", "once", at=MONDAY + 3600)
        told = status_of(daemon, upcoming=1)
        assert told["paused_whole"]["note"] == "holiday"
        assert told["paused_whole"]["probe_at"] == "2024-01-01T02:00:00.000000Z"
        assert told["drained"]["note"] == "an update"
        assert told["skipped"][0]["probe_at"] == "2024-01-01T01:00:00.000000Z"


async def test_a_port_that_is_taken_is_told(tmp_path, autojump_clock):
    """Whoever asks how muxd is learns that the dashboard is not there, and what helps."""
    town = Town(a_job("a", "1h", duration="5s"))
    daemon = daemon_of(town, tmp_path)
    daemon.web.problem = "the dashboard can't listen on 127.0.0.1 port 8377"
    async with town.alive():
        assert status_of(daemon, upcoming=0)["warnings"] == [daemon.web.problem]


async def test_what_is_short_is_a_warning(tmp_path, autojump_clock):
    """With the jobs that have to wait for it; they are in the queue, held."""
    town = Town(
        *(a_job(f"low{n}", "1h", f"{n}m", priority="low", duration="5s") for n in range(7)),
        floors=Floors(memory=200 * MB, disk=0),
    )
    town.free = Free(memory=100 * MB, disk=None)
    daemon = daemon_of(town, tmp_path)
    async with town.alive():
        await trio.sleep(3600 + 600)
        told = status_of(daemon, upcoming=1)
    (warning,) = told["warnings"]
    assert warning == (
        "memory is short: 100 MB left, the floor is 200 MB; held: low0, low1, low2, low3, low4, ..."
    )
    assert {item["held"] for item in told["waiting"]} == {True}
    assert told["waiting"][0]["reason"].startswith("held: memory is short")


async def test_a_store_without_an_answer_costs_the_past_only(tmp_path, autojump_clock):
    """If what was today can't be read at the start, muxd starts, and counts from there on."""
    town = Town(a_job("a", "1h", duration="5s"))

    async def broken(**wanted):
        raise LedgerError("no")

    town.store.statistics = broken
    async with town.alive():
        await trio.sleep(60)
        assert status_of(daemon_of(town, tmp_path), upcoming=1)["today"] == {"ok": 1}
