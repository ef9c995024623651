"""Who holds the profile directory: nobody, a leftover of a dead muxd, or somebody else."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from typing import TYPE_CHECKING

import psutil
import structlog
import trio

from muxd.browser.processes import (
    WatchedProcess,
    browsers_of_profile,
    is_browser_of,
    kill_group,
)
from muxd.errors import ProfileInUse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = [
    "claim_profile",
    "driven",
    "kill_browsers_of",
    "note_lock",
    "nothing_left_of",
    "release_profile",
]

_DRIVEN = ("--remote-debugging-", "-juggler-pipe", "--inspector-pipe")
"""How Chromium, Firefox and WebKit are told that a driver has them."""
_LOCKS = ("SingletonLock", "SingletonSocket", "SingletonCookie")


def claim_profile(profile: Path) -> list[int]:
    """Make the profile free to be used by a new browser of ours.

    To be called only by who holds the state directory's lock: then a browser that Playwright
    drives on this profile is a leftover of a muxd that died, and is killed with all its helpers.
    A lock that no live process holds is removed; also one of another machine, if `note_lock` has
    noted it: the name of a container, say, is a new one each time.

    Returns:
      The processes that were killed.

    Raises:
      ProfileInUse: a browser that no muxd started holds it (somebody opened it by hand), or it
        is held on another machine.
    """
    killed = []
    for process in browsers_of_profile(profile):
        try:
            if not driven(process):
                raise ProfileInUse(
                    f"the browser profile {profile} is in use by process {process.pid}, "
                    "which muxd did not start: close that browser"
                )
            leftovers = [process]
            parent = process.parent()
            if parent is not None and "run-driver" in parent.cmdline():
                leftovers.append(parent)  # a driver that was stopped and could not follow
            kill_group(WatchedProcess.of(process))
            for leftover in leftovers[1:]:
                leftover.kill()
            psutil.wait_procs(leftovers, timeout=5)
        except psutil.NoSuchProcess:
            continue
        killed.append(process.pid)
        structlog.get_logger().warning("killed a browser left by a dead muxd", pid=process.pid)
    _remove_stale_lock(profile)
    # Until the browser that is launched now is up, and its lock is noted, any of this machine is ours.
    with contextlib.suppress(OSError):  # the disk is full
        _note(profile).write_text(f"{socket.gethostname()}-")
    return killed


def driven(process: psutil.Process) -> bool:
    """Whether a driver has this browser: on muxd's profile, muxd's own. Raises as psutil does."""
    return any(part.startswith(_DRIVEN) for part in process.cmdline())


def note_lock(profile: Path) -> None:
    """Note that the lock which is on the profile now is of a browser that muxd launched.

    So that it can be told from somebody else's by a muxd that finds the machine with another name.
    """
    with contextlib.suppress(OSError):  # a full disk; or it is no Chromium, which has no such lock
        _note(profile).write_text(os.readlink(profile / "SingletonLock"))


def _note(profile: Path) -> Path:
    return profile.with_name("profile.lock")


def _is_noted(profile: Path, host: str, pid: str) -> bool:
    try:
        noted = _note(profile).read_text()
    except (OSError, ValueError):
        return False
    return noted in (f"{host}-{pid}", f"{host}-")


def _remove_stale_lock(profile: Path) -> None:
    try:
        host, _, pid = os.readlink(profile / "SingletonLock").rpartition("-")
    except OSError:
        return
    if host != socket.gethostname():
        if _is_noted(profile, host, pid):
            # The muxd that noted it is dead, as its state directory is ours; so is its browser: one
            # that lives on this machine, whatever it was called, has been killed above.
            release_profile(profile)
            return
        raise ProfileInUse(
            f"the browser profile {profile} is locked by a browser on the machine {host!r}: "
            f"close it there; if it is gone for good, delete {profile / 'SingletonLock'}"
        )
    if pid.isdigit() and _may_hold(int(pid), profile):
        raise ProfileInUse(
            f"the browser profile {profile} is in use by process {pid}: close that browser"
        )
    release_profile(profile)


def release_profile(profile: Path) -> None:
    """Remove the locks of a browser that is dead, and the directory of its socket.

    A browser that ends by itself does so; one that was killed can't.
    """
    with contextlib.suppress(OSError):
        socket_dir = (profile / "SingletonSocket").readlink().parent
        if socket_dir.name.startswith(("org.chromium.", ".org.chromium.", "com.google.Chrome")):
            shutil.rmtree(socket_dir, ignore_errors=True)
    for name in _LOCKS:
        with contextlib.suppress(FileNotFoundError):
            (profile / name).unlink()


def kill_browsers_of(profile: Path) -> None:
    """SIGKILL every browser on the profile, which must be ours. Never raises."""
    for process in browsers_of_profile(profile):
        with contextlib.suppress(psutil.NoSuchProcess):
            kill_group(WatchedProcess.of(process))


@contextlib.asynccontextmanager
async def nothing_left_of(profile: Path) -> AsyncIterator[None]:
    """If it raises inside, no browser is left on the profile, nor the locks of one.

    For what is outside of the driver's life: a launch that is cut off may start a browser still.
    """
    try:
        yield
    except BaseException:
        kill_browsers_of(profile)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(release_profile, profile)
        raise


def _may_hold(pid: int, profile: Path) -> bool:
    """True if the process lives and is, or can't be seen not to be, a browser on this profile."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and is_browser_of(profile, process)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
