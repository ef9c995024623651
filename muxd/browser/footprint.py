"""How much the browser takes: its driver, itself and all its helpers."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import psutil

__all__ = ["process_memory", "tree_cpu", "tree_memory"]

_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


def tree_memory(pid: int) -> int | None:
    """What the browser with this main process, and the driver above it, take together.

    Pages that several of them share are counted once (`process_memory`). It takes some 20 ms, on a
    busy machine up to a second, as the kernel walks their pages: to be called in a thread.

    Returns:
      Bytes; None if the browser is gone.
    """
    found = [size for each in _tree(pid) if (size := _memory(each)) is not None]
    return sum(found) if found else None


def tree_cpu(pid: int) -> float:
    """The CPU time of the browser with this main process, its driver and its helpers, seconds.

    Helpers that have ended count, if they have been waited for. 0 if the browser is gone.
    """
    total = 0.0
    for process in _tree(pid):
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total


def _tree(pid: int) -> list[psutil.Process]:
    """The browser with this main process, the driver above it, all below; none if it is gone."""
    try:
        browser = psutil.Process(pid)
        driver = browser.parent()
        root = driver if driver is not None and driver.ppid() == os.getpid() else browser
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def process_memory(folder: Path) -> int:
    """One process's share of memory, bytes.

    The proportional set size (PSS), where that may be read. The kernel hides it for processes that
    can't be debugged, as the renderers in Chromium's sandbox are, except from root: of those it is
    what is theirs alone, which is a little less.

    Args:
      folder: the process's, ``/proc/PID``.

    Raises:
      OSError: it is gone, or there is no such file system here.
      ValueError: it is about to be gone.
    """
    with contextlib.suppress(PermissionError, FileNotFoundError):
        found = _PSS.search((folder / "smaps_rollup").read_bytes())
        if found:
            return int(found[1]) * 1024
    _, resident, shared, *_ = (folder / "statm").read_text().split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _memory(process: psutil.Process) -> int | None:
    try:
        return process_memory(Path("/proc") / str(process.pid))
    except (OSError, ValueError):
        with contextlib.suppress(psutil.Error):
            return int(process.memory_info().rss)  # not on Linux
        return None
