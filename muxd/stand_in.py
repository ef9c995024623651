"""What asyncio code sees as its current task while a trio task drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import contextvars
    from types import FrameType

    from muxd.coroutine_driver import CoroutineDriver

__all__ = ["StandIn"]


class StandIn:
    """What asyncio code sees as `asyncio.current_task()` while a trio task drives it.

    It has what a task is asked from inside it: enough for `asyncio.timeout`, `TaskGroup`,
    `wait_for` and the libraries built on them.
    """

    def __init__(self, driver: CoroutineDriver) -> None:
        self._driver, self._requests = driver, 0

    def cancel(self, msg: Any = None) -> bool:
        """Cancel as asyncio does: CancelledError, once, at the await it is in or comes to."""
        if self._driver.ended:
            return False
        self._requests += 1
        self._driver.cancel_once(msg)
        return True

    def cancelling(self) -> int:
        """How many cancellations have not been taken back."""
        return self._requests

    def uncancel(self) -> int:
        """Take one cancellation back."""
        self._requests = max(0, self._requests - 1)
        if self._requests == 0:
            self._driver.must_cancel = False
        return self._requests

    def done(self) -> bool:
        """Whether the coroutine has ended."""
        return self._driver.ended

    def cancelled(self) -> bool:
        """False: how it has ended is told to trio."""
        return False

    def get_loop(self) -> Any:
        """Its loop."""
        return self._driver.host

    def get_coro(self) -> Any:
        """The coroutine that is driven."""
        return self._driver.coro

    def get_context(self) -> contextvars.Context:
        """The trio task's own context, in which every step is made."""
        return self._driver.task.context

    def get_name(self) -> str:
        """The name of the trio task."""
        return self._driver.task.name

    def set_name(self, value: object) -> None:
        """Ignored."""

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        """The frames it is suspended in, outermost first."""
        frames = [frame for frame, _line in self._driver.task.iter_await_frames()]
        return frames if limit is None else frames[-limit:]

    def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
        """Call ``fn(self)`` soon after the coroutine has ended."""
        self._driver.callbacks.append((fn, context))

    def remove_done_callback(self, fn: Any) -> int:
        """Take a callback back; returns how often it was there."""
        before = self._driver.callbacks
        self._driver.callbacks = [entry for entry in before if entry[0] != fn]
        return len(before) - len(self._driver.callbacks)
