"""The last rung of every end: a process that something would keep for ever is ended all the same."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING

import structlog
import trio

from muxd.performance import in_short

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["end_process"]

FINISH_BOUND = 25.0
"""How long the last records may take to be written, seconds: a disk may hang."""
FLUSH_BOUND = 3.0
"""How long who reads stdout and stderr may take, seconds."""


async def end_process(
    finish: Callable[[], Awaitable[object]],
    clean_up: Callable[[], object],
    *,
    cause: BaseException | None = None,
) -> None:
    """Write what is to be written, name the culprits in the log, and end the process with code 1.

    Args:
      finish: writes the last records. It is waited for, for `FINISH_BOUND` at most.
      clean_up: removes what must not be left behind.
      cause: why muxd ends, if it was not told to.

    Never returns.
    """
    culprits = sorted({task.name for task in _leaves(trio.lowlevel.current_root_task())})
    async with trio.open_nursery() as nursery:
        finished = trio.Event()

        async def write() -> None:
            await finish()
            finished.set()

        nursery.start_soon(write)
        with trio.move_on_after(FINISH_BOUND):
            await finished.wait()
        if cause is not None:
            structlog.get_logger().critical("muxd can't go on", error=in_short(cause))
        structlog.get_logger().critical(
            "something ignores that muxd stops: the process is ended", tasks=culprits
        )
        clean_up()
        with trio.move_on_after(FLUSH_BOUND, shield=True):
            await trio.to_thread.run_sync(_flush, abandon_on_cancel=True)
        os._exit(1)


def _flush() -> None:
    """Write what is still to be written, in a thread: there may be nobody to read it."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _leaves(task: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    """The tasks below this one that wait for no others: where a nursery is kept open."""
    for nursery in task.child_nurseries if task else ():
        for child in nursery.child_tasks:
            if child.child_nurseries:
                yield from _leaves(child)
            else:
                yield child
