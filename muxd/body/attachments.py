"""The files that a body leaves with its run: `Run.artifact`."""

from __future__ import annotations

import contextlib
import re
import stat
import threading
from typing import TYPE_CHECKING

import structlog

from muxd.artifacts import EVIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from muxd.artifacts import Artifacts

__all__ = ["LARGEST", "MOST", "MOST_FILES", "Attachments"]

LARGEST = 50_000_000
"""Bytes of one file at most."""
MOST = 200_000_000
"""Bytes of all files of a run at most."""
MOST_FILES = 1000
"""How many files of a run are kept at most."""
_TOLD = 10
"""How many files that are not kept are told one by one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Attachments:
    """What one run's body writes, put aside until the run is over. For any thread."""

    def __init__(self, artifacts: Artifacts, run_id: str) -> None:
        """Nothing is made before the first path is asked for."""
        self._artifacts, self._run_id = artifacts, run_id
        self._stack = contextlib.ExitStack()  # the folder, until what is in it is kept
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._asked: dict[str, None] = {}
        self._closed = False
        self.kept: frozenset[str] = frozenset()
        """The names of the files that are kept with the run, once they are."""

    def path(self, name: str) -> Path:
        """Where the file of this name is to be written; the same for the same name.

        Raises:
          ValueError: the name is no plain one, or one that muxd's evidence has.
          RuntimeError: the run is over.
          OSError: the folder can't be made.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name for an artifact: give a plain file name of letters, digits, "
                "'.', '_' and '-', at most 100, which begins with a letter or digit; no folders"
            )
        if name.lower() in EVIDENCE:
            raise ValueError(f"the name {name!r} is taken by muxd's evidence: give another")
        with self._lock:
            if self._closed:
                raise RuntimeError("the run is over: nothing can be kept with it any more")
            if self._folder is None:
                self._folder = self._stack.enter_context(self._artifacts.workshop())
            self._asked[name] = None
            return self._folder / name

    def close(self) -> None:
        """Give out no further path. Never blocks."""
        self._closed = True

    @property
    def used(self) -> bool:
        """Whether there may be anything to be kept."""
        return self._folder is not None

    def keep(self) -> None:
        """Keep with the run what there is, within the bounds; what is not kept is logged. Blocks.

        Raises:
          OSError: the disk is full or the like; nothing is kept then.
        """
        self.close()
        with self._lock, self._stack:
            if self._folder is None:
                return
            self._folder.chmod(0o700)  # whatever the body has done to it
            dropped = dict(self._sort_out(self._folder))
            names = frozenset(path.name for path in self._folder.iterdir())
            if names:
                self._artifacts.add(self._run_id, self._folder)
            self.kept = names
        log = structlog.get_logger()
        for name in list(dropped)[:_TOLD]:
            log.warning("an artifact is not kept", file=name[:200], reason=dropped[name])
        if len(dropped) > _TOLD:
            log.warning("more artifacts are not kept", files=len(dropped) - _TOLD)

    def _sort_out(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Take out of the folder what is not to be kept; tells each name, and why."""
        size = files = 0
        names = {path.name: path for path in sorted(folder.iterdir())}
        # What was asked for comes first, in that order, before what a body has put beside it.
        order = {name: place for place, name in enumerate(self._asked)}
        for name in sorted(names, key=lambda name: order.get(name, len(order))):
            path = names[name]
            try:
                found = path.stat(follow_symlinks=False)
            except FileNotFoundError:  # a thread of the body's goes on
                continue
            reason = None
            if not stat.S_ISREG(found.st_mode):
                reason = "it is no plain file"
            elif not _NAME.fullmatch(name) or name.lower() in EVIDENCE:
                reason = "its name is none for an artifact"
            elif found.st_size > LARGEST:
                reason = f"it has {found.st_size} bytes, more than {LARGEST}"
            elif size + found.st_size > MOST:
                reason = f"the run's artifacts would have more than {MOST} bytes"
            elif files == MOST_FILES:
                reason = f"the run has more than {MOST_FILES} artifacts"
            if reason is None:
                path.chmod(0o600)
                size += found.st_size
                files += 1
            else:
                yield name, reason
                self._artifacts.remove(path)
