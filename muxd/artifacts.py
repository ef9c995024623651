"""Folders of files that runs left, one a run, with caps: of age, of number, and of size in all."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["EVIDENCE", "Artifacts", "Folder"]

EVIDENCE = frozenset(
    {
        "screenshot.png",
        "page.html",
        "console.txt",
        "network.txt",
        "trace.zip",
        "traceback.txt",
        "blocked.txt",
        "summary.json",
    }
)
"""The names of what muxd itself keeps of a run: see `muxd.evidence`."""
_UNFINISHED = ".unfinished-"


@attrs.frozen
class Folder:
    """What is kept of one run."""

    run_id: str
    path: Path
    size: int
    """Bytes of its files."""
    written_at: float
    """Unix seconds."""


@attrs.define(eq=False)
class Artifacts:
    """A directory of such folders: mode 0700, files 0600. One process writes; any may read.

    A folder appears whole or not at all: it is put together under another name. Methods block, and
    may be called from any thread.
    """

    root: Path
    """Made when the first folder is written."""
    keep: float = 14 * 86_400.0
    """How long a folder is kept, seconds."""
    max_size: int = 500_000_000
    """How much all folders may take, bytes."""
    max_runs: int = 1000
    """How many folders may be there."""
    now: Callable[[], float] = time.time
    """Unix seconds."""
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    @contextlib.contextmanager
    def workshop(self) -> Iterator[Path]:
        """A new private folder for what is not finished; gone when it is left.

        Raises:
          OSError: it can't be made.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def write(
        self, run_id: str, files: Mapping[str, bytes], *, beside_others: bool = False
    ) -> Path:
        """Keep these files for a run, in place of what was there; then `prune`.

        Args:
          run_id: whose they are.
          files: their contents by name.
          beside_others: files of other names that are there already stay.

        Raises:
          OSError: the disk is full or the like; nothing of it is kept then.
        """
        with self.workshop() as folder:
            for name, content in files.items():
                fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(fd, "wb") as file:
                    file.write(content)
            with self._lock:
                place = self.root / run_id
                for name, path in self.files(run_id).items() if beside_others else ():
                    if name not in files:
                        path.rename(folder / name)
                shutil.rmtree(place, ignore_errors=True)
                self._date(folder)
                folder.rename(place)
        self.prune()
        return place

    def add(self, run_id: str, folder: Path) -> Path:
        """Keep the files of a folder of `workshop` with a run, beside those that are there; then `prune`.

        Each file appears whole; where nothing is kept of the run yet, all of them at once.

        Raises:
          OSError: the disk is full or the like.
        """
        with self._lock:
            place = self.root / run_id
            if place.is_dir():
                for path in sorted(folder.iterdir()):
                    path.rename(place / path.name)
                self._date(place)
            else:
                self._date(folder)
                folder.rename(place)
        self.prune()
        return place

    def _date(self, folder: Path) -> None:
        when = self.now()
        os.utime(folder, (when, when))

    def remove(self, path: Path) -> None:
        """Remove what is at this path of a `workshop`, whatever it is, as far as that can be done."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()

    def folders(self) -> list[Folder]:
        """All that are there, oldest first. What can't be read counts as empty."""
        found = []
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self.root) as entries,
        ):
            for entry in entries:
                if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
                    continue
                with contextlib.suppress(FileNotFoundError):  # another process prunes
                    written = entry.stat(follow_symlinks=False).st_mtime
                    path = Path(entry.path)
                    found.append(Folder(entry.name, path, _size(path), written))
        return sorted(found, key=lambda folder: (folder.written_at, folder.run_id))

    def find(self, run_id: str) -> Path | None:
        """The folder of a run, if anything is kept of it."""
        path = self.root / run_id
        plain = run_id not in ("", ".", "..") and "/" not in run_id and not run_id.startswith(".")
        return path if plain and path.is_dir() else None

    def files(self, run_id: str) -> dict[str, Path]:
        """The files that are kept of a run, by name."""
        folder = self.find(run_id)
        if folder is None:
            return {}
        with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
            found = sorted(folder.iterdir())
            return {path.name: path for path in found if path.is_file() and not path.is_symlink()}
        return {}

    def prune(self) -> list[str]:
        """Remove what is too old, too many or too much, oldest first.

        The newest goes only for its age.

        Returns:
          The ids of the runs whose folders were removed.
        """
        removed = []
        with self._lock:
            found = self.folders()
            size, oldest = sum(folder.size for folder in found), self.now() - self.keep
            for number, folder in enumerate(found):
                left = len(found) - number
                too_much = size > self.max_size and left > 1
                if not (left > self.max_runs or too_much or folder.written_at < oldest):
                    break
                shutil.rmtree(folder.path, ignore_errors=True)
                size -= folder.size
                removed.append(folder.run_id)
        return removed

    def make_room(self, *, size: int = 0, files: int = 0) -> list[str]:
        """Remove the oldest folders, until as much is free as is asked for, or none is left.

        Args:
          size: how much, bytes.
          files: how many files.

        Returns:
          The ids of the runs whose folders were removed.
        """
        removed = []
        with self._lock:
            for folder in self.folders():
                if size <= 0 and files <= 0:
                    break
                with contextlib.suppress(OSError):
                    files -= sum(1 for _ in folder.path.iterdir())
                shutil.rmtree(folder.path, ignore_errors=True)
                size -= folder.size
                removed.append(folder.run_id)
        return removed

    def clear_unfinished(self) -> None:
        """Remove what a process that died left unfinished. Only while no other writes."""
        for folder in self.root.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                found = path.stat(follow_symlinks=False)
                total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total
