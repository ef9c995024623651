"""What SQLite and the file system say, put as what to do about it."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from muxd.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["damaged", "explained", "is_damage", "newer", "not_a_ledger"]

# Primary result codes (https://sqlite.org/rescode.html); the extended ones share the low byte.
_REMEDIES: dict[int, str] = {
    sqlite3.SQLITE_BUSY: (
        "another process holds it locked; if that lasts, end what has it open "
        "(`fuser {path}` names it: a sqlite3 shell, a backup)"
    ),
    sqlite3.SQLITE_FULL: (
        "the disk or the quota is full, nothing of this write was kept; make room in {directory}"
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk doesn't read or write it, or a limit on the size of files is reached; nothing "
        "of this write was kept; see the system's log, and make room in {directory}"
    ),
    sqlite3.SQLITE_READONLY: (
        "it can't be written by user {user}; make {directory} and the files in it writable for "
        "that user, or choose another --state-dir"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it can't be opened by user {user}; make {directory} and the files in it readable and "
        "writable for that user, or choose another --state-dir"
    ),
    sqlite3.SQLITE_NOTADB: "it is not a ledger, or is damaged; {start_anew}",
    sqlite3.SQLITE_CORRUPT: "it is damaged; {start_anew}",
}
_REMEDIES[sqlite3.SQLITE_LOCKED] = _REMEDIES[sqlite3.SQLITE_BUSY]
_REMEDIES[sqlite3.SQLITE_PERM] = _REMEDIES[sqlite3.SQLITE_READONLY]
_REMEDIES[sqlite3.SQLITE_AUTH] = _REMEDIES[sqlite3.SQLITE_READONLY]

_START_ANEW = (
    "`muxd start` sets it aside, begins a new one, and takes over all that can be read; "
    "or put a backup in its place while muxd is stopped"
)
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it says that the file is not what was written to it."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _DAMAGE


def explained(error: sqlite3.Error | OSError | ValueError, path: Path) -> LedgerError:
    """`error`, met at the ledger in `path`, as a message that says what to do."""
    if isinstance(error, OSError):
        remedy = _REMEDIES[sqlite3.SQLITE_CANTOPEN]
        said = error.strerror or str(error)
    else:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        remedy = _REMEDIES.get(code & 0xFF, "")
        said = str(error)
    places = {"path": path, "directory": path.parent, "user": os.geteuid()}
    advice = remedy.format(start_anew=_START_ANEW, **places)
    return LedgerError(f"the ledger {path}: {advice} ({said})" if advice else f"{path}: {said}")


def damaged(path: Path, damage: str) -> LedgerError:
    """The ledger is damaged, and that is all that can be said."""
    error = sqlite3.DatabaseError(damage)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return explained(error, path)


def newer(path: Path, version: int, known: int) -> LedgerError:
    """The ledger was written by a muxd that came after this one."""
    return LedgerError(
        f"the ledger {path} was written by a newer muxd (schema {version}, this one knows {known}):"
        " install that muxd again, or choose another --state-dir"
    )


def not_a_ledger(path: Path) -> LedgerError:
    """The file is an SQLite database, but of somebody else."""
    return LedgerError(
        f"{path} is an SQLite database but not muxd's ledger: "
        "move it away, or choose another --state-dir"
    )
