"""A stream that somebody may have stopped reading: Ctrl-S at a terminal, a pipe that is full."""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ROOM", "Outlet"]

ROOM = 1_000_000
"""How many characters wait for a reader at most; what comes then is dropped, and counted."""


@final
class Outlet:
    """Writes lines in a thread of its own, in their order. To be used by any thread.

    Whoever writes into what nobody reads waits until somebody does. So that is left to a thread,
    which is there from the first line on and keeps no process from its end.
    """

    def __init__(self, write: Callable[[str], object], lost: Callable[[int], str]) -> None:
        """Nothing is written yet.

        Args:
          write: writes a text; it may block, and raise `OSError` and `ValueError`, which cost
            that text.
          lost: a line that tells how many were dropped, in their place.
        """
        self._write, self._lost = write, lost
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()  # the first is just being written
        self._size = self._dropped = 0
        self._has_writer = False
        self._process = os.getpid()

    def put(self, text: str) -> None:
        """Write it when there is a reader. Never waits, but in a process that was forked."""
        if os.getpid() != self._process:  # without the thread, and perhaps with its lock
            with contextlib.suppress(OSError, ValueError):
                self._write(text)
            return
        with self._changed:
            if self._waiting and self._size + len(text) > ROOM:
                self._dropped += 1
                return
            self._tell_dropped()
            self._append(text)
            if not self._has_writer:
                self._begin()
            self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait until all is written, so long at most; whether it is."""
        if os.getpid() != self._process:
            return True
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, seconds)

    def _append(self, text: str) -> None:
        self._waiting.append(text)
        self._size += len(text)

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._append(self._lost(self._dropped))
            self._dropped = 0

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run, name="muxd log", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread can be had: perhaps for the next line
            contextvars.Context().run(thread.start)  # a run that has a line to log has no thread
            self._has_writer = True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                text = self._waiting[0]
            with contextlib.suppress(OSError, ValueError):
                self._write(text)
            with self._changed:
                self._size -= len(self._waiting.popleft())
                if not self._waiting:
                    self._tell_dropped()
                self._changed.notify_all()
