"""The ledger's file: connecting to it, and having a new one where it is damaged or gone.

All of it blocks, and is used by one thread at a time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, final
from urllib.parse import quote

import structlog

from muxd.builtin._ledger_aside import Aside
from muxd.builtin._ledger_errors import explained, is_damage, newer, not_a_ledger
from muxd.builtin._ledger_present import Present
from muxd.builtin._ledger_salvage import Salvage, source_of
from muxd.builtin._ledger_schema import VERSION, create, migrate, rewrite, version_of
from muxd.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

__all__ = ["LedgerFile"]

CHECKED, CHECKED_SIZE = 2.0, 128 << 20
"""How long a ledger is checked when it is opened, seconds, and up to which size, bytes: 100 MB take
half a second at most, but a ledger of gigabytes is not to be read at each start. (The time alone
is no bound: SQLite before 3.42 does not look at it while it walks a table.) A larger one is looked
through a minute later, beside everything else."""
SHRINKABLE = 64 << 20
"""Up to which size, bytes, a ledger that can't give room back is written anew when it is opened."""
SALVAGED = 5.0
"""For how long runs are taken over before the new ledger is used, seconds; that is more than 100,000
of them. The rest is taken over beside everything else."""
AT_ONCE = 200
"""How many runs are taken over at once then."""
NOT_AGAIN = 60.0
"""A ledger that is damaged so soon after the last one, seconds, is not set aside: it is the disk."""


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
        self._aside = Aside(path)
        self._readonly = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None  # device and inode
        self._set_aside_at = -NOT_AGAIN
        # what is still being taken over from a damaged one, by what, and what to close then
        self._remainder: tuple[Salvage, Iterator[tuple[Any, ...]]] | None = None
        self._held_open = ExitStack()

    def open(self, *, readonly: bool) -> None:
        """Connect. Raises `LedgerError`, `sqlite3.Error` or `OSError`."""
        self._readonly, self.warnings = readonly, []
        if readonly:
            self._connection = self._connect_reading()
            return
        self._connected()
        for kept in self._aside.kept:
            if not any(kept.name in told for told in self.warnings):
                told = f"a damaged ledger is kept as {kept.name}: look into it, or delete it"
                structlog.get_logger().warning(told)
                self.warnings.append(told)

    def close(self) -> None:
        """Disconnect. Doesn't wait for locks."""
        self._held_open.close()
        self._remainder = None
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
            raise self._damaged(damage)
        if time.monotonic() < self._set_aside_at + NOT_AGAIN:
            raise self._damaged(f"again, so soon after the last was set aside: {damage}")
        self._set_aside_at = time.monotonic()
        with suppress(sqlite3.Error):
            if self._connection is not None:
                _roll_back(self._connection)
        target = self._aside.begin(time.time())
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
        target = self._aside.target
        if target is None or self._readonly:
            return False
        connection = self._connected()
        if self._remainder is None:
            source = self._held_open.enter_context(source_of(target, self._aside.scratch))
            if source is None:
                self._settled()
                return False
            salvage = Salvage(source)
            self._remainder = salvage, salvage.all_runs()
        salvage, found = self._remainder
        batch = list(islice(found, AT_ONCE))
        with transaction(connection):
            salvage.put(connection, batch)
        if batch:
            return True
        if salvage.runs:
            told = f"{salvage.runs} more runs were taken over from {target.name}"
            told += _unreadable(salvage)
            self.warnings.append(told)
            structlog.get_logger().warning(told)
        self._settled()
        return False

    def check(self) -> str | None:
        """Look through all of the file by a connection of its own; what is wrong, if anything is.

        May be called by any thread.
        """
        connection = self._sqlite("ro")
        try:
            # The thorough one compares each index with its table, which takes ten times as long.
            thorough = _size(connection) <= CHECKED_SIZE
            return _wrong(connection, "integrity_check" if thorough else "quick_check", until=None)
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

    def _settled(self) -> None:
        self._held_open.close()
        self._remainder = None
        self._aside.clear()
        self._aside.done()

    def _damaged(self, damage: str) -> LedgerError:
        error = sqlite3.DatabaseError(damage)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        return explained(error, self.path)

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
            if self._identity == _identity(self.path):
                return self._connection
            self._gone(self._connection)
            return self._connection
        return self._connect_writing()

    def _connect_writing(self) -> sqlite3.Connection:
        target = self._aside.target
        if target is not None:  # a daemon died while it set the ledger aside, or we come from there
            self._aside.move()
            if not self.path.exists():
                self._begin_anew(target)
        self._make_file()
        connection = self._sqlite("rw")
        try:
            self._prepare(connection, self._version(connection))
            damage = None
            if _size(connection) <= CHECKED_SIZE:
                damage = _wrong(connection, "quick_check", until=time.monotonic() + CHECKED)
            if damage is None:
                _make_shrinkable(connection)
                self.present = Present.of(connection)
        except BaseException as error:
            if not isinstance(error, sqlite3.DatabaseError) or not is_damage(error):
                connection.close()
                raise
            damage = str(error)
        self._connection, self._identity = connection, _identity(self.path)
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
            self._aside.sync()  # or the file's name may be lost in a power cut

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

    # A new one

    def _begin_anew(self, damaged: Path) -> None:
        with source_of(damaged, self._aside.scratch) as source:
            complete, told = self._build(source)
        self._aside.clear()
        if complete:
            self._aside.done()
        else:
            told += "; more is being taken over"
        told = f"the ledger was damaged and is kept as {damaged.name}; {told}"
        self.warnings.append(told)
        structlog.get_logger().critical(told)

    def _gone(self, old: sqlite3.Connection) -> None:
        """The file was deleted or replaced while we had it open: what it held we can still read."""
        known = self.present
        if not self.path.exists():
            _, told = self._build(old)
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

    def _build(self, source: sqlite3.Connection | None) -> tuple[bool, str]:
        """Make a new ledger of the present and what can be read, and put it in its place.

        Returns:
          Whether all that can be read is in it, and what is, for people.
        """
        self._aside.clear()
        os.close(os.open(self._aside.fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        fresh = sqlite3.connect(self._aside.fresh, isolation_level=None)
        salvage, complete = None, True
        try:
            # It counts only once it is complete and in its place.
            fresh.execute("PRAGMA synchronous = OFF")
            create(fresh)
            with transaction(fresh):
                self.present.put_into(fresh)
                if source is not None:
                    salvage = Salvage(source)
                    salvage.small(fresh)
                    self.present.put_into(fresh)
                    complete = salvage.rest(fresh, until=time.monotonic() + SALVAGED)
            told = _contents(fresh)
        finally:
            fresh.close()
        self._aside.install()
        if salvage is None:
            told = f"nothing of it could be read; {told}"
        return complete, told + (_unreadable(salvage) if salvage is not None and complete else "")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """What is done inside is done whole or not at all."""
    _roll_back(connection)  # if the disk failed so badly that it couldn't be done last time
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # what made it necessary says more
            _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # not always: after a full disk SQLite may have done it itself
        connection.execute("ROLLBACK")


def _wrong(connection: sqlite3.Connection, pragma: str, *, until: float | None) -> str | None:
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


def _size(connection: sqlite3.Connection) -> int:
    """The size of the file, with what is in its WAL, bytes."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (of_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * of_bytes)


def _make_shrinkable(connection: sqlite3.Connection) -> None:
    """Let a ledger of before muxd could do so give room back, where that is quick.

    It is written anew, in one transaction. A larger one stays as it is.
    """
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    if mode == 2 or _size(connection) > SHRINKABLE:
        return
    with suppress(sqlite3.OperationalError):  # no room, or locked: another start may do it
        rewrite(connection)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _contents(connection: sqlite3.Connection) -> str:
    runs, phases, pauses = (
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("runs", "phases", "pauses")
    )
    return f"{runs} runs, {phases} places on the timetable and {pauses} pauses are in the new one"


def _unreadable(salvage: Salvage) -> str:
    if not salvage.is_bounded:
        return "; how many runs could not be read is not known"
    return f"; about {salvage.unreadable} runs could not be read" * (salvage.unreadable > 0)
