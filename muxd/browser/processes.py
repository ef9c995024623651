"""The processes behind Playwright: found, watched, and killed for certain.

There are two that matter: the *driver* (Playwright's node process, a child of ours) and the
*browser* (a child of the driver that leads a process group of its own with all its helpers).
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Self

import attrs
import psutil
import trio

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WatchedProcess", "browsers_of_profile", "children_of", "is_browser_of", "kill_group"]


_PROFILE_FLAG = "--user-data-dir="
_FIREFOX_FLAG = "-profile"


@attrs.frozen
class WatchedProcess:
    """A process, told from a later one with the same number by its time of creation."""

    pid: int
    created: float
    """Unix seconds, as the system gives it."""

    @classmethod
    def of(cls, process: psutil.Process) -> Self:
        """For a live process. Raises `psutil.NoSuchProcess` if it is gone."""
        return cls(process.pid, process.create_time())

    def alive(self) -> bool:
        """True while it runs; a zombie doesn't."""
        try:
            process = psutil.Process(self.pid)
            return (
                process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False

    async def wait_death(self) -> None:
        """Return when it has ended. Nothing changes if this is cancelled."""
        if not hasattr(os, "pidfd_open"):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(self.pid)
                await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
            return
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive():
                await trio.lowlevel.wait_readable(fd)
        finally:
            os.close(fd)

    def kill(self) -> None:
        """SIGKILL it. Nothing happens if it is gone. Never blocks."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)


def children_of(pid: int) -> list[psutil.Process]:
    """The direct children of a process; empty if it is gone."""
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def kill_group(leader: WatchedProcess) -> None:
    """SIGKILL the browser and every helper in its process group. Never blocks, never raises.

    Helpers are killed by the group's number also when the leader is gone, unless the number has
    become ours.
    """
    if leader.pid > 1 and leader.pid != os.getpgrp():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader.pid, signal.SIGKILL)
    leader.kill()


def is_browser_of(profile: Path, process: psutil.Process) -> bool:
    """True if it is the main process of a browser that runs on this profile directory.

    Raises:
      psutil.NoSuchProcess: it is gone.
      psutil.AccessDenied: it is another user's and its command line can't be seen.
    """
    line = process.cmdline()
    if any(part.startswith(("--type=", "-contentproc")) for part in line):
        return False
    given = [part.partition("=")[2] for part in line if part.startswith(_PROFILE_FLAG)]
    if _FIREFOX_FLAG in line[:-1]:
        given.append(line[line.index(_FIREFOX_FLAG) + 1])
    if not given:
        return False
    place = os.path.join(process.cwd(), given[-1]) if given[-1][:1] != "/" else given[-1]
    return os.path.realpath(place) == os.path.realpath(profile)


def browsers_of_profile(profile: Path) -> list[psutil.Process]:
    """The main processes of all browsers that run on this profile directory, whoever's they are.

    Those of other users whose command lines can't be seen are not among them.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if is_browser_of(profile, process):
                found.append(process)
    return found
