"""Copying the data file, and looking through it, beside whoever saves. It blocks."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from muxd.body.dataerrors import explained
from muxd.body.datafile import connect_reading, damage_of
from muxd.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["copy_data", "look_through"]


def copy_data(path: Path, target: Path) -> bool:
    """Copy a data file, as it is in one moment, into a new file, mode 0600; False if there is none.

    Raises:
      DataError: it can't be read, or is damaged.
      OSError: the copy can't be written.
    """
    try:
        connection = connect_reading(path)
    except (sqlite3.Error, OSError) as error:
        raise explained(error, path) from error
    if connection is None:
        return False
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    made = sqlite3.connect(target, isolation_level=None)
    try:
        # Within a transaction SQLite copies what that sees, and need not begin anew for who writes.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        connection.backup(made)
        made.execute("PRAGMA journal_mode = DELETE")  # one file, with none beside it
        _check(made, path)
    except sqlite3.Error as error:
        raise explained(error, path) from error
    finally:
        made.close()
        connection.close()
    return True


def look_through(path: Path) -> None:
    """Look through a data file for damage. Raises `DataError`: it is damaged, or none of ours."""
    try:
        connection = connect_reading(path)
        if connection is not None:
            try:
                _check(connection, path)
            finally:
                connection.close()
    except (sqlite3.Error, OSError) as error:
        raise explained(error, path) from error


def _check(connection: sqlite3.Connection, path: Path) -> None:
    damage = damage_of(connection)
    if damage is not None:
        raise DataError(f"the data file {path} is damaged ({damage}): move it away")
