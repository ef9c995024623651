"""The data file: connecting to it, and to a new one where it is damaged.

All of it blocks, and is used by one thread at a time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog

from muxd.body.dataerrors import is_damage
from muxd.body.schema import APPLICATION_ID, VERSION, create
from muxd.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "PATIENCE",
    "connect_reading",
    "connect_writing",
    "damage_of",
    "set_aside",
    "transaction",
]

PATIENCE = 2.5
"""How long another process's lock is waited for, seconds."""
KEPT = 3
"""How many damaged data files are kept; older ones are deleted when another is set aside."""
_PARTS = ("-shm", "-wal", "")
"""What belongs to an SQLite file, by what is added to its name. The file itself is moved last."""


def connect_writing(path: Path) -> sqlite3.Connection:
    """Connect to the file; make it (mode 0600) if it is not there.

    Raises:
      DataError: it is somebody else's, or a newer muxd's.
      sqlite3.Error, OSError: it can't be.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    # SQLite would give it the mode that the umask leaves; what it makes beside it has the mode of
    # the file itself.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _sync(path)
    connection = _connected(path, "rw")
    try:
        is_new = not _is_ours(connection, path)
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 8388608")
        if is_new:
            with transaction(connection):
                create(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let others read while something is written. Where that can't be, they have to wait."""
    # Beside somebody who looks at a new file SQLite says at once that it is locked.
    end = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.005)


def connect_reading(path: Path) -> sqlite3.Connection | None:
    """Connect to the file beside whoever writes; None if nothing was ever written.

    Raises as `connect_writing`.
    """
    if not path.exists():
        return None
    connection = _connected(path, "ro")
    try:
        if _is_ours(connection, path):
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode={mode}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,  # transactions are begun and ended here, by name
        check_same_thread=False,  # trio's worker threads change; a limiter keeps order
    )


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether it has our tables; False: it is empty. Raises `DataError` if it is none of ours."""
    connection.execute("BEGIN")  # somebody may be making it: one glance
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if (application, version, tables) == (0, 0, 0):
        return False
    if application != APPLICATION_ID:
        raise DataError(
            f"{path} is an SQLite database but not muxd's data file: move it away, or choose another "
            "--state-dir"
        )
    if version > VERSION:
        raise DataError(
            f"the data file {path} was written by a newer muxd (schema {version}, this one knows "
            f"{VERSION}): install that muxd again, or choose another --state-dir"
        )
    return True


def damage_of(connection: sqlite3.Connection) -> sqlite3.Error | None:
    """Look through all of the file: the error that says what is damaged, or None."""
    try:
        found = [text for (text,) in connection.execute("PRAGMA quick_check(3)") if text != "ok"]
    except sqlite3.Error as error:
        if is_damage(error):
            return error
        raise
    if not found:
        return None
    damage = sqlite3.DatabaseError("; ".join(found).replace("\n", ": "))
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return damage


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """What is done inside is done whole or not at all."""
    if connection.in_transaction:  # the disk failed so badly that it couldn't be ended
        connection.execute("ROLLBACK")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # what made it necessary says more
            if connection.in_transaction:  # after a full disk SQLite may have ended it itself
                connection.execute("ROLLBACK")
        raise


def set_aside(path: Path, error: Exception, now: float) -> Path:
    """Move a damaged data file away; the next who connects begins a new one.

    To be used by who holds the state directory, with no connection open.

    Raises:
      OSError: it can't be moved.
    """
    assert is_damage(error)
    kept = sorted(path.parent.glob(f"{path.stem}-damaged-*{path.suffix}"))
    moment = datetime.fromtimestamp(now, UTC)
    while True:
        target = path.with_name(f"{path.stem}-damaged-{moment:%Y%m%dT%H%M%SZ}{path.suffix}")
        if not kept or target > kept[-1]:  # names are in the order of events
            break
        moment += timedelta(seconds=1)
    for part in _PARTS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + part).replace(target.with_name(target.name + part))
    for old in kept[: -(KEPT - 1)]:
        for part in _PARTS:
            old.with_name(old.name + part).unlink(missing_ok=True)
    _sync(path)
    structlog.get_logger().critical(
        "the data file is damaged: it is set aside and a new one begun; what jobs have saved and their "
        "states are in the old one",
        damage=str(error),
        kept_as=str(target),
    )
    return target


def _sync(path: Path) -> None:
    """Have names and moves survive a power cut."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
