"""Processes that runs leave running: found wherever they have gone, and ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import TYPE_CHECKING, Self

import attrs
import psutil
import trio

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from muxd.origins import Origins

__all__ = [
    "BROWSER_MARK",
    "Children",
    "Leftover",
    "adopting",
    "pythons_own_handles",
    "signal_trees",
    "wait_dead",
]

BROWSER_MARK = "MUXD_BROWSER"
"""In the environment of a browser and its driver: they are no run's."""

_SET_SUBREAPER, _GET_SUBREAPER = 36, 37  # of prctl(2)


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Have orphans among our descendants become our children, where the system can do that.

    A process that puts itself into the background would otherwise be out of sight. Linux only.
    """
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    before = ctypes.c_int()
    prctl(_GET_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_SET_SUBREAPER, before.value, 0, 0, 0)


@attrs.frozen
class Leftover:
    """A process, told from a later one with the same number by when it was started."""

    pid: int
    started: int
    """In the system's ticks since it was booted; 0 where that isn't known."""
    dead: bool = attrs.field(eq=False)
    """It has ended, and nobody has asked how."""

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """What the system says of it; None if it is gone."""
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            return cls(pid, int(fields[19]), fields[0] in b"ZX")
        except FileNotFoundError:
            if os.path.exists("/proc/self/stat"):
                return None
        except ProcessLookupError:
            return None
        try:
            return cls(pid, 0, psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return None


class Children:
    """Our child processes, and which of them are whose."""

    def __init__(self, origins: Origins) -> None:
        """Take those that there are now as no run's."""
        self._origins = origins
        origins.spare(_children_of("self"))

    def now(self) -> frozenset[Leftover]:
        """All that there are."""
        pids = _children_of("self")
        self._origins.forget_all_but(pids)
        return frozenset(filter(None, map(Leftover.of, pids)))

    def groups(self, some: Iterable[Leftover]) -> set[int]:
        """The process groups and sessions of these and of their children; ours is not among them.

        The browser is a child of its driver, and has a session of its own.
        """
        found: set[int] = set()
        for each in some:
            for pid in (each.pid, *_children_of(each.pid)):
                found |= _groups_of(pid)
        return found - _groups_of(os.getpid())

    def strangers(
        self, before: Collection[Leftover], groups: Collection[int] = ()
    ) -> list[Leftover]:
        """Those that a run has left: they are new, and known to be nobody else's.

        Args:
          before: those that there were before the run.
          groups: the groups and sessions that there were.
        """
        return [
            each
            for each in self.now()
            if each not in before
            and _groups_of(each.pid).isdisjoint(groups)
            and not self._origins.is_others(each.pid)
            and each.pid not in _pythons_own()
            and not _is_browsers(each)
        ]

    def reap(self, some: Iterable[Leftover]) -> None:
        """Ask how those that are dead have ended, so that they are no more.

        Only for what no run has started and nobody waits for, and for what a run has left: whoever
        else waits would be told nothing of how it ended.
        """
        for each in some:
            if each.dead and not self._origins.is_others(each.pid):
                with contextlib.suppress(OSError):
                    os.waitpid(each.pid, os.WNOHANG)


def signal_trees(roots: Iterable[Leftover], number: int) -> set[int]:
    """Send a signal to processes, all below them, and the groups that they lead.

    Returns the pids of the live processes that it was for. Never blocks, never raises.
    """
    pids = {pid for each in roots if not each.dead for pid in (each.pid, *_below(each.pid))}
    ours = os.getpgrp()
    for pid in pids:
        with contextlib.suppress(OSError):  # it is gone, or another user's
            if os.getpgid(pid) == pid != ours:
                os.killpg(pid, number)
            os.kill(pid, number)
    return pids


async def wait_dead(some: Iterable[Leftover]) -> None:
    """Return when all of them have ended. Unbounded; nothing changes when cancelled."""
    async with trio.open_nursery() as nursery:
        for each in some:
            if not each.dead:
                nursery.start_soon(_wait_dead, each.pid)


async def _wait_dead(pid: int) -> None:
    if not hasattr(os, "pidfd_open"):
        with contextlib.suppress(psutil.Error):
            wait = psutil.Process(pid).wait
            await trio.to_thread.run_sync(wait, abandon_on_cancel=True)
        return
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(fd)
    finally:
        os.close(fd)


def _groups_of(pid: int) -> set[int]:
    """The process group and the session of a process; empty if it is gone."""
    try:
        return {os.getpgid(pid), os.getsid(pid)}
    except OSError:
        return set()


def _children_of(pid: int | str) -> list[int]:
    """The direct children of a process; empty if it is gone."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with (
                contextlib.suppress(FileNotFoundError, ProcessLookupError),
                open(f"/proc/{pid}/task/{thread}/children", "rb") as file,
            ):
                found += map(int, file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    else:
        return found
    with contextlib.suppress(psutil.NoSuchProcess):
        found = [c.pid for c in psutil.Process(None if pid == "self" else int(pid)).children()]
    return found


def _below(pid: int) -> list[int]:
    """All descendants of a process."""
    found: list[int] = []
    ahead = _children_of(pid)
    while ahead:
        child = ahead.pop()
        if child not in found:
            found.append(child)
            ahead += _children_of(child)
    return found


def _pythons_own() -> set[int]:
    """The helpers that multiprocessing starts once, and keeps for whoever uses it next."""
    tracker = getattr(sys.modules.get("multiprocessing.resource_tracker"), "_resource_tracker", 0)
    server = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", 0)
    pids = getattr(tracker, "_pid", None), getattr(server, "_forkserver_pid", None)
    return {pid for pid in pids if pid}


def pythons_own_handles() -> set[int]:
    """The file handles to those helpers."""
    tracker = getattr(sys.modules.get("multiprocessing.resource_tracker"), "_resource_tracker", 0)
    server = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", 0)
    numbers = getattr(tracker, "_fd", None), getattr(server, "_forkserver_alive_fd", None)
    return {number for number in numbers if number is not None}


def _is_browsers(each: Leftover) -> bool:
    """True if it was started with `BROWSER_MARK`: the orphan of a driver that has died.

    One that is about to die shows nothing any more, and so may be: those that a run has left are
    found again when they are dead.
    """
    if each.dead:
        return False
    try:
        if psutil.LINUX:
            os.readlink(f"/proc/{each.pid}/exe")
        return BROWSER_MARK in psutil.Process(each.pid).environ()
    except FileNotFoundError:
        return True
    except (psutil.Error, OSError):
        return False
