"""The end of the program, which no thread and no exit handler of a plugin may hold up."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

from muxd.blame import blaming
from muxd.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PATIENCE", "flushed", "leave"]

PATIENCE = 10.0
"""How long threads, and exit handlers, may go on after the command's end, seconds."""
FLUSH_BOUND = 2.0
"""How long who reads stdout and stderr may take for what is still to be written, seconds."""


def leave(code: int) -> NoReturn:
    """End the process with this code, within a bound.

    Threads that are not daemonic are waited for, and exit handlers are called, as Python does, but
    for `PATIENCE` each and no longer.
    """
    with contextlib.suppress(KeyboardInterrupt):
        if problem := _bounded(_executors_end):
            _say(f"muxd: the threads of a plugin's executor: {problem.reason}")
        end = time.monotonic() + PATIENCE
        for thread in _others():
            thread.join(max(end - time.monotonic(), 0))
        for thread in _others():
            _say(f"muxd: a plugin's thread {thread.name!r} is still at work: it ends with muxd")
        # The names are CPython's own, not public; without them handlers are not called.
        if problem := _bounded(getattr(atexit, "_run_exitfuncs", lambda: None)):
            _say(f"muxd: an exit handler of a plugin: {problem.reason}")
    flushed()
    os._exit(code)


def flushed() -> bool:
    """Write what stdout and stderr have not written yet; False if somebody does not read it."""

    def flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()

    return _within_bound(flush)


def _within_bound(write: Callable[[], object]) -> bool:
    # A thread: a write into a pipe that is full has no end, and no timeout.
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(FLUSH_BOUND)
    return not thread.is_alive()


def _bounded(call: Callable[[], object]) -> PluginError | None:
    try:
        blaming("unknown", "exit", PATIENCE, call)
    except PluginError as problem:
        return problem
    return None


def _executors_end() -> None:
    # They tell their threads to end when these are idle.
    for call in reversed(getattr(threading, "_threading_atexits", ())):
        call()


def _others() -> list[threading.Thread]:
    main = threading.main_thread()
    found = threading.enumerate()
    return [t for t in found if t is not main and not t.daemon and t.is_alive()]


def _say(line: str) -> None:
    def say() -> None:
        with contextlib.suppress(Exception):
            sys.stderr.write(f"{line}\n")

    _within_bound(say)
