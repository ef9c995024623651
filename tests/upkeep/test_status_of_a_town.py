"""The status is what muxd has in memory."""

from __future__ import annotations

from pathlib import Path

import attrs
import httpx
import pytest
import trio
from town import Town, a_job

from muxd.builtin.ledger import Ledger
from muxd.control.server import make_app
from muxd.daemon import Daemon


@attrs.frozen
class Some:
    """What the control socket's application asks of a daemon for this, on another's core."""

    core: object
    pid = 7
    pulse = None
    restarts_at = None
    speed = 1.0
    zone = "UTC"
    state = attrs.make_class("State", {"root": attrs.field(default=Path("state"))})()
    plugins = attrs.make_class("Plugins", {"problems": attrs.field(factory=list)})()
    web = attrs.make_class(
        "Web", {"url": attrs.field(default=None), "problem": attrs.field(default=None)}
    )()
    memory = attrs.make_class("Memory", {"warnings": attrs.field(default=())})()
    status, jobs = Daemon.status, Daemon.jobs

    @property
    def book(self):
        return self.core.book


async def at_once(work):
    """Time stands still while the ledger works."""
    await trio.lowlevel.checkpoint()
    return work()


@pytest.fixture
def town(tmp_path):
    """Two jobs, whose runs are in a ledger like any daemon's."""
    ledger = Ledger(tmp_path, run_in_thread=at_once)
    jobs = a_job("a", "10m", duration="20s"), a_job("b", "10m", "5m", duration="20s")
    return Town(*jobs, store=ledger)


async def test_the_status_asks_the_ledger_nothing(autojump_clock, town):
    """Not one statement: so it is as quick with any ledger, and told while the ledger fails."""
    statements = []
    async with town.alive():
        town.store._file._connection.set_trace_callback(statements.append)
        transport = httpx.ASGITransport(make_app(Some(town.core)))
        async with httpx.AsyncClient(transport=transport, base_url="http://muxd") as client:
            await trio.sleep(3610)  # in the middle of a run
            assert "COMMIT" in statements
            statements.clear()
            status = await client.get("/v1/status?next=10")
            jobs = await client.get("/v1/jobs?after=&limit=10")
            assert statements == []
        town.store._file._connection.set_trace_callback(None)
    told = status.raise_for_status().json()
    assert told["running"]["job"] == "a"
    assert told["runs"]["by_outcome"] == {"ok": 12}
    assert [job["job"] for job in told["upcoming"]][:2] == ["b", "a"]
    assert jobs.raise_for_status().json()["total"] == 2
