"""The daemon's place while there is none, because the next start has to wait."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LOCK_NAME", "in_place_of_the_daemon"]

LOCK_NAME = "muxd.lock"
"""In the state directory; see `muxd.state`."""


@contextlib.contextmanager
def in_place_of_the_daemon(state_dir: str) -> Iterator[None]:
    """Hold the state directory's lock, as a daemon that is only starting does.

    So `muxd stop` finds whom to tell, and another `muxd start` does not come in between. If the
    lock can't be had, it is left.
    """
    path = os.path.join(state_dir, LOCK_NAME)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield
            return
        with contextlib.suppress(OSError):  # the disk is full: the lock holds all the same
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()} daemon\n".encode(), 0)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)
    finally:
        os.close(fd)
