"""What all code of a process shares, put back after a plugin's code was called."""

from __future__ import annotations

import builtins
import contextlib
import gc
import locale
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import attrs
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["grounded", "sheltered"]

_HOOKS = ("stdin", "excepthook", "displayhook", "unraisablehook", "breakpointhook")


@contextlib.contextmanager
def sheltered() -> Iterator[None]:
    """Have what is written to stdout inside go to stderr, and put back what is changed inside.

    That is: the working directory, signal handlers and blocked signals, the locale, the umask,
    the filters of warnings, what stands in `builtins` and the hooks of `sys`, limits and switches
    of the interpreter, and how logs are set up. What is new on the module search path stays, but
    behind what was there, so that it hides nothing.

    What other modules are made of is not watched: a plugin that changes those can break muxd,
    until it is disabled.
    """
    before = _Shared.now()
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr), _descriptor_1():
        stderr = sys.stderr
        try:
            yield
        finally:
            before.put_back()
            sys.stderr = stderr


@contextlib.contextmanager
def grounded() -> Iterator[None]:
    """Put back the ground that even muxd's own way out stands on: `builtins`, tracers, limits.

    For the innermost place; all of it is in `sheltered` as well.
    """
    before, tracer, profiler = dict(vars(builtins)), sys.gettrace(), sys.getprofile()
    update, recursion = vars(builtins).update, sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.settrace(tracer)
        sys.setprofile(profiler)
        update(before)
        sys.setrecursionlimit(recursion)


@contextlib.contextmanager
def _descriptor_1() -> Iterator[None]:
    """What is written past Python to stdout, by C code and child processes, goes to stderr too."""
    try:
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
        kept = os.dup(1)
    except (OSError, ValueError):  # there is none
        yield
        return
    try:
        with contextlib.suppress(OSError):
            os.dup2(2, 1)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.dup2(kept, 1)
        os.close(kept)


@attrs.frozen(kw_only=True)
class _Shared:
    """All of it, at one instant."""

    directory: int | None
    umask: int
    locale: str
    handlers: dict[signal.Signals, Any]
    blocked: set[signal.Signals | int]
    path: list[str]
    entries: tuple[str, ...]
    builtins: dict[str, Any]
    hooks: dict[str, Any]
    thread_hook: Any
    tracer: Any
    profiler: Any
    recursion: int
    switch: float
    collecting: bool
    timeout: float | None
    log_handlers: list[logging.Handler]
    log_level: int
    logging_off: int
    logs: dict[str, Any] | None

    @classmethod
    def now(cls) -> _Shared:
        root = logging.getLogger()
        umask = os.umask(0o077)
        os.umask(umask)
        directory = None
        with contextlib.suppress(OSError):  # it has been removed
            directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        return cls(
            directory=directory,
            umask=umask,
            locale=locale.setlocale(locale.LC_ALL),
            handlers={s: signal.getsignal(s) for s in signal.Signals},
            blocked=signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            path=sys.path,
            entries=tuple(sys.path),
            builtins=dict(vars(builtins)),
            hooks={name: getattr(sys, name) for name in _HOOKS},
            thread_hook=threading.excepthook,
            tracer=sys.gettrace(),
            profiler=sys.getprofile(),
            recursion=sys.getrecursionlimit(),
            switch=sys.getswitchinterval(),
            collecting=gc.isenabled(),
            timeout=socket.getdefaulttimeout(),
            log_handlers=root.handlers[:],
            log_level=root.level,
            logging_off=root.manager.disable,
            logs=structlog.get_config() if structlog.is_configured() else None,
        )

    def put_back(self) -> None:
        vars(builtins).update(self.builtins)
        sys.settrace(self.tracer)
        sys.setprofile(self.profiler)
        for name, value in self.hooks.items():
            setattr(sys, name, value)
        threading.excepthook = self.thread_hook
        with contextlib.suppress(RecursionError):
            sys.setrecursionlimit(self.recursion)
        sys.setswitchinterval(self.switch)
        if self.collecting:
            gc.enable()
        if self.directory is not None:
            with contextlib.suppress(OSError):
                os.fchdir(self.directory)
            os.close(self.directory)
        os.umask(self.umask)
        locale.setlocale(locale.LC_ALL, self.locale)
        socket.setdefaulttimeout(self.timeout)
        new = [entry for entry in sys.path if entry not in self.entries]
        self.path[:] = [*self.entries, *new]
        sys.path = self.path
        self._put_back_signals()
        self._put_back_logs()

    def _put_back_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)
        if threading.current_thread() is not threading.main_thread():
            return
        for number, handler in self.handlers.items():
            # None: not Python's, so that it can't be put back by Python.
            if handler is not None and signal.getsignal(number) is not handler:
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(number, handler)
        for timer in (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)

    def _put_back_logs(self) -> None:
        root = logging.getLogger()
        root.handlers[:] = self.log_handlers
        root.setLevel(self.log_level)
        logging.disable(self.logging_off)
        if self.logs is not None:
            structlog.configure(**self.logs)
