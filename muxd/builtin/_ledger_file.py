"""The ledger's file: connecting to it, and to a new one where it is damaged or gone.

All of it blocks, and is used by one thread at a time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, final
from urllib.parse import quote

import structlog

from muxd.builtin._ledger_errors import damaged, is_damage, newer, not_a_ledger
from muxd.builtin._ledger_present import Present
from muxd.builtin._ledger_rebuild import Rebuild
from muxd.builtin._ledger_schema import VERSION, migrate, version_of
from muxd.builtin._ledger_sqlite import (
    identity,
    make_shrinkable,
    roll_back,
    size,
    transaction,
    wrong,
)
from muxd.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

__all__ = ["LedgerFile"]

CHECKED, CHECKED_SIZE = 2.0, 128 << 20
"""How long a ledger is checked when it is opened, seconds, and up to which size, bytes: 100 MB take
half a second at most, but a ledger of gigabytes is not to be read at each start. (The time alone
is no bound: SQLite before 3.42 does not look at it while it walks a table.) A larger one is looked
through a minute later, beside everything else."""


@final
class LedgerFile:
    """One connection to the file, made anew when that is needed."""

    def __init__(self, path: Path, *, patience: float, synchronous: str) -> None:
        """Connect to nothing yet.

        Args:
          path: the file.
          patience: how long to wait for another process's lock, seconds.
          synchronous: SQLite's setting of that name.
        """
        self.path, self.present = path, Present()
        self.warnings: list[str] = []
        """What people should know about the file, newest last."""
        self._patience, self._synchronous = patience, synchronous
        self._readonly = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None  # device and inode
        self._rebuild = Rebuild(path, lambda told: self.warnings.append(told))

    def open(self, *, readonly: bool) -> None:
        """Connect. Raises `LedgerError`, `sqlite3.Error` or `OSError`."""
        self._readonly, self.warnings = readonly, []
        if readonly:
            self._connection = self._connect_reading()
            return
        self._connected()
        for kept in self._rebuild.kept:
            if not any(kept.name in told for told in self.warnings):
                told = f"a damaged ledger is kept as {kept.name}: look into it, or delete it"
                structlog.get_logger().warning(told)
                self.warnings.append(told)

    def close(self) -> None:
        """Disconnect. Doesn't wait for locks."""
        self._rebuild.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the connection; where the file is damaged, again with a new one.

        Raises what `work` raises, and `LedgerError` and `OSError` where there can't be a new one.
        """
        while True:
            connection = self._connected()
            try:
                return work(connection)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self.replace(str(error))  # at most once in a while, else it raises

    def replace(self, damage: str) -> None:
        """Set the file aside and begin a new one with the present and all that can be read.

        Raises:
          LedgerError: it may not be done, or only so long after the last time.
          OSError: it can't be done.
        """
        if self._readonly:
            raise damaged(self.path, damage)
        self._rebuild.check_patience(damage)
        with suppress(sqlite3.Error):
            if self._connection is not None:
                roll_back(self._connection)
        target = self._rebuild.begin()
        # Closed when it has been moved: SQLite then leaves it, and its WAL, as they are.
        self.close()
        structlog.get_logger().critical(
            "the ledger is damaged: it is set aside and a new one begun",
            damage=damage,
            kept_as=str(target),
        )
        self._connected()

    def take_over(self) -> bool:
        """Take over some more of a ledger that was set aside; False if nothing is left."""
        if self._readonly or not self._rebuild.owes:
            return False
        return self._rebuild.take_over(self._connected())

    def check(self) -> str | None:
        """Look through all of the file by a connection of its own; what is wrong, if anything is.

        May be called by any thread.
        """
        connection = self._sqlite("ro")
        try:
            # The thorough one compares each index with its table, which takes ten times as long.
            thorough = size(connection) <= CHECKED_SIZE
            return wrong(connection, "integrity_check" if thorough else "quick_check", until=None)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return str(error)
            raise
        finally:
            connection.close()

    def read_beside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with a connection of its own, which can only read.

        May be called by any thread.
        """
        connection = self._sqlite("ro")
        try:
            return work(connection)
        finally:
            connection.close()

    # Connecting to read

    def _connect_reading(self) -> sqlite3.Connection:
        if not self.path.exists():
            return self._connect_to_nothing()
        connection = self._sqlite("ro")
        try:
            try:
                version = self._version(connection)
            except sqlite3.OperationalError as error:
                # A daemon died while it made the file; later there is no such journal any more.
                if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                    raise
                version = 0
            if version == 0:  # made a moment ago by a daemon that is still starting
                connection.close()
                return self._connect_to_nothing()
            if version < VERSION:
                raise LedgerError(
                    f"the ledger {self.path} is an older muxd's: `muxd start` brings it up to date"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_to_nothing(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        migrate(connection)
        return connection

    # Connecting to write

    def _connected(self) -> sqlite3.Connection:
        if self._readonly and self._connection is not None:
            return self._connection
        if self._connection is not None:
            if self._identity == identity(self.path):
                return self._connection
            self._gone(self._connection)
            return self._connection
        return self._connect_writing()

    def _connect_writing(self) -> sqlite3.Connection:
        # A daemon may have died while it set the ledger aside, or we come from there.
        self._rebuild.finish(self.present)
        self._make_file()
        connection = self._sqlite("rw")
        try:
            self._prepare(connection, self._version(connection))
            damage = None
            if size(connection) <= CHECKED_SIZE:
                damage = wrong(connection, "quick_check", until=time.monotonic() + CHECKED)
            if damage is None:
                make_shrinkable(connection)
                self.present = Present.of(connection)
        except BaseException as error:
            if not isinstance(error, sqlite3.DatabaseError) or not is_damage(error):
                connection.close()
                raise
            damage = str(error)
        self._connection, self._identity = connection, identity(self.path)
        if damage is not None:
            self.replace(damage)
        return self._connection

    def _version(self, connection: sqlite3.Connection) -> int:
        connection.execute("BEGIN")  # another process may be making it: one glance
        version = version_of(connection)
        connection.execute("COMMIT")
        if version is None:
            raise not_a_ledger(self.path)
        if version > VERSION:
            raise newer(self.path, version, VERSION)
        return version

    def _sqlite(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(os.fsencode(self.path))}?mode={mode}",
            uri=True,
            timeout=self._patience,
            isolation_level=None,  # transactions are begun and ended here, by name
            check_same_thread=False,  # trio's worker threads change; a limiter keeps order
        )

    def _make_file(self) -> None:
        # SQLite would give it the mode that the umask leaves; what it makes beside it (-wal,
        # -shm) gets the mode of the file itself.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._rebuild.sync()  # or the file's name may be lost in a power cut

    def _prepare(self, connection: sqlite3.Connection, version: int) -> None:
        if version == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if self._use_wal(connection) != "wal":
            raise LedgerError(
                f"the ledger {self.path}: this file system has no shared memory for SQLite's WAL "
                "(a network share?); put --state-dir on a local disk"
            )
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        # It is brought into the file in quiet moments (`Ledger.settle`); should there be none for so
        # many pages, 8 MB, a write does it. What a reader held up is cut to as much.
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        connection.execute("PRAGMA journal_size_limit = 8388608")
        if version < VERSION:
            with transaction(connection):
                migrate(connection)  # looks again: another process may have been first

    def _use_wal(self, connection: sqlite3.Connection) -> object:
        # Where two processes do this to a new file at once, SQLite tells one of them at once that
        # the file is locked, without the patience that it has with locks elsewhere.
        end = time.monotonic() + self._patience
        while True:
            try:
                return connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
            time.sleep(0.005)

    def _gone(self, old: sqlite3.Connection) -> None:
        """The file was deleted or replaced while we had it open: what it held we can still read."""
        known = self.present
        if not self.path.exists():
            _, told = self._rebuild.build(old, known)
            told = f"the ledger's file was deleted while muxd was using it; {told}"
        else:
            told = "the ledger's file was replaced while muxd was using it; the other is used from now on"
        connection = self._connect_writing()
        with transaction(connection):
            known.put_into(connection)
        self.present = Present.of(connection)
        old.close()
        self.warnings.append(told)
        structlog.get_logger().critical(told, ledger=str(self.path))
