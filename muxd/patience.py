"""A bound on calls of other people's code, also of code that never returns."""

from __future__ import annotations

import faulthandler
import os
import shlex
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from muxd.guard.processes import processor_delay
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    TraceFunction = Callable[[FrameType, str, Any], Any]

__all__ = ["OutOfPatience", "patiently"]

_T = TypeVar("_T")
_AGAIN = 0.25
"""It is raised again so soon where it was swallowed, seconds: time enough to clean up."""
_POLITELY = 5
"""So many times the alarm alone raises it; from then on the next line of code does so, too."""
_WAITED = 2.5
"""How much longer a call may take at most that had to wait for a processor, seconds."""
_LAST, _AT_LEAST = 3, 5.0
"""How many times its patience a call may go on that can't be interrupted, and the least seconds
beyond it: a process is not ended because the machine is busy."""


class OutOfPatience(BaseException):
    """A call took longer than was allowed. No `Exception`: plugins swallow those."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"took longer than {format_duration(seconds)}")


def patiently(seconds: float, plugin: str, hook: str, call: Callable[[], _T]) -> _T:
    """What `call` returns or raises, if that takes no longer than `seconds`.

    An alarm of the system raises `OutOfPatience` in the call, wherever that is: in Python, in a
    sleep, waiting for a lock or a socket; again and again, should it be swallowed. It leaves no
    thread behind. A call that even so has not ended after three times `seconds` is in foreign
    code that can't be interrupted: the process is ended, with one message that names the plugin
    and the way out.

    Only the main thread can be interrupted so; in others the call is made without a bound. A
    timer and a handler for SIGALRM that were there before go on afterwards.

    Args:
      seconds: real seconds, above 0; those in which the system had no processor for it don't count,
        up to 2.5 of them.
      plugin: whose code is called.
      hook: the hook, or ``import``; both for the message.
      call: what to call.

    Raises:
      OutOfPatience: it took too long.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    rest, again = signal.setitimer(signal.ITIMER_REAL, 0)
    started = time.monotonic()
    alarm = _Alarm(seconds)
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        with _LastResort(max(seconds * _LAST, seconds + _AT_LEAST), plugin, hook):
            signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
            return alarm.inside(call)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
        if rest:
            left = max(rest - (time.monotonic() - started), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, again)


class _Alarm:
    """The handler of SIGALRM; raises in the call and nowhere else."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began, self._waited = time.monotonic(), processor_delay(os.getpid())
        self._times = 0
        self._tracer = sys.gettrace()
        self._report: Callable[[sys.UnraisableHookArgs], object] = sys.unraisablehook

    def inside(self, call: Callable[[], _T]) -> _T:
        """Its frame tells whether an alarm is still in time."""
        self._report, sys.unraisablehook = sys.unraisablehook, self._pass_over
        try:
            return call()
        finally:
            if sys.unraisablehook == self._pass_over:
                sys.unraisablehook = self._report
            if self._times > _POLITELY:
                sys.settrace(self._tracer)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        ours = _Alarm.inside.__code__
        frames: list[FrameType] = []
        while frame is not None and not (frame.f_code is ours and frame.f_locals["self"] is self):
            frames.append(frame)
            frame = frame.f_back
        if frame is None:
            return
        if not self._times and (left := self._left()) > 0.01:
            signal.setitimer(signal.ITIMER_REAL, left, _AGAIN)  # it is the machine that is slow
            return
        self._times += 1
        if self._times > _POLITELY:
            # In a loop that swallows what the alarm raises in its `try`, the line of the `except`
            # is outside of that.
            for frame in frames:
                frame.f_trace = self._trace
            sys.settrace(_no_trace)  # without a tracer those of frames rest
        raise OutOfPatience(self._seconds)

    def _left(self) -> float:
        """How much of its patience is left if waiting for a processor does not count, seconds."""
        waited = min(processor_delay(os.getpid()) - self._waited, _WAITED)
        return self._seconds + waited - (time.monotonic() - self._began)

    def _pass_over(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Where the alarm meets a finaliser the interpreter swallows it: it comes again."""
        if unraisable.exc_type is not OutOfPatience:
            self._report(unraisable)

    def _trace(self, frame: FrameType, event: str, argument: object) -> TraceFunction:
        if event == "line":  # at "exception" it would be within the `try`
            raise OutOfPatience(self._seconds)
        return self._trace


def _no_trace(frame: FrameType, event: str, argument: object) -> None:
    """Traces no new frame."""


class _LastResort:
    """Ends the process after `seconds`, unless it is left before.

    A thread says why in a line; where foreign code has the interpreter for itself, so that no
    thread gets to run, the interpreter's own watchdog shows its stack.
    """

    def __init__(self, seconds: float, plugin: str, hook: str) -> None:
        self._seconds = seconds
        self._message = (
            f"muxd: plugin {plugin!r} hangs in {hook} and can't be interrupted: "
            f"leave it out with `muxd plugins disable {shlex.quote(plugin)}`"
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="muxd patience", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()
        faulthandler.dump_traceback_later(self._seconds + 1, exit=True, file=2)

    def __exit__(self, *_: object) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        # What the plugin did to sys.stderr does not matter to the descriptor.
        if not self._over.wait(self._seconds):
            os.write(2, f"{self._message}\n".encode(errors="backslashreplace"))
            os._exit(1)
