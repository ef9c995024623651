"""What `muxd status` is told, of however many jobs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio
from town import Town, a_job

from muxd.builtin.ledger import Ledger
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
