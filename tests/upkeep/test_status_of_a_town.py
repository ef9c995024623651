"""The status is what muxd has in memory."""

from __future__ import annotations

from pathlib import Path

import attrs
import trio
from town import Town, a_job

from muxd.errors import LedgerError
from muxd.status import jobs_of, status_of


@attrs.frozen
class Some:
    """What the status asks of a daemon beside its core."""

    core: object
    pid = 7
    pulse = None
    speed = 1.0
    zone = "UTC"
    state = attrs.make_class("State", {"root": attrs.field(default=Path("state"))})()
    plugins = attrs.make_class("Plugins", {"problems": attrs.field(factory=list)})()

    @property
    def book(self):
        return self.core.book


async def test_the_status_asks_the_ledger_nothing(autojump_clock):
    """Not one question: so it is as quick with any ledger, and told while the ledger fails."""
    town = Town(a_job("a", "10m", duration="20s"), a_job("b", "10m", "5m", duration="20s"))
    async with town.alive():
        await trio.sleep(3610)  # in the middle of a run
        town.store.failure = LedgerError("the disk is gone")
        told = status_of(Some(town.core), upcoming=10)
        jobs = jobs_of(Some(town.core), after="", limit=10)
        town.store.failure = None
    assert told["running"]["job"] == "a"
    assert told["runs"]["by_outcome"] == {"ok": 12}
    assert [job["job"] for job in told["upcoming"]][:2] == ["b", "a"]
    assert jobs["total"] == 2
