"""The daemon's place: the state directory's lock, which the guard has as well."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import final

__all__ = ["LOCK_NAME", "Place", "sign"]

LOCK_NAME = "muxd.lock"
"""In the state directory; see `muxd.state`."""


@final
class Place:
    """Keeps the state directory for muxd while no daemon lives.

    The system's lock belongs to an open file, and not to a process: the guard has the one that its
    daemon has locked, and gives it to the next. So nobody comes in between, and `muxd stop` always
    finds whom to tell.
    """

    def __init__(self, state_dir: str) -> None:
        """Nothing is held yet."""
        self._path = os.path.join(state_dir, LOCK_NAME)
        self.fd: int | None = None
        """The open file that has the lock; None if the guard has not got it."""

    def share(self, fd: int) -> None:
        """A daemon has the lock, by this open file; it is the guard's, too, from now on."""
        self._close()
        self.fd = fd

    def take(self) -> None:
        """Hold the place as a daemon that is only starting does. If it can't be had, it is left."""
        if self.fd is None or not self._is_in_place(self.fd):
            self._close()
            self.fd = self._lock()
        if self.fd is not None:
            sign(self.fd, os.getpid(), "daemon", os.getpid())

    def leave(self) -> None:
        """Nobody has the place from now on; its file goes if it is still ours."""
        if self.fd is not None and self._is_in_place(self.fd):
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        self._close()

    def _lock(self) -> int | None:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._is_in_place(fd):
                return fd
        os.close(fd)
        return None

    def _is_in_place(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self._path))
        except OSError:
            return False

    def _close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def sign(fd: int, pid: int, role: str, guard: int | None) -> None:
    """Write into a lock file whose it is, over who had it before: readers find either.

    On a full disk nobody can read whose the lock is; it holds all the same.
    """
    text = f"{pid} {role}{'' if guard is None else f' {guard}'}\n".encode()
    try:
        length = os.pwrite(fd, text, 0)
    except OSError:
        length = 0
    with contextlib.suppress(OSError):
        os.ftruncate(fd, length)
