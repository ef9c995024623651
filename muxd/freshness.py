"""Whether the code of a plugin has changed since it was loaded, and how what was is forgotten."""

from __future__ import annotations

import contextlib
import importlib
import os
import site
import sys
import sysconfig
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import ModuleType

    Print = Mapping[str, tuple[int, int, int]]

__all__ = ["Prints", "find_new_paths", "forget", "is_as_it_was", "put_back", "root_of"]

MOST = 1_000
"""How many files of a jobs directory are looked at for those that others may import."""


def root_of(module: str) -> str | None:
    """The package that is loaded and forgotten together with a module; None: muxd's own, never."""
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        found = sys.modules.get(name)
        # A namespace package, which has no file, may be shared with other distributions.
        if found is None or getattr(found, "__file__", None) is not None:
            return None if name == "muxd" else name
    return module


def modules_of(roots: Iterable[str]) -> dict[str, ModuleType]:
    """The modules of these packages that are loaded."""
    wanted = tuple(roots)
    return {
        name: module
        for name, module in list(sys.modules.items())
        if any(name == root or name.startswith(f"{root}.") for root in wanted)
    }


def print_of(files: Iterable[str | Path | None]) -> Print:
    """What tells these files from what they were, or may become. A folder counts as it is itself."""
    found = {}
    for file in files:
        if file is not None:
            try:
                info = os.stat(file)
            except OSError:
                found[str(file)] = (0, 0, 0)
            else:
                found[str(file)] = (info.st_ino, info.st_mtime_ns, info.st_size)
    return found


def is_as_it_was(before: Print | None, now: Print, taken_at: int) -> bool:
    """Whether modules are as they were when the print `before` was taken, nanoseconds since the epoch.

    One that was imported only since, as bodies do it, is so if its file is older than that.
    """
    if before is None or any(now.get(file) != told for file, told in before.items()):
        return False
    return all(0 < now[file][1] <= taken_at for file in now.keys() - before.keys())


@final
class Prints:
    """Takes prints of many plugins, at one time."""

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        self._helpers: dict[Path, Print] = {}

    def of_modules(self, root: str | None, metadata: Path | None) -> Print:
        """Of all loaded modules of a package, and of what says which version is installed."""
        modules = {} if root is None else modules_of([root])
        return print_of([metadata, *(getattr(m, "__file__", None) for m in modules.values())])

    def of_file(self, file: Path) -> Print:
        """Of a file in a jobs directory, with what it may import from there."""
        if file.parent not in self._helpers:
            self._helpers[file.parent] = print_of(_helpers(file.parent))
        return {**self._helpers[file.parent], **print_of([file])}


def _helpers(folder: Path) -> list[Path]:
    found: list[Path] = []
    with contextlib.suppress(OSError):
        found = sorted(folder.rglob("*.py"))[:MOST]
    return [path for path in found if path.parent != folder or path.name.startswith("_")]


def forget(roots: Iterable[str]) -> dict[str, ModuleType]:
    """Have these packages imported anew the next time; gives what was forgotten, for `put_back`."""
    gone = modules_of(roots)
    for name in gone:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return gone


def put_back(modules: Mapping[str, ModuleType]) -> None:
    """Have modules as they were before `forget`."""
    sys.modules.update(modules)


_known: set[tuple[str, int]] | None = None


def find_new_paths() -> None:
    """See what was installed since: distributions, and folders that ``.pth`` files name.

    The first call only takes down what there is.
    """
    global _known
    importlib.invalidate_caches()
    found: set[tuple[str, int]] = set()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if entry.name.endswith(".pth"):
                    found.add((entry.path, entry.stat().st_mtime_ns))
    for path, _ in sorted(found - (found if _known is None else _known)):
        folder, name = os.path.split(path)
        with contextlib.suppress(Exception):  # it is anybody's, and told of at the next start
            site.addpackage(folder, name, None)
    _known = found
