"""What SQLite says of the data file, put as what to do about it."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from muxd.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["explained", "is_damage"]

# Primary result codes (https://sqlite.org/rescode.html); the extended ones share the low byte.
_REMEDIES: dict[int, str] = {
    sqlite3.SQLITE_BUSY: (
        "another process holds it locked; if that lasts, end what has it open "
        "(`fuser {path}` names it: a sqlite3 shell, a viewer)"
    ),
    sqlite3.SQLITE_FULL: (
        "the disk or the quota is full, nothing of this was kept; make room in {directory}"
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk doesn't read or write it, or a limit on the size of files is reached; nothing of "
        "this was kept; see the system's log, and make room in {directory}"
    ),
    sqlite3.SQLITE_READONLY: (
        "it can't be written by user {user}; make {directory} and the files in it writable for that "
        "user, or choose another --state-dir"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it can't be opened by user {user}; make {directory} and the files in it readable and "
        "writable for that user, or choose another --state-dir"
    ),
    sqlite3.SQLITE_TOOBIG: "a value or a row is too large to be kept; save less of it",
    sqlite3.SQLITE_NOTADB: "it is damaged; the next run that saves sets it aside",
    sqlite3.SQLITE_CORRUPT: "it is damaged; the next run that saves sets it aside",
}
_REMEDIES[sqlite3.SQLITE_LOCKED] = _REMEDIES[sqlite3.SQLITE_BUSY]
_REMEDIES[sqlite3.SQLITE_PERM] = _REMEDIES[sqlite3.SQLITE_READONLY]
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def is_damage(error: Exception) -> bool:
    """Whether it says that the file is not what was written to it."""
    return isinstance(error, sqlite3.Error) and _code(error) in _DAMAGE


def explained(error: sqlite3.Error | OSError, path: Path) -> DataError:
    """`error`, met at the data file in `path`, as a message that says what to do."""
    if isinstance(error, OSError):
        remedy, said = _REMEDIES[sqlite3.SQLITE_CANTOPEN], error.strerror or str(error)
    else:
        remedy, said = _REMEDIES.get(_code(error), ""), str(error)
    advice = remedy.format(path=path, directory=path.parent, user=os.geteuid())
    return DataError(f"the data file {path}: {advice} ({said})" if advice else f"{path}: {said}")
