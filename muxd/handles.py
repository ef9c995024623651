"""File handles: which there are, and which of them runs have left."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

from muxd._timerfd import armed
from muxd.children import pythons_own_handles
from muxd.left import GRAVE

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["IN_A_ROW", "Handle", "LeftHandles", "accepted", "described", "open_handles"]

IN_A_ROW = 3
"""So many runs of a job, one after another, that each left file handles which stay open, are harm."""
Handle = tuple[int, int, int]
"""A file handle: its number, and the device and inode of what it is open on."""


class LeftHandles:
    """The file handles that runs have left, by job.

    They are counted only. Whoever closes another's handle has it closed twice in the end, and the
    second time the number may be somebody else's: the ledger's, or the browser's.
    """

    def __init__(self) -> None:
        # {job: of each of its last runs in a row that left some, those}
        self._left: dict[str, list[frozenset[Handle]]] = {}

    def forget_closed(self, now: frozenset[Handle]) -> None:
        """Of what runs have left only what is open still is of interest."""
        for job, runs in self._left.items():
            self._left[job] = [still for run in runs if (still := run & now)]

    def judge(self, job: str, new: frozenset[Handle], *, sure: bool) -> int:
        """How many file handles are harm of this job's: those that its runs left and still are.

        Args:
          job: its name.
          new: what this run has left.
          sure: it will not be closed with the next garbage.

        One or two may be anybody's: a connection that came while the run was in progress.
        """
        row = self._left.pop(job, [])
        if not new:
            return 0  # those before were not in a row
        self._left[job] = [*row, new][-IN_A_ROW:]
        told = [*row, new] if sure else row
        together = sum(map(len, told))
        return together if len(told) >= IN_A_ROW or together >= GRAVE["file handle"] else 0


def open_handles() -> frozenset[Handle]:
    """The file handles of this process, but for Python's own and muxd's alarms on the clock.

    Empty where that can't be seen.
    """
    found = []
    numbers = {int(number) for number in _listed("/proc/self/fd")}
    for number in numbers - pythons_own_handles() - armed:
        with contextlib.suppress(OSError):  # the one that lists them
            status = os.fstat(number)
            found.append((number, status.st_dev, status.st_ino))
    return frozenset(found)


def accepted(some: Iterable[Handle], now: Iterable[Handle]) -> set[Handle]:
    """Those of some handles that are connections to a server in this process.

    They come and go with its clients: a browser that shows a dashboard is no leak of a run's.
    """
    names = {handle: name for handle in some if (name := _socket_name(handle[0])) is not None}
    if not names:
        return set()
    servers = {_socket_name(number, listening=True) for number, _, _ in now}
    return {handle for handle, name in names.items() if name in servers or _any(name) in servers}


def _socket_name(number: int, *, listening: bool = False) -> Any:
    """The local address of a socket; None if it is none, has none, or does not listen."""
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return None
        with socket.socket(fileno=os.dup(number)) as twin:
            accepts = bool(twin.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
            return (twin.getsockname() or None) if accepts == listening else None
    except OSError:
        return None


def _any(name: Any) -> Any:
    """The address of a server that listens on all of them, for one of its connections' own."""
    if not isinstance(name, tuple):
        return None
    return ("0.0.0.0" if "." in name[0] else "::", *name[1:])


def described(number: int) -> str:
    """What a handle is open on."""
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return "?"


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
