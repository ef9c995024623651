"""The store is checked and pruned while muxd runs."""

from __future__ import annotations

import structlog
import trio

from muxd.errors import LedgerError
from muxd.record import Outcome, Record
from muxd.release import Cause
from muxd.retention import EVERY, FIRST, keep_in_shape
from muxd.testing import MemoryStore

NOON = 1_795_521_600.0
DAY = 86_400.0


def ended(number, at):
    return Record(
        id=f"{number:03}", job="a", cause=Cause.manual, released_at=at, ended_at=at,
        outcome=Outcome.failed,
    )  # fmt: skip


class Checked(MemoryStore):
    """A store that notes when it is checked."""

    def __init__(self):
        super().__init__()
        self.checks = []

    async def check(self):
        await super().check()
        self.checks.append(trio.current_time())


async def kept(store, *, days, **options):
    """What is left of the records after so many days."""
    began = trio.current_time()
    with trio.move_on_after(days * DAY):
        await keep_in_shape(store, real_now=lambda: NOON + trio.current_time() - began, **options)
    return sorted(store.records)


async def test_it_is_done_soon_and_then_daily(autojump_clock):
    """Records go when they are too old, day by day; the store is checked as often."""
    store = Checked()
    async with store.open():
        await store.write(*(ended(n, NOON - n * DAY) for n in range(10)))
        began = trio.current_time()
        assert await kept(store, days=0.5, keep=5.5 * DAY, max_runs=0) == [
            f"{n:03}" for n in range(6)
        ]
        assert await kept(store, days=2.5, keep=5.5 * DAY, max_runs=0) == [
            "000",
            "001",
            "002",
            "003",
        ]
        assert store.checks[0] == began + FIRST
        assert store.checks[3] - store.checks[2] == EVERY


async def test_nothing_is_deleted_unless_wanted(autojump_clock):
    """0 is for ever, and any number."""
    store = Checked()
    async with store.open():
        await store.write(*(ended(n, NOON - 1000 * n * DAY) for n in range(10)))
        assert len(await kept(store, days=2, keep=0, max_runs=0)) == 10
        assert len(await kept(store, days=2, keep=0, max_runs=4)) == 4


async def test_a_store_that_fails_is_tried_again(autojump_clock):
    """It is said, and costs nothing else."""
    store = Checked()
    async with store.open():
        await store.write(*(ended(n, NOON) for n in range(10)))
        store.failure = LedgerError("the disk is full")
        with structlog.testing.capture_logs() as logs:
            assert len(await kept(store, days=0.5, keep=0, max_runs=4)) == 10
        assert [log["error"] for log in logs] == ["the disk is full"]
        store.failure = None
        assert len(await kept(store, days=0.5, keep=0, max_runs=4)) == 4
