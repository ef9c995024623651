"""Keeps the store in shape while muxd runs: looks for damage, and deletes what is old."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog
import trio

from muxd.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.abc import Store

__all__ = ["keep_in_shape"]

FIRST = 60.0
"""How long after the start it is done for the first time, seconds: not while everything begins."""
EVERY = 86_400.0
"""How long after that it is done again, seconds."""
UNLIMITED = 2**62


async def keep_in_shape(
    store: Store, *, keep: float, max_runs: int, real_now: Callable[[], float]
) -> None:
    """Check and prune the store soon after the start and then daily, until cancelled.

    Args:
      store: open.
      keep: how long ended runs are kept, seconds; 0: for ever.
      max_runs: how many of them at most; 0: any number.
      real_now: Unix seconds.

    A store that fails is logged and tried again the next day. When cancelled, what is under way is
    done in part; the next time does the rest.
    """
    await trio.sleep(FIRST)
    while True:
        try:
            await store.check()
            deleted = 0
            if keep or max_runs:
                deleted = await store.prune(
                    older_than=real_now() - keep if keep else -math.inf,
                    keep=max_runs or UNLIMITED,
                )
        except LedgerError as error:
            structlog.get_logger().error(
                "the ledger could not be checked and pruned: tried again in a day", error=str(error)
            )
        else:
            if deleted:
                structlog.get_logger().info("old runs are deleted from the ledger", runs=deleted)
        await trio.sleep(EVERY)
