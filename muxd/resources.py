"""What memory and disk are left, for this process and what it starts.

Plain readers over a root directory, so that a test can give a machine made of files. On Linux they
heed the limits of the control groups (cgroups) that the process is in, of both versions: in a
container the machine's own free memory says nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FreeDisk", "free_disk", "free_memory"]

_UNLIMITED = 1 << 60
"""A limit above this, bytes, is none: version 1 writes the largest number that it can."""


@attrs.frozen
class FreeDisk:
    """What is left on a file system, for whoever asks."""

    size: int
    """Bytes."""
    inodes: int | None
    """How many more files; None where the file system makes them as needed."""


def free_disk(path: Path) -> FreeDisk:
    """What is left where `path` is. On a disk that is dead it never returns: call it in a thread.

    Raises:
      OSError: it can't be told, as when `path` is gone.
    """
    found = os.statvfs(path)
    return FreeDisk(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def free_memory(root: Path = Path("/")) -> int | None:
    """How much more memory may be taken before the kernel kills somebody for it.

    The least of what the machine has available and what each cgroup, from this process's own to the
    topmost, leaves of its limit; the part of its file cache that is not in use counts as left.

    Args:
      root: where ``proc`` and ``sys`` are.

    Returns:
      Bytes, 0 or more; None if nothing tells.
    """
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):  # of mounts that look like none that we know
        for left in _left_in_groups(root):
            found.append(left)  # noqa: PERF402 - what came before the mistake counts
    with contextlib.suppress(OSError, ValueError, KeyError):
        found.append(_numbers(root / "proc/meminfo")["MemAvailable"] * 1024)
    if not found and root == Path("/"):  # not on Linux, or no file can be opened
        with contextlib.suppress(OSError, ValueError, KeyError, psutil.Error):
            found.append(int(psutil.virtual_memory().available))
    return max(0, min(found)) if found else None


def _left_in_groups(root: Path) -> Iterator[int]:
    for version, top, group in _memory_groups(root):
        while True:
            with contextlib.suppress(OSError, ValueError):
                left = _left_v2(group) if version == 2 else _left_v1(group)
                if left is not None:
                    yield left
            if group == top:
                break
            group = group.parent


def _memory_groups(root: Path) -> Iterator[tuple[int, Path, Path]]:
    """The hierarchies that count memory: version, topmost group that is to be seen, our group."""
    try:
        lines = (root / "proc/self/cgroup").read_text(errors="replace").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return
    ours: dict[int, str] = {}
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            ours[2] = path
        elif "memory" in controllers.split(","):
            ours[1] = path
    for line in mounts:
        before, _, after = line.partition(" - ")
        kind, options = after.partition(" ")[0], after.rpartition(" ")[2].split(",")
        version = {"cgroup2": 2, "cgroup": 1 if "memory" in options else 0}.get(kind, 0)
        if version not in ours:
            continue
        shown, place = (_unescaped(field) for field in before.split()[3:5])
        top = root / place.lstrip("/")
        # In a container without a namespace of its own, our group is named from the machine's top,
        # and the mount shows only what is below some group.
        below = os.path.relpath(ours.pop(version) or "/", shown)
        group = top / below
        yield version, top, top if below.startswith("..") or not group.is_dir() else group


def _left_v2(group: Path) -> int | None:
    """None: no limit. Above ``memory.high`` a group is slowed down until it crawls."""
    limits = []
    for name in ("memory.max", "memory.high"):
        with contextlib.suppress(FileNotFoundError):
            text = (group / name).read_text().strip()
            if text != "max":
                limits.append(int(text))
    if not limits:
        return None
    used = int((group / "memory.current").read_text())
    return min(limits) - used + _cache(group, "inactive_file")


def _left_v1(group: Path) -> int | None:
    limit = int((group / "memory.limit_in_bytes").read_text())
    if limit >= _UNLIMITED:
        return None
    used = int((group / "memory.usage_in_bytes").read_text())
    return limit - used + _cache(group, "total_inactive_file")


def _cache(group: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return _numbers(group / "memory.stat").get(name, 0)
    return 0


def _numbers(file: Path) -> dict[str, int]:
    """The first number after each name."""
    found = {}
    for line in file.read_text().splitlines():
        name, value, *_ = line.replace(":", " ").split()
        found[name] = int(value)
    return found


def _unescaped(text: str) -> str:
    """A path as mountinfo writes it: blanks and the like as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
