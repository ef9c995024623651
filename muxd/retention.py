"""Keeps the store in shape while muxd runs: looks for damage, deletes what is old, settles the rest."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import structlog
import trio

from muxd.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.abc import Store
    from muxd.lulls import Lulls

__all__ = ["keep_in_shape"]

FIRST = 60.0
"""How long after the start it is done for the first time, seconds: not while everything begins."""
EVERY = 86_400.0
"""How long after that it is done again, seconds."""
LULL = 1.0
"""How long nothing must be due, seconds, for a small piece of work: many times what one takes."""
PATIENCE = 10.0
"""How long the next piece waits for such a lull, seconds: a browser that is never idle keeps nothing
from being deleted."""
UNLIMITED = 2**62


async def keep_in_shape(
    store: Store, *, keep: float, max_runs: int, real_now: Callable[[], float], lulls: Lulls
) -> None:
    """Check and prune the store soon after the start and then daily, until cancelled.

    And have it settle in quiet moments between runs.

    Args:
      store: open.
      keep: how long ended runs are kept, seconds; 0: for ever.
      max_runs: how many of them at most; 0: any number.
      real_now: Unix seconds.
      lulls: when nothing runs.

    A store that fails is logged and tried again the next day. When cancelled, what is under way is
    done in part; the next time does the rest.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_settle, store, lulls)
        await trio.sleep(FIRST)
        while True:
            await _look_through(store, keep, max_runs, real_now, lulls)
            await trio.sleep(EVERY)


async def _look_through(
    store: Store, keep: float, max_runs: int, real_now: Callable[[], float], lulls: Lulls
) -> None:
    deleted = 0
    try:
        await store.check()
        if keep or max_runs:
            deleted = await store.prune(
                older_than=real_now() - keep if keep else -math.inf,
                keep=max_runs or UNLIMITED,
                pace=partial(lulls.wait, LULL, at_most=PATIENCE),
            )
    except LedgerError as error:
        structlog.get_logger().error(
            "the ledger could not be checked and pruned: tried again in a day", error=str(error)
        )
    if deleted:
        structlog.get_logger().info("old runs are deleted from the ledger", runs=deleted)


async def _settle(store: Store, lulls: Lulls) -> None:
    while True:
        await lulls.next(LULL)
        try:
            await store.settle()
        except LedgerError as error:
            # Nothing is lost by it; the next write finds out whether it is more than a hiccup.
            structlog.get_logger().warning("the ledger could not be settled", error=str(error))
