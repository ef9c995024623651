"""The core knows when nothing runs and nothing is due."""

from __future__ import annotations

import trio
from town import Town, a_job


async def test_lulls_lie_between_runs(autojump_clock):
    """After each run whose next is far enough there is one, and nothing runs for so long."""
    town = Town(
        a_job("a", "10m", duration="20s"),
        a_job("b", "10m", "21s", duration="20s"),
        a_job("c", "1h", "5m", duration="30s"),
    )
    lulls = []

    async def note():
        while True:
            await town.core.lulls.next(60)
            lulls.append(town.now)

    async with town.alive(), trio.open_nursery() as nursery:
        nursery.start_soon(note)
        await trio.sleep(3 * 3600)
        nursery.cancel_scope.cancel()
    begun = [r.started_at for r in town.records() if r.started_at is not None]
    begun = [at - (town.clock.now() - town.now) for at in begun]
    for at in lulls:
        assert not any(at <= start < at + 60 for start in begun)
    # After b of each ten minutes, and after c; not after a, which b follows.
    assert len(lulls) == 3 * (6 + 1)
    assert len(begun) == 3 * (6 + 6 + 1)
