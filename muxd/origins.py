"""Who started a process or a thread: a run, or somebody beside it."""

from __future__ import annotations

import os
import subprocess
import threading
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from muxd.background import owner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Origins"]

_SPAWNERS = (
    (subprocess, "_fork_exec"),
    (os, "fork"),
    (os, "forkpty"),
    (os, "posix_spawn"),
    (os, "posix_spawnp"),
)
"""What starts processes in Python; `subprocess` is asyncio's and trio's way too. The first is not
public: it is the only place where the process's number is known at once."""


class Origins:
    """Notes, while it is entered, in whose context each process and each thread is started.

    Other people's processes must not be ended, nor threads be charged, because a run happens to
    be in progress when a service starts them. The system doesn't tell them apart, so the few
    functions that start them are replaced by ones that take a note. Nothing else is slower for it.

    What is started by code that is not Python has no note.
    """

    def __init__(self) -> None:
        self._others: set[int] = set()  # pids of processes that no run has started
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()  # of runs
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        for place, name in _SPAWNERS:
            if hasattr(place, name):
                self._replace(place, name, self._noting_process(getattr(place, name)))
        self._replace(threading.Thread, "start", self._noting_thread(threading.Thread.start))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._undo.close()

    def spare(self, pids: Collection[int]) -> None:
        """Note processes as no run's."""
        self._others.update(pids)

    def is_others(self, pid: int) -> bool:
        """True if it is known that no run has started it."""
        return pid in self._others

    def forget_all_but(self, pids: Collection[int]) -> None:
        """Forget processes that are no more: their numbers will be given again."""
        self._others.intersection_update(pids)

    def threads(self) -> list[threading.Thread]:
        """The threads that runs have started and that live; none of trio's or asyncio's pools."""
        return [each for each in tuple(self._threads) if each.is_alive() and not _is_pool(each)]

    def _replace(self, place: Any, name: str, replacement: Callable[..., Any]) -> None:
        self._undo.callback(setattr, place, name, getattr(place, name))
        setattr(place, name, replacement)

    def in_run(self) -> bool:
        """True if a run's code calls this, in its task or in a thread that it has started."""
        # A plain thread doesn't have the context of who started it.
        return owner() is not None or threading.current_thread() in self._threads

    def _noting_process(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def spawn(*args: Any, **kwargs: Any) -> Any:
            started = real(*args, **kwargs)
            pid = started[0] if isinstance(started, tuple) else started
            if pid > 0 and not self.in_run():
                self._others.add(pid)
            return started

        return spawn

    def _noting_thread(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def start(thread: threading.Thread) -> None:
            if self.in_run():
                self._threads.add(thread)
            real(thread)

        return start


def _is_pool(thread: threading.Thread) -> bool:
    """True for workers that trio and asyncio keep for the next who asks."""
    target = getattr(getattr(thread, "_target", None), "__self__", None)
    return type(target).__module__.startswith("trio.") or thread.name.startswith("asyncio")
