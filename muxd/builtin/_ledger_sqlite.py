"""What the ledger asks of any connection to SQLite."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from muxd.builtin._ledger_schema import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["identity", "make_shrinkable", "roll_back", "size", "transaction", "wrong"]

SHRINKABLE = 64 << 20
"""Up to which size, bytes, a ledger that can't give room back is written anew when it is opened."""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """What is done inside is done whole or not at all."""
    roll_back(connection)  # if the disk failed so badly that it couldn't be done last time
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # what made it necessary says more
            roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # not always: after a full disk SQLite may have done it itself
        connection.execute("ROLLBACK")


def wrong(connection: sqlite3.Connection, pragma: str, *, until: float | None) -> str | None:
    """What SQLite's check finds wrong; None if nothing, or if there was no time to tell."""
    if until is not None:
        connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    try:
        found = connection.execute(f"PRAGMA {pragma}(3)").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    finally:
        connection.set_progress_handler(None, 0)
    texts = [text for (text,) in found if text != "ok"]
    return "; ".join(texts).replace("\n", ": ") or None


def size(connection: sqlite3.Connection) -> int:
    """The size of the file, with what is in its WAL, bytes."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (of_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * of_bytes)


def make_shrinkable(connection: sqlite3.Connection) -> None:
    """Let a ledger of before muxd could do so give room back, where that is quick.

    It is written anew, in one transaction. A larger one stays as it is.
    """
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    if mode == 2 or size(connection) > SHRINKABLE:
        return
    with suppress(sqlite3.OperationalError):  # no room, or locked: another start may do it
        rewrite(connection)


def identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
