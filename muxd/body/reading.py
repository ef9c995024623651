"""What jobs have saved, read beside whoever saves: in a daemon, and without one."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, final

import trio

from muxd.body.cells import quoted, row_from
from muxd.body.data import FILE_NAME, here
from muxd.body.dataerrors import explained
from muxd.body.datafile import connect_reading
from muxd.body.plain import OURS
from muxd.body.schema import state_of, tables_of
from muxd.jobdata import DataTable, JobData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from muxd.body.schema import Table

__all__ = ["DataReader", "FileData", "Snapshot"]

T = TypeVar("T")
_AT_ONCE = 1000
_SEEN = (
    "(:since IS NULL OR last_seen >= :since) AND (:new_since IS NULL OR first_seen >= :new_since)"
)


@final
class DataReader:
    """Reads the data file of a state directory. It blocks; each call has a connection of its own."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE_NAME

    def tables(self, job: str | None = None) -> list[DataTable]:
        """The tables of a job, its own first, or (None) of all; none if nothing was ever saved.

        Raises:
          DataError: it can't be read.
        """
        return self._use(lambda connection: list(_described(connection, job)), [])

    def rows(
        self,
        job: str,
        table: str | None = None,
        *,
        since: float | None = None,
        new_since: float | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of a table; see `JobData.rows`. Raises as `tables`."""
        with self.snapshot(job, table) as found:
            return list(found.rows(since, new_since, limit)) if found else []

    @contextmanager
    def snapshot(self, job: str, table: str | None = None) -> Iterator[Snapshot | None]:
        """A table as it is in this moment; None if there is none. Raises as `tables`, and inside too."""
        connection = self._connected()
        if connection is None:
            yield None
            return
        try:
            connection.execute("BEGIN")
            found = [t for t in tables_of(connection, job) if t.name == (table or "")]
            yield Snapshot(connection, found[0]) if found else None
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        finally:
            connection.close()

    def state(self, job: str) -> tuple[str, str, str | None] | None:
        """What is kept of a job's state, see `state_of`; None if nothing is. Raises as `tables`."""
        return self._use(partial(state_of, job=job), None)

    def _use(self, work: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        connection = self._connected()
        if connection is None:
            return nothing
        try:
            connection.execute("BEGIN")
            return work(connection)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        finally:
            connection.close()

    def _connected(self) -> sqlite3.Connection | None:
        try:
            return connect_reading(self.path)
        except (sqlite3.Error, OSError) as error:
            raise explained(error, self.path) from error


def _described(connection: sqlite3.Connection, job: str | None) -> Iterator[DataTable]:
    for table in tables_of(connection, job):
        rows, last_seen = connection.execute(
            f"SELECT count(*), max(last_seen) FROM {table.quoted}"
        ).fetchone()
        yield DataTable(
            job=table.job,
            name=table.name,
            sql_name=table.sql_name,
            columns=table.columns,
            key=table.key,
            rows=rows,
            last_seen=last_seen,
        )


@final
class Snapshot:
    """One table as it was in one moment."""

    def __init__(self, connection: sqlite3.Connection, table: Table) -> None:
        self._connection, self._table = connection, table
        self.columns = (*table.columns, *OURS)
        """Those of the items, and muxd's own."""

    def count(self, since: float | None, new_since: float | None) -> int:
        """How many rows there are that were seen then."""
        (rows,) = self._connection.execute(
            f"SELECT count(*) FROM {self._table.quoted} WHERE {_SEEN}",
            {"since": since, "new_since": new_since},
        ).fetchone()
        return int(rows)

    def rows(
        self, since: float | None, new_since: float | None, limit: int | None
    ) -> Iterator[dict[str, Any]]:
        """As `JobData.rows`, one after another; may be asked for more than once."""
        cells = ", ".join(map(quoted, ("_muxd_kinds", *self.columns)))
        found = self._connection.execute(
            # Of many the newest, these in the order in which they came.
            f"SELECT * FROM (SELECT _muxd_row, {cells} FROM {self._table.quoted} WHERE {_SEEN} "
            "ORDER BY first_seen DESC, _muxd_row DESC LIMIT :limit) ORDER BY first_seen, _muxd_row",
            {"since": since, "new_since": new_since, "limit": -1 if limit is None else limit},
        )
        while part := found.fetchmany(_AT_ONCE):
            for _row, kinds, *values in part:
                yield row_from(self.columns, values, kinds)


@final
class FileData(JobData):
    """What a job has saved, from the data file: a `JobData`."""

    def __init__(self, reader: DataReader, job: str) -> None:
        self._reader, self.job = reader, job

    async def tables(self) -> Sequence[DataTable]:
        """See `JobData.tables`."""
        return await self._in_thread(lambda: self._reader.tables(self.job))

    async def rows(
        self,
        table: str | None = None,
        *,
        since: float | None = None,
        new_since: float | None = None,
        limit: int | None = 100,
    ) -> list[dict[str, Any]]:
        """See `JobData.rows`."""
        if limit is not None and limit < 0:
            raise ValueError(f"limit={limit} is not possible: give 0 or more")
        return await self._in_thread(
            lambda: self._reader.rows(
                self.job, table, since=since, new_since=new_since, limit=limit
            )
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # By this name it is no thread of the run's that reads.
        return await here(
            lambda: trio.to_thread.run_sync(
                work, abandon_on_cancel=True, thread_name="muxd data file"
            )
        )
