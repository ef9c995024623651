"""Lulls: stretches of time in which nothing runs and nothing is due."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lulls"]


@final
class Lulls:
    """Where work goes that must not hold up a run. Nothing polls: it wakes when the worker rests."""

    def __init__(self, free: Callable[[], float]) -> None:
        """Know of lulls.

        Args:
          free: for how long nothing is going to run, as far as is known, real seconds; 0 while
            something runs or waits.
        """
        self._free = free
        self._rest = trio.Event()

    def news(self) -> None:
        """The worker has nothing to do at the moment. Never blocks."""
        self._rest.set()
        self._rest = trio.Event()

    async def wait(self, length: float, *, at_most: float = math.inf) -> None:
        """Wait until nothing is going to run for so long, but `at_most` so many seconds.

        Both in real seconds. Safe to cancel.
        """
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(at_most):
            while self._free() < length:
                await self._rest.wait()

    async def next(self, length: float) -> None:
        """Wait until the worker rests, the next time that it is for so long. Safe to cancel."""
        while True:
            await self._rest.wait()
            if self._free() >= length:
                return
