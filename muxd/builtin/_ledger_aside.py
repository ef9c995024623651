"""Setting a damaged ledger aside: in steps, each of which may be the last before a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Aside"]

KEPT = 3
"""How many damaged ledgers are kept; older ones are deleted when another is set aside."""
_PARTS = ("-shm", "-wal", "")
"""What belongs to an SQLite file, by what is added to its name. The file itself goes last: where
it still stands, and has not been moved, all that belongs to it may be beside it."""


@attrs.frozen
class Aside:
    """Moves a ledger away, and knows what is still to be done for it.

    A note beside the ledger names where it is moved to. It is written before the first move, and
    removed when all that could be read is in the new ledger: as long as it is there, `move` has the
    rest done. To be used only by who holds the state directory.
    """

    path: Path
    """The ledger."""

    @property
    def fresh(self) -> Path:
        """Where the new ledger is made, before it takes its place."""
        return self._beside("new")

    @property
    def scratch(self) -> Path:
        """Where a copy of a damaged one may be mended, to be read."""
        return self._beside("scratch")

    @property
    def target(self) -> Path | None:
        """Where the ledger is being moved, or was; None if there is nothing to be done."""
        try:
            name = self._note.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return self.path.with_name(name) if name and "/" not in name else None

    @property
    def kept(self) -> list[Path]:
        """The damaged ledgers that were set aside, oldest first."""
        return sorted(self.path.parent.glob(f"{self.path.stem}-damaged-*{self.path.suffix}"))

    def begin(self, now: float) -> Path:
        """Move the ledger away; the moment `now` (Unix seconds) gives it its name.

        Raises:
          OSError: it can't be moved.
        """
        moment, kept = datetime.fromtimestamp(now, UTC), self.kept
        while True:
            target = self._beside(f"damaged-{moment:%Y%m%dT%H%M%SZ}")
            if not kept or target > kept[-1]:  # names are in the order of events
                break
            moment += timedelta(seconds=1)
        draft = self._note.with_name(f"{self._note.name}.new")
        fd = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            os.write(fd, f"{target.name}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        draft.replace(self._note)
        self.sync()
        self.move()
        return target

    def move(self) -> None:
        """Do what is left of the moves, if anything is.

        Raises:
          OSError: it can't be moved.
        """
        target = self.target
        if target is None or target.exists():  # the file itself was the last to be moved
            return
        for part in _PARTS:
            with suppress(FileNotFoundError):
                _with(self.path, part).replace(_with(target, part))
        self.sync()

    def install(self) -> None:
        """Have the new ledger, which is complete and closed, take its place."""
        fd = os.open(self.fresh, os.O_RDWR)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        # A journal that is no longer anybody's would be taken for the new ledger's.
        _remove(self.path, "-wal", "-shm", "-journal")
        self.fresh.replace(self.path)
        self.sync()

    def clear(self) -> None:
        """Remove what was begun and not finished."""
        _remove(self.fresh, "", "-wal", "-shm", "-journal")
        _remove(self.scratch, "", "-wal", "-shm", "-journal")

    def done(self) -> None:
        """Nothing is left to be done; the oldest of many that were set aside are deleted."""
        for old in self.kept[:-KEPT]:
            _remove(old, *_PARTS)
        self._note.unlink(missing_ok=True)
        self.sync()

    def sync(self) -> None:
        """Have names and moves survive a power cut."""
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.stem}-set-aside")

    def _beside(self, what: str) -> Path:
        return self.path.with_name(f"{self.path.stem}-{what}{self.path.suffix}")


def _with(path: Path, part: str) -> Path:
    return path.with_name(path.name + part)


def _remove(path: Path, *parts: str) -> None:
    for part in parts:
        _with(path, part).unlink(missing_ok=True)
