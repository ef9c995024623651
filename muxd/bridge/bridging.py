"""Has a coroutine await asyncio and trio things alike."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from muxd.bridge.hostloop import HostLoop
from muxd.coroutine_driver import CoroutineDriver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from muxd.bridge.leash import Leash

__all__ = ["bridged", "in_force"]

P = ParamSpec("P")
T = TypeVar("T")

in_force: contextvars.ContextVar[Leash | None] = contextvars.ContextVar("muxd leash", default=None)
"""The leash of the body that is bridged here."""


def bridged(async_fn: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same function, for use in a trio task: it may await asyncio and trio things alike.

    A call from a coroutine that is bridged already costs next to nothing, as does one under a
    plain `trio.run`, where there is no asyncio to wait for.

    Cancellation: while it waits for an asyncio future, trio's cancellation cancels the future
    and raises `trio.Cancelled` at that await, at once. While it waits for something of trio's,
    nothing changes.

    Raises:
      TypeError: `async_fn` is a coroutine (call it with the function, not with its result).
    """
    if not callable(async_fn):
        if inspect.iscoroutine(async_fn):
            async_fn.close()
        hint = "write start_soon(f, x) for start_soon(f(x))"
        raise TypeError(f"muxd.bridged() takes an async function, not {async_fn!r}: {hint}")

    @functools.wraps(async_fn)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio._get_running_loop()
        if not isinstance(loop, HostLoop) or asyncio.current_task(loop) is not None:
            # No host here, or a driver (or an asyncio task) takes our futures already.
            return await async_fn(*args, **kwargs)
        awaitable = async_fn(*args, **kwargs)
        coro = awaitable if inspect.iscoroutine(awaitable) else _as_coroutine(awaitable)
        return await CoroutineDriver(coro, loop, in_force.get())

    return call


async def _as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable
