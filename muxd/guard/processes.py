"""Processes as the system shows them in ``/proc``: who is below whom, and what a process does.

Where there is no ``/proc`` nothing is known, and nothing below is ended: the daemon then takes
away what is left at its next start.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

__all__ = [
    "adopt_orphans",
    "children",
    "die_with_parent",
    "end",
    "is_stopped",
    "processor_delay",
]

SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36


def adopt_orphans() -> None:
    """From now on what is orphaned below this process becomes its child. Kept by an exec."""
    _prctl(SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent, `parent`, ends; at once if that is gone already."""
    _prctl(SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def children(parent: int) -> set[int]:
    """The children of a process, and theirs, and so on."""
    below: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            fields = _stat(name) if name.isdigit() else None
            if fields is not None:
                below.setdefault(int(fields[1]), []).append(int(name))
    found: set[int] = set()
    todo = [parent]
    while todo:
        for child in below.get(todo.pop(), ()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def end(spared: set[int], *, bound: float = 5.0) -> bool:
    """Kill everything below this process but `spared` and what is below them. Reaps what died.

    Returns:
      True if all of it is gone; False if some was not within `bound` seconds.
    """
    until = time.monotonic() + bound
    while True:
        reap()
        kept = set(spared).union(*map(children, spared))
        left = children(os.getpid()) - kept
        if not left:
            return True
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            return False
        time.sleep(0.02)  # orphans change their parent one by one: there is no event for the last


def reap() -> dict[int, int]:
    """Take note of all children that ended: {process: status as of `os.waitpid`}. Never blocks."""
    found = {}
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found[ended[0]] = ended[1]
    return found


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped (Ctrl-Z, SIGSTOP) or held by a debugger."""
    fields = _stat(str(pid))
    return fields is not None and fields[0] in ("T", "t")


def processor_delay(pid: int) -> float:
    """How long the main thread of a process has waited for a processor, seconds; 0 if unknown."""
    try:
        with open(f"/proc/{pid}/task/{pid}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _stat(pid: str) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` from the state on; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None
