"""The store is checked and pruned while muxd runs."""

from __future__ import annotations

import math

import structlog
import trio
import trio.testing

from muxd.errors import LedgerError
from muxd.lulls import Lulls
from muxd.record import Outcome, Record
from muxd.release import Cause
from muxd.retention import EVERY, FIRST, LULL, PATIENCE, keep_in_shape
from muxd.testing import MemoryStore

NOON = 1_795_521_600.0
DAY = 86_400.0


def ended(number, at):
    return Record(
        id=f"{number:03}", job="a", cause=Cause.manual, released_at=at, ended_at=at,
        outcome=Outcome.failed,
    )  # fmt: skip


class Checked(MemoryStore):
    """A store that notes when it is checked, pruned and settled."""

    def __init__(self):
        super().__init__()
        self.checks, self.pruned, self.settled = [], [], 0

    async def check(self):
        await super().check()
        self.checks.append(trio.current_time())

    async def prune(self, **given):
        await super().prune(**given)
        self.pruned.append(trio.current_time())
        return 0

    async def settle(self):
        await super().settle()
        if self.failure is not None:
            raise self.failure
        self.settled += 1


async def kept(store, *, days, free=lambda: math.inf, **options):
    """What is left of the records after so many days."""
    began = trio.current_time()
    with trio.move_on_after(days * DAY):
        await keep_in_shape(
            store,
            real_now=lambda: NOON + trio.current_time() - began,
            lulls=Lulls(free),
            **options,
        )
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


async def test_it_is_pruned_in_lulls(autojump_clock):
    """Nothing is deleted while a run is near, but a browser that is never idle is not waited for."""
    store = Checked()
    async with store.open():
        began = trio.current_time()
        await kept(store, days=0.5, keep=0, max_runs=1, free=lambda: LULL / 2)
        assert store.pruned == [began + FIRST + PATIENCE]
        began = trio.current_time()
        await kept(store, days=0.5, keep=0, max_runs=1, free=lambda: LULL)
        assert store.pruned[1:] == [began + FIRST]


async def test_it_is_settled_when_the_worker_rests(autojump_clock):
    """Once each time that it does and nothing is due, and never otherwise; a failure is told."""
    store, due_in = Checked(), [math.inf]
    lulls = Lulls(lambda: due_in[0])
    async with store.open(), trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: keep_in_shape(
                store, keep=0, max_runs=0, real_now=trio.current_time, lulls=lulls
            )
        )

        async def settled_after_a_rest():
            await trio.testing.wait_all_tasks_blocked()
            lulls.news()
            await trio.testing.wait_all_tasks_blocked()
            return store.settled

        await trio.sleep(FIRST / 2)
        assert store.settled == 0
        assert await settled_after_a_rest() == 1
        due_in[0] = LULL / 2
        assert await settled_after_a_rest() == 1
        due_in[0] = LULL
        assert await settled_after_a_rest() == 2
        store.failure = LedgerError("the disk is full")
        with structlog.testing.capture_logs() as logs:
            assert await settled_after_a_rest() == 2
        assert [log["event"] for log in logs] == ["the ledger could not be settled"]
        store.failure = None
        assert await settled_after_a_rest() == 3
        nursery.cancel_scope.cancel()


async def test_a_lull_is_waited_for(autojump_clock):
    """Until it is long enough, at a rest; not longer than told; at once where it is there."""
    due_in = [0.0]
    lulls = Lulls(lambda: due_in[0])
    began = trio.current_time()
    await lulls.wait(1.0, at_most=5)
    assert trio.current_time() == began + 5
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lulls.wait, 1.0)
        await trio.sleep(1)
        lulls.news()
        await trio.sleep(1)
        due_in[0] = 1.0
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        lulls.news()
    assert trio.current_time() == began + 7
    await lulls.wait(1.0)
    assert trio.current_time() == began + 7
