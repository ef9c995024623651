"""The host: an asyncio loop that knows whom to tell of errors."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import weakref
from typing import TYPE_CHECKING, Any

import structlog

from muxd.background import BackgroundErrors, owner

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HostLoop", "background_errors"]


class HostLoop(asyncio.SelectorEventLoop):
    """The host: a plain asyncio loop that knows whom to tell of errors, and its processes."""

    cancelled_error = asyncio.CancelledError

    def __init__(self) -> None:
        super().__init__()
        self.collectors: list[BackgroundErrors] = []  # innermost last
        self._processes: weakref.WeakSet[Any] = weakref.WeakSet()  # transports
        self.swap_current_task = _swap_current_task

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Charge an error to whose it is; log it if it is nobody's."""
        message = context.get("message") or "an error in asyncio's background"
        error = context.get("exception")
        if isinstance(error, asyncio.CancelledError):
            return  # that of a gather() which nobody awaits any more, for example: no error
        if error is None:
            error = RuntimeError(message)
        else:
            error.add_note(f"(asyncio: {message})")
        culprit = self._find_owner(context)
        if culprit is None and self.collectors:
            culprit = self.collectors[-1]
        if culprit is not None and culprit.active:
            culprit.add(error)
        elif (
            culprit is not None or not self.is_closed()
        ):  # its end has errors that nobody waits for
            log = structlog.get_logger()
            log.error("background error", reason=message, late=culprit is not None, exc_info=error)

    def charge(self, error: BaseException) -> bool:
        """Charge to the innermost collector what has stopped the loop; False if there is none."""
        if not self.collectors:
            return False
        self.collectors[-1].add(error)
        return True

    def _find_owner(self, context: dict[str, Any]) -> BackgroundErrors | None:
        task = context.get("task") or context.get("future")
        if isinstance(task, asyncio.Task):
            return getattr(task, "_muxd_owner", None)
        handle = context.get("handle")
        return owner(getattr(handle, "_context", None)) if handle is not None else None

    def create_task(self, coro: Any, **options: Any) -> Any:
        """Start a task, and remember in whose block."""
        task: Any = super().create_task(coro, **options)
        culprit = owner(options.get("context"))
        if culprit is not None:
            # Not in a table of weak references: those go before a task that is found to be
            # garbage tells of its error.
            task._muxd_owner = culprit
            culprit.own(task)
        return task

    def pass_cancellation_on(self, coro: Any) -> None:
        """Do what asyncio's own waits would do if the error that is about to come were asyncio's.

        The end of a TaskGroup and, on Python 3.11, wait_for() await a future that stands for
        tasks, and cancel these when asyncio.CancelledError is raised there. trio's passes by.
        """
        while hasattr(inner := coro.cr_await, "cr_frame"):
            coro = inner
        with contextlib.suppress(AttributeError):  # of foreign coroutines
            variables = coro.cr_frame.f_locals
            group, fut = variables.get("self"), variables.get("fut")
            if isinstance(group, asyncio.TaskGroup):
                group._abort()  # type: ignore[attr-defined]  # cancels its tasks
            elif coro.cr_code is asyncio.wait_for.__code__ and asyncio.isfuture(fut):
                fut.cancel()

    def abandon(self, future: asyncio.Future[Any], callback: Any) -> None:
        """Cancel a future that is waited for no more; an error it ends with is not lost."""
        future.remove_done_callback(callback)
        if future.done():
            self._report_late_error(future)
        else:
            future.add_done_callback(self._report_late_error)
            future.cancel()

    def _report_late_error(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()  # now asyncio sees it as retrieved
        if error is not None:
            message = "what was awaited failed when the await had been cancelled"
            self.call_exception_handler({"message": message, "exception": error, "future": future})

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process, whose transport is closed at the end of the run."""
        return self._note(await super().subprocess_exec(*args, **kwargs))

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process, whose transport is closed at the end of the run."""
        return self._note(await super().subprocess_shell(*args, **kwargs))

    def _note(self, started: tuple[Any, Any]) -> tuple[Any, Any]:
        self._processes.add(started[0])
        return started

    async def shutdown_asyncgens(self) -> None:
        """Close what is left; asyncio.Runner calls this when all tasks have been cancelled."""
        await super().shutdown_asyncgens()
        transports = tuple(self._processes)
        for transport in transports:
            transport.close()  # kills the process, if it lives
        for transport in transports:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(transport._wait(), 1)
        for _ in range(3 if transports else 0):
            await asyncio.sleep(0)  # pipes are closed in callbacks


def background_errors(
    on_error: Callable[[BaseException], object] | None = None, *, limit: int = 100
) -> BackgroundErrors:
    """Collect what asyncio would only log: ``with background_errors() as background: ...``.

    While the block runs, ``background.errors`` gets the errors of asyncio's callbacks, of its
    tasks that nobody awaits, and of futures that are collected as garbage without anybody having
    looked at their error. One that comes of a task or callback that was started in such a block
    goes to that block (if it has ended, to the log, not to another); all others go to the
    innermost block. Each has a note with asyncio's words for it. A block under a plain
    `trio.run` collects nothing.

    Args:
      on_error: called with each error, at once, in the loop's thread but in no task. It may set
        a `trio.Event` or cancel a scope.
      limit: how many errors are kept, at least 0; the others are counted in ``dropped``.
    """
    loop = asyncio._get_running_loop()
    return BackgroundErrors(loop if isinstance(loop, HostLoop) else None, on_error, limit)


if sys.version_info >= (3, 12):
    _swap_current_task: Any = asyncio.tasks._swap_current_task
else:

    def _swap_current_task(loop: asyncio.AbstractEventLoop, task: Any) -> Any:
        before = asyncio.current_task(loop)
        if before is not None:
            asyncio.tasks._leave_task(loop, before)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)
        return before
