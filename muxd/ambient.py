"""What all code of a process shares: noted before a run, and put back after its body."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import attrs

from muxd.left import Left

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Ambient"]

_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""Those that muxd and its libraries live by, and that programs change."""


@attrs.frozen
class Ambient:
    """All of it, at one instant."""

    _directory: str | None
    """None: it has been removed."""
    _umask: int | None
    """None: it can't be read without being changed, which other threads would see."""
    _handlers: Mapping[int, Any]
    _blocked: frozenset[int]

    @classmethod
    def now(cls) -> Ambient:
        """As it is."""
        return cls(_directory(), _umask(), _handlers(), _blocked())

    def put_back(self) -> Left:
        """Have it as it was; gives what was changed, by kind. Never raises.

        Signals are Python's main thread's: elsewhere they are left alone, as they can't be changed.
        """
        changed, now = Left(), Ambient.now()
        if self._directory is not None and now._directory != self._directory:
            with contextlib.suppress(OSError):  # it has been removed
                os.chdir(self._directory)
            changed["changed working directory"] = 1
        if self._umask is not None and now._umask != self._umask:
            os.umask(self._umask)
            changed["changed umask"] = 1
        for number, handler in now._handlers.items():
            before = self._handlers.get(number)
            if before is not None and handler is not before:
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(number, before)
                changed["changed signal handler"] += 1
        if now._blocked != self._blocked:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
            changed["changed signal handler"] += len(now._blocked ^ self._blocked)
        return changed


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _umask() -> int | None:
    if sys.platform != "linux":
        return None
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            status = file.read(1024)
    except OSError:
        return None
    return int(status.partition(b"\nUmask:")[2].split(None, 1)[0], 8)


def _handlers() -> dict[int, Any]:
    """Those that Python knows of, by number; None for one that isn't Python's."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _blocked() -> frozenset[int]:
    return frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
