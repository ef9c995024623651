"""Looking into a ledger, and copying it, by a connection that can only read.

All of it blocks, and disturbs nobody: who writes meanwhile neither waits nor is seen.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from muxd.builtin._ledger_errors import damaged, newer, not_a_ledger
from muxd.builtin._ledger_schema import VERSION, version_of
from muxd.builtin._ledger_sqlite import size, wrong
from muxd.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["copy", "look_through"]

AT_ONCE = 2000
"""How many pages are copied before it is asked whether to go on: 8 MB."""
THOROUGH = 128 << 20
"""Up to which size, bytes, each index is compared with its table, too."""


def look_through(connection: sqlite3.Connection, path: Path) -> str:
    """What a ledger is like, in words, when all of it has been looked through.

    Raises:
      LedgerError: it is damaged, no ledger, or a newer muxd's.
      sqlite3.Error: it can't be read.
    """
    connection.execute("BEGIN")  # one moment of it
    version = version_of(connection)
    if version is None:
        raise not_a_ledger(path)
    if version > VERSION:
        raise newer(path, version, VERSION)
    taken = size(connection)
    damage = wrong(
        connection, "integrity_check" if taken <= THOROUGH else "quick_check", until=None
    )
    if damage is not None:
        raise damaged(path, damage)
    older = "" if version == VERSION else f", which `muxd start` brings up to {VERSION}"
    return f"{format_size(taken)}, schema {version}{older}"


def copy(connection: sqlite3.Connection, target: Path, stopped: Callable[[], bool]) -> bool:
    """Copy a ledger, as it is in one moment, into a new file, mode 0600.

    Returns:
      False if it was `stopped`, and the copy is worth nothing.

    Raises:
      sqlite3.Error: it can't be read.
      OSError: the copy can't be written.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    # Within a transaction SQLite copies what that sees. Without, it would begin anew whenever
    # somebody has written, and perhaps never end.
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchall()

    class Stopped(Exception):
        pass

    def go_on(_status: int, _left: int, _all: int) -> None:
        if stopped():
            raise Stopped

    made = sqlite3.connect(target, isolation_level=None)
    try:
        connection.backup(made, pages=AT_ONCE, progress=go_on)
    except Stopped:
        return False
    finally:
        made.close()
    return True
