"""A process that a body has forked must not come back into muxd and be a second one."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, NoReturn, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["EXIT_STATUS", "Forkable", "end_stray_forks", "kept_from_forks"]

EXIT_STATUS = 70
"""The exit status of a forked process that came back; sysexits.h calls it a software error."""
_LAST_WORDS = b"muxd: a forked process came back out of the code that forked it: it was ended\n"


class Forkable(Protocol):
    """The asyncio loop, and what is to be known of it."""

    def is_closed(self) -> bool:
        """As asyncio's."""

    def call_soon(self, fn: Callable[[], NoReturn]) -> object:
        """As asyncio's."""


def end_stray_forks(loop: Forkable) -> None:
    """End a process forked in this loop's thread as soon as it gets back to trio or asyncio.

    It is a copy of muxd in the middle of its work: the same loop, the same connection to the
    browser, the same ledger. As long as it stays in the function that has forked it, it may do
    what it likes: `multiprocessing` and `subprocess` do, and end it or make it another program.

    To be called in the loop's thread, once for each loop. Python keeps the hook for the life of
    the process, so it knows the loop by a weak reference.
    """
    reference, thread = weakref.ref(loop), threading.get_ident()

    def in_child() -> None:
        loop = reference()
        if loop is None or loop.is_closed() or threading.get_ident() != thread:
            return
        # If asyncio has called what forks: what else is due must not come first. There is no
        # public way to say so.
        getattr(loop, "_ready", deque[object]()).clear()
        loop.call_soon(_end)
        # If trio has, it may have other tasks to go on with before it returns to asyncio.
        with contextlib.suppress(RuntimeError):  # it hasn't
            trio.lowlevel.add_instrument(_EndAfterStep())

    os.register_at_fork(after_in_child=in_child)


@contextlib.contextmanager
def kept_from_forks(*descriptors: int) -> Iterator[None]:
    """While inside, a process that is forked gets ``/dev/null`` in place of these descriptors.

    For what the system keeps as long as any process has it open: a lock, a listening socket, a pipe
    whose end somebody waits for. What a body has forked may outlive muxd. Their numbers stay in use
    there: whoever in the copy believes to own one may close it.
    """
    mine = list(descriptors)

    def in_child() -> None:
        for fd in mine:
            with contextlib.suppress(OSError):
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, fd, inheritable=False)
                os.close(null)

    os.register_at_fork(after_in_child=in_child)
    try:
        yield
    finally:
        mine.clear()  # Python keeps the hook for the life of the process


class _EndAfterStep(trio.abc.Instrument):
    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        _end()


def _end() -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, _LAST_WORDS)
    os._exit(EXIT_STATUS)
