"""The bridge the other way: something of trio's, awaited in a task of asyncio's."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, TypeVar

import outcome
import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["across"]

T = TypeVar("T")


async def across(work: Callable[[], Awaitable[T]]) -> T:
    """Have a task of trio's do it, in the same thread, and wait for it in a task of asyncio's.

    Bodies have such tasks: what `asyncio.gather` is given becomes one. Cancelled, the task of trio's
    is.

    Raises what it raises, and RuntimeError where trio is not asyncio's guest.
    """
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    scope, context = trio.CancelScope(), contextvars.copy_context()

    async def perform() -> None:
        with scope:
            told = await outcome.acapture(work)
            if done.done():  # nobody waits any more
                return
            if isinstance(told, outcome.Value):
                done.set_result(told.value)
            elif isinstance(told.error, trio.Cancelled):
                done.cancel()
            else:
                done.set_exception(told.error)

    token = trio.lowlevel.current_trio_token()
    token.run_sync_soon(
        lambda: trio.lowlevel.spawn_system_task(perform, name="for asyncio", context=context)
    )
    try:
        return await done
    finally:
        scope.cancel()  # nothing is left of it where it has ended
