"""Linux timerfd: an alarm on the wall clock that also rings when somebody sets that clock.

`os.timerfd_create` exists from Python 3.13; on earlier ones the same three calls go through ctypes.
See timerfd_create(2), TFD_TIMER_CANCEL_ON_SET. The kernel rings such a timer on resume too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import math
import os
import sys
import time
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

TFD_TIMER_ABSTIME = 1 << 0
TFD_TIMER_CANCEL_ON_SET = 1 << 1
_FLAGS = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
# An instant that no clock reaches, for those who wait for a ring only. The kernel's own clocks end
# in the year 2262, and time_t is a C long in the calls that are made here.
_NEVER = min(9_000_000_000, 2 ** (8 * ctypes.sizeof(ctypes.c_long) - 1) - 1)


armed: set[int] = set()
"""The file descriptors of all alarms: they come and go while runs are in progress, and are no leak."""


@contextlib.contextmanager
def _closed_on_error(fd: int) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        # ECANCELED: the clock was set while the timer was being armed. It is armed all the same.
        if not (isinstance(error, OSError) and error.errno == errno.ECANCELED):
            os.close(fd)
            raise


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("it_interval", _Timespec), ("it_value", _Timespec))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")
    return result


def open_by_ctypes(deadline_ns: int) -> int:
    """Open and arm a timerfd without `os.timerfd_create`; return its file descriptor."""
    create = getattr(_libc(), "timerfd_create", None)
    settime = getattr(_libc(), "timerfd_settime", None)
    if create is None or settime is None:
        raise OSError(errno.ENOSYS, "no timerfd in this C library")
    fd = _checked(create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC), "timerfd_create")
    seconds, nanoseconds = divmod(deadline_ns, 1_000_000_000)
    value = _Itimerspec(it_value=_Timespec(seconds, nanoseconds))
    with _closed_on_error(fd):
        _checked(settime(fd, _FLAGS, ctypes.byref(value), None), "timerfd_settime")
    return fd


if sys.platform == "linux" and sys.version_info >= (3, 13):

    def open_by_os(deadline_ns: int) -> int:
        """Open and arm a timerfd; return its file descriptor."""
        fd = os.timerfd_create(time.CLOCK_REALTIME, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
        with _closed_on_error(fd):
            os.timerfd_settime_ns(fd, flags=_FLAGS, initial=deadline_ns)
        return fd

    open_timerfd = open_by_os
else:
    open_timerfd = open_by_ctypes


class WallAlarm:
    """An alarm that is armed from its creation and rings at an instant of CLOCK_REALTIME.

    It also rings when the clock is set, or the machine wakes from sleep, after its creation.

    Args:
      deadline: when to ring, Unix seconds; an instant gone by rings at once; `math.inf` never does.

    Raises:
      OSError: the system has no such timers.
    """

    def __init__(self, deadline: float) -> None:
        # Rounded up, so that it never rings before. 0 would mean "disarm" to the kernel.
        seconds = min(max(deadline, 0.0), _NEVER)
        self._fd = open_timerfd(max(math.ceil(seconds * 1e9), 1))
        armed.add(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        armed.discard(self._fd)  # first: the number may be another's as soon as it is closed
        os.close(self._fd)

    async def wait(self) -> None:
        """Wait until it rings. If cancelled, it is still armed."""
        await trio.lowlevel.wait_readable(self._fd)
