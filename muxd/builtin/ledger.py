"""The ledger: every run's record, in SQLite in the state directory.

The plugin that keeps records unless another one does.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import trio

from muxd import hookimpl
from muxd.abc import Learned, Store
from muxd.builtin import _ledger_rows as rows
from muxd.builtin._ledger_errors import explained, newer, not_a_ledger
from muxd.builtin._ledger_schema import VERSION, migrate, version_of
from muxd.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from muxd.pause import Pause
    from muxd.record import Outcome, Record

    InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

T = TypeVar("T")

__all__ = ["FILE_NAME", "Ledger", "muxd_store"]

FILE_NAME = "ledger.sqlite3"
"""The ledger's file in the state directory."""


@hookimpl(trylast=True)
def muxd_store(state_dir: Path) -> Store:
    """Keep records in SQLite, unless another plugin has a store of its own."""
    return Ledger(state_dir)


class Ledger(Store):
    """A `Store` in one SQLite file, ``ledger.sqlite3``, that several processes may open.

    One connection, used by one worker thread at a time. What has reached that thread is done
    whole, even if the task that asked is cancelled meanwhile: such a call returns late, by
    `patience` at most, and as if it had not been cancelled. A call that is cancelled while it
    waits for its turn has done nothing.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        patience: float = 5.0,
        durable: bool = True,
        run_in_thread: InThread | None = None,
    ) -> None:
        """A ledger in `state_dir`, not yet opened.

        Args:
          state_dir: a directory that exists.
          patience: how long to wait for another process's lock, seconds, 0 or more.
          durable: False: a power cut may damage it. For ledgers that are thrown away.
          run_in_thread: runs what blocks; by default a worker thread of trio's. On virtual time,
            where no thread may be waited for, it can be run at once.
        """
        self.path = state_dir / FILE_NAME
        self._patience = patience
        self._connection: sqlite3.Connection | None = None
        self._is_open = False
        self._readonly = False
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._synchronous = "FULL" if durable else "OFF"
        self._run_in_thread = run_in_thread or self._in_worker_thread

    @asynccontextmanager
    async def open(self, *, readonly: bool = False) -> AsyncIterator[Ledger]:
        """The ledger, opened; closed on leaving, even under cancellation.

        Makes the file (mode 0600) where there is none, and brings an older one up to date. With
        `readonly` nothing is made or changed, and a ledger that isn't there is empty.

        Raises:
          LedgerError: it can't be opened, is damaged, is not a ledger, or a newer muxd's.
        """
        if self._is_open:
            raise LedgerError(f"the ledger {self.path} is open already")
        self._is_open, self._readonly = True, readonly
        try:
            connection = self._connection = await self._in_thread(self._connect, readonly)
            try:
                yield self
            finally:
                self._connection = None  # calls that still wait for their turn are refused
                with trio.CancelScope(shield=True):  # bounded: it doesn't wait for locks
                    await self._in_thread(connection.close)
        finally:
            self._is_open = False

    async def write(self, *records: Record) -> None:
        """Insert or update records by their ids: one transaction, one fsync.

        Cancelled before it has begun it has done nothing; later it is done whole.

        Raises:
          LedgerError: one of them has an outcome in the ledger already (none is written), or the
            medium failed (none is written).
        """
        new = [rows.row_of(record) for record in records]

        def write(connection: sqlite3.Connection) -> None:
            with self._transaction(connection):
                for row in new:
                    try:
                        connection.execute(rows.UPSERT, row)
                    except sqlite3.IntegrityError as error:
                        raise LedgerError(
                            f"run {row[0]!r} of job {row[1]!r} is not written: {error}"
                        ) from None

        await self._call(write)

    async def unfinished(self) -> Sequence[Record]:
        """Records without an outcome, oldest first. Safe to cancel."""
        return await self._call(lambda c: self._records(c.execute(rows.UNFINISHED)))

    async def history(
        self, *, job: str | None = None, outcome: Outcome | None = None, limit: int = 100
    ) -> Sequence[Record]:
        """The newest `limit` (0 or more) ended records, newest end first. Safe to cancel."""
        if limit < 0:
            raise ValueError(f"limit={limit} is not possible: give 0 or more")
        query = rows.history_query(by_job=job is not None, by_outcome=outcome is not None)
        given = [value for value in (job, outcome and outcome.value) if value is not None]
        return await self._call(lambda c: self._records(c.execute(query, (*given, limit))))

    async def get(self, run_id: str) -> Record | None:
        """The record of this id, None if there is none. Safe to cancel."""
        found = await self._call(lambda c: self._records(c.execute(rows.GET, (run_id,))))
        return found[0] if found else None

    async def last_releases(self) -> Mapping[str, float]:
        """For each job the newest release by its slot, real Unix seconds. Safe to cancel."""
        found = await self._call(lambda c: c.execute(rows.LAST_RELEASES).fetchall())
        return {job: released_us / 1e6 for job, released_us in found}

    async def learned(self) -> Mapping[str, Learned]:
        """For each job what its newest 50 good runs at speed 1 took. Safe to cancel.

        The percentiles are by nearest rank; the longest run is set aside if it took more than
        twice as long as the next (and there are three or more).
        """

        def read(connection: sqlite3.Connection) -> dict[str, Learned]:
            known = {}
            for (job,) in connection.execute(rows.LEARNT_JOBS).fetchall():
                taken = connection.execute(rows.GOOD_DURATIONS, (job, Learned.NEWEST)).fetchall()
                if taken:
                    known[job] = Learned.of([microseconds / 1e6 for (microseconds,) in taken])
            return known

        return await self._call(read)

    async def phases(self) -> Mapping[str, tuple[int, int]]:
        """The phases in force: job to (interval, phase), seconds. Safe to cancel."""
        query = "SELECT job, interval_s, phase_s FROM phases ORDER BY job"
        found = await self._call(lambda c: c.execute(query).fetchall())
        return {job: (interval, phase) for job, interval, phase in found}

    async def set_phases(self, phases: Mapping[str, tuple[int, int]]) -> None:
        """Replace the phases in force, in one transaction; cancellation as for `write`."""
        new = [(job, interval, phase) for job, (interval, phase) in phases.items()]

        def replace(connection: sqlite3.Connection) -> None:
            with self._transaction(connection):
                connection.execute("DELETE FROM phases")
                connection.executemany("INSERT INTO phases VALUES (?, ?, ?)", new)

        await self._call(replace)

    async def pauses(self) -> Mapping[str, Pause]:
        """The jobs that are paused, by name. Safe to cancel."""
        query = f"SELECT {rows.PAUSE_COLUMNS} FROM pauses ORDER BY job"
        found = await self._call(lambda c: c.execute(query).fetchall())
        return {row[0]: rows.pause_of(row) for row in found}

    async def set_pauses(self, pauses: Mapping[str, Pause]) -> None:
        """Replace the pauses, in one transaction; cancellation as for `write`."""
        new = [rows.row_of_pause(pause) for pause in pauses.values()]

        def replace(connection: sqlite3.Connection) -> None:
            with self._transaction(connection):
                connection.execute("DELETE FROM pauses")
                statement = f"INSERT INTO pauses ({rows.PAUSE_COLUMNS}) VALUES (?, ?, ?, ?, ?)"
                connection.executemany(statement, new)

        await self._call(replace)

    # All below runs in the worker thread, but for the first two.

    async def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def on_connection() -> T:
            if self._connection is None:
                raise LedgerError(f"the ledger {self.path} is not open")
            return work(self._connection)

        return await self._in_thread(on_connection)

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        def explaining() -> T:
            try:
                return work(*args)
            except (sqlite3.Error, OSError) as error:
                raise explained(error, self.path) from error

        done: T = await self._run_in_thread(explaining)
        return done

    async def _in_worker_thread(self, work: Callable[[], Any]) -> Any:
        # Not abandoned on cancellation: the connection must not be in use when it is closed.
        return await trio.to_thread.run_sync(
            work, limiter=self._one_at_a_time, thread_name="muxd ledger"
        )

    def _connect(self, readonly: bool) -> sqlite3.Connection:
        if readonly and not self.path.exists():
            return self._connect_to_nothing()
        if not readonly:
            self._make_file()
        connection = self._sqlite(
            f"file:{quote(os.fsencode(self.path))}?mode={'ro' if readonly else 'rw'}"
        )
        try:
            connection.execute("BEGIN")  # another process may be making it: one glance
            version = version_of(connection)
            connection.execute("COMMIT")
            if version is None:
                raise not_a_ledger(self.path)
            if version > VERSION:
                raise newer(self.path, version, VERSION)
            if not readonly:
                self._prepare(connection, version)
            elif version == 0:  # made a moment ago by a daemon that is still starting
                connection.close()
                return self._connect_to_nothing()
            elif version < VERSION:
                raise LedgerError(
                    f"the ledger {self.path} is an older muxd's: `muxd start` brings it up to date"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _sqlite(self, uri: str) -> sqlite3.Connection:
        return sqlite3.connect(
            uri,
            uri=True,
            timeout=self._patience,
            isolation_level=None,  # transactions are begun and ended here, by name
            check_same_thread=False,  # trio's worker threads change; the limiter keeps order
        )

    def _connect_to_nothing(self) -> sqlite3.Connection:
        connection = self._sqlite("file::memory:")
        migrate(connection)
        return connection

    def _make_file(self) -> None:
        # SQLite would give it the mode that the umask leaves; what it makes beside it (-wal,
        # -shm) gets the mode of the file itself.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)  # or the file's name may be lost in a power cut
            finally:
                os.close(directory)

    def _prepare(self, connection: sqlite3.Connection, version: int) -> None:
        if self._use_wal(connection) != "wal":
            raise LedgerError(
                f"the ledger {self.path}: this file system has no shared memory for SQLite's WAL "
                "(a network share?); put --state-dir on a local disk"
            )
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA journal_size_limit = 8388608")  # after a reader held up the WAL
        if version < VERSION:
            with self._transaction(connection):
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

    @contextmanager
    def _transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        if self._readonly:
            raise LedgerError(f"the ledger {self.path} is open for reading only")
        _roll_back(connection)  # if the disk failed so badly that it couldn't be done last time
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # what made it necessary says more
                _roll_back(connection)
            raise

    def _records(self, found: sqlite3.Cursor) -> list[Record]:
        try:
            return [rows.record_of(row) for row in found]
        except ValueError as error:
            raise explained(error, self.path) from error


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # not always: after a full disk SQLite may have done it itself
        connection.execute("ROLLBACK")
