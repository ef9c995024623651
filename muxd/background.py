"""Errors that nobody awaits, and who is charged with them."""

from __future__ import annotations

import contextlib
import contextvars
import weakref
from typing import TYPE_CHECKING, Any, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["BackgroundErrors", "ErrorSource"]

_owner: contextvars.ContextVar[BackgroundErrors | None] = contextvars.ContextVar(
    "muxd background errors", default=None
)


class ErrorSource(Protocol):
    """The asyncio loop of a `muxd.bridge.run`."""

    collectors: list[BackgroundErrors]
    """Those that are active, innermost last."""

    def get_exception_handler(self) -> Any:
        """As asyncio's."""

    def set_exception_handler(self, handler: Any) -> None:
        """As asyncio's."""


class BackgroundErrors:
    """What `muxd.bridge.background_errors` collects, from ``with`` to the end of its block."""

    def __init__(
        self,
        source: ErrorSource | None,
        on_error: Callable[[BaseException], object] | None,
        limit: int,
    ) -> None:
        self.errors: list[BaseException] = []
        """The first errors, oldest first, at most `limit`."""
        self.dropped = 0
        """How many more there were."""
        self.active = False
        """Whether the block is being run."""
        self._source, self._on_error, self._limit = source, on_error, limit
        self._handler: Any = None
        self._tasks: weakref.WeakSet[Any] = weakref.WeakSet()
        self._token: contextvars.Token[BackgroundErrors | None] | None = None

    def __enter__(self) -> Self:
        self.active = True
        self._token = _owner.set(self)
        if self._source is not None:
            self._handler = self._source.get_exception_handler()
            self._source.collectors.append(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.active = False
        if self._token is not None:
            with contextlib.suppress(ValueError):  # closed elsewhere, as garbage is
                _owner.reset(self._token)
        if self._source is not None:
            self._source.collectors.remove(self)
            self._source.set_exception_handler(self._handler)  # a body may have set another

    def add(self, error: BaseException) -> None:
        """Charge an error, and call `on_error`."""
        if len(self.errors) < self._limit:
            self.errors.append(error)
        else:
            self.dropped += 1
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:
                structlog.get_logger().exception("the callback of background_errors raised")

    def own(self, task: Any) -> None:
        """Remember an asyncio task as one that was started in the block."""
        self._tasks.add(task)

    def owns(self, task: Any) -> bool:
        """Whether the asyncio task was started in the block, or by what was started there."""
        return task in self._tasks

    def cancel_tasks(self) -> int:
        """Cancel the asyncio tasks that were started in the block and have not ended.

        That is `asyncio.create_task`, `gather`, `TaskGroup` and the like, in the block itself, in
        trio tasks started in it, and in what those tasks started. Never blocks: they end in the
        next rounds of asyncio's loop. Returns how many were cancelled.
        """
        return sum(task.cancel() for task in tuple(self._tasks) if not task.done())


def owner(context: contextvars.Context | None = None) -> BackgroundErrors | None:
    """In whose block the context (by default the current one) was made; it may have ended."""
    return _owner.get() if context is None else context.get(_owner)
