"""A nursery whose children are bridged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVarTuple

import trio

from muxd.bridge.bridging import bridged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Unpack

__all__ = ["BridgedNursery", "open_nursery"]

Ts = TypeVarTuple("Ts")


class BridgedNursery:
    """A nursery whose children may await asyncio and trio things alike. See `open_nursery`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.plain = nursery
        """The trio nursery it is made of: tasks started there are not bridged."""

    @property
    def cancel_scope(self) -> trio.CancelScope:
        """Cancels all children and the block."""
        return self.plain.cancel_scope

    @property
    def child_tasks(self) -> frozenset[trio.lowlevel.Task]:
        """The children that have not ended."""
        return self.plain.child_tasks

    @property
    def parent_task(self) -> trio.lowlevel.Task:
        """The task that opened the nursery."""
        return self.plain.parent_task

    def start_soon(
        self,
        async_fn: Callable[[Unpack[Ts]], Awaitable[object]],
        *args: *Ts,
        name: object = None,
    ) -> None:
        """Start a bridged child; like `trio.Nursery.start_soon`."""
        self.plain.start_soon(bridged(async_fn), *args, name=name or async_fn)

    async def start(
        self, async_fn: Callable[..., Awaitable[object]], *args: object, name: object = None
    ) -> Any:
        """Start a bridged child and wait until it calls ``task_status.started(value)``.

        Returns the value. Like `trio.Nursery.start`: cancelled here, the child is cancelled.
        """
        return await self.plain.start(bridged(async_fn), *args, name=name or async_fn)


class open_nursery:
    """Like `trio.open_nursery`, but children started in it are bridged.

    It can be used in any trio task of a `run`, bridged or not. `strict_exception_groups` is as
    in trio. When asyncio cancels the block (an `asyncio.timeout` around it), children are
    cancelled as in an `asyncio.TaskGroup`, and the error is a bare `asyncio.CancelledError`.
    """

    def __init__(self, strict_exception_groups: bool | None = None) -> None:
        self._manager = trio.open_nursery(strict_exception_groups=strict_exception_groups)

    async def __aenter__(self) -> BridgedNursery:
        return BridgedNursery(await self._manager.__aenter__())

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        try:
            return await self._manager.__aexit__(exc_type, exc, tb)
        except BaseExceptionGroup as group:
            cancelled, others = group.split(asyncio.CancelledError)
            if others is not None:  # trio's cancellation in the same moment will come again
                others = others.split(trio.Cancelled)[1]
            task = asyncio.current_task() if asyncio._get_running_loop() else None
            if others is not None or cancelled is None or task is None or not task.cancelling():
                raise
        bare: BaseException = cancelled
        while isinstance(bare, BaseExceptionGroup):
            bare = bare.exceptions[0]
        raise bare
