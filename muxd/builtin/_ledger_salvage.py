"""What can still be read of a damaged ledger, row by row, into another one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, final
from urllib.parse import quote

from muxd.builtin import _ledger_rows as rows
from muxd.builtin._ledger_schema import create, rewrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from muxd.record import Record

__all__ = ["Salvage", "source_of"]

_TABLES = ("runs", "phases", "pauses")
BATCH = 500
LONGEST = 1_000_000
"""No text of a run is longer, in bytes: a length beyond it is damage."""


@final
class Salvage:
    """Reads one damaged ledger."""

    def __init__(self, source: sqlite3.Connection) -> None:
        """Read from `source`, whose texts come as bytes."""
        self.runs = 0
        """How many runs were taken over."""
        self.unreadable = 0
        """How many runs could not be read: more or less, since some may have been deleted before."""
        self.is_bounded = True
        """False: how many there were is not known, and `unreadable` says nothing."""
        self._source = source
        self._wanted: tuple[str, ...] = rows.COLUMNS
        with suppress(sqlite3.Error):
            known = {_text(row[1]) for row in source.execute("PRAGMA table_info(runs)")}
            self._wanted = tuple(name if name in known else "NULL" for name in rows.COLUMNS)

    def small(self, into: sqlite3.Connection) -> None:
        """Take over phases, pauses, what has not ended, and each job's newest release."""
        with suppress(sqlite3.Error, ValueError, TypeError):
            places = {_text(job): tuple(place) for job, *place in self._places()}
            if all(type(i) is type(p) is int and 0 <= p < i for i, p, _ in places.values()):
                rows.replace_places(into, places)
        with suppress(sqlite3.Error, ValueError, TypeError):
            self._source.text_factory = str
            try:
                rows.replace_pauses(into, rows.read_pauses(self._source))
            finally:
                self._source.text_factory = bytes
        for query, wanted in (
            (rows.UNFINISHED, ((),)),
            (rows.NEWEST_RELEASE, self._released_jobs()),
        ):
            query = query.replace(", ".join(rows.COLUMNS), ", ".join(self._wanted))
            for parameters in wanted:
                with suppress(sqlite3.Error):
                    self.put(into, self._source.execute(query, parameters).fetchall())

    def rest(self, into: sqlite3.Connection, *, until: float) -> bool:
        """Take over all runs, the newest first; False if `until` (monotonic) came before the end."""
        found = self.all_runs()
        while batch := list(islice(found, BATCH)):
            self.put(into, batch)
            if time.monotonic() > until:
                return False
        return True

    def all_runs(self) -> Iterator[tuple[Any, ...]]:
        """Every row of runs that can be read, the newest first."""
        query = f"SELECT rowid, {', '.join(self._wanted)} FROM runs NOT INDEXED"
        for row in self._between(
            f"{query} WHERE rowid BETWEEN ? AND ? ORDER BY rowid DESC", 1, self._highest()
        ):
            yield row[1:]

    def put(self, into: sqlite3.Connection, found: Iterable[tuple[Any, ...]]) -> None:
        """Write rows that are sound and not there yet, in the caller's transaction."""
        sound = (row for row in map(_sound, found) if row is not None)
        self.runs += into.executemany(rows.INSERT_IF_NEW, sound).rowcount

    def _places(self) -> list[tuple[Any, ...]]:
        columns = {_text(row[1]) for row in self._source.execute("PRAGMA table_info(phases)")}
        since = "since_us" if "since_us" in columns else "NULL"
        query = f"SELECT job, interval_s, phase_s, {since} FROM phases"
        return self._source.execute(query).fetchall()

    def _released_jobs(self) -> list[tuple[str]]:
        with suppress(sqlite3.Error):
            return [(_text(job),) for (job,) in self._source.execute(rows.RELEASED_JOBS)]
        return []

    def _highest(self) -> int:
        """The number of the newest row, or a number that is above it."""
        highest = 0
        for query in (
            "SELECT rowid FROM runs ORDER BY rowid DESC LIMIT 1",
            "SELECT rowid FROM runs INDEXED BY sqlite_autoindex_runs_1 ORDER BY id DESC LIMIT 1",
            "SELECT rowid FROM runs INDEXED BY runs_by_end WHERE outcome IS NOT NULL "
            "ORDER BY sort_us DESC LIMIT 1",
        ):
            with suppress(sqlite3.Error):
                for (rowid,) in self._source.execute(query):
                    highest = max(highest, rowid)
        self.is_bounded = highest > 0
        if not highest:  # no row is smaller than so many bytes
            (pages,) = self._source.execute("PRAGMA page_count").fetchone()
            highest = pages * 4096 // 64
        return highest

    def _between(self, query: str, low: int, high: int) -> Iterator[tuple[Any, ...]]:
        """The rows of these numbers, newest first; what can't be read is passed over.

        Where the next row below can't be read, its neighbourhood is entered from further below, by
        halves: so a damaged page costs its own rows only.
        """
        while low <= high:
            last = None
            try:
                for row in self._source.execute(query, (low, high)):
                    last = row[0]
                    yield row
            except (sqlite3.Error, OverflowError):
                if last is not None:
                    high = last - 1
                    continue
                if low == high:
                    self.unreadable += 1
                    return
                middle = (low + high) // 2
                yield from self._between(query, middle + 1, high)
                high = middle
            else:
                return


def _sound(row: tuple[Any, ...]) -> tuple[object, ...] | None:
    """The row, if it is one that muxd could have written; None if it isn't."""
    try:
        record = rows.record_of([_text(v) if type(v) is bytes else v for v in row])
        return rows.row_of(record) if _is_sound(record) else None
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


def _is_sound(record: Record) -> bool:
    texts = (record.id, record.job, record.plugin, record.session)
    instants = (record.released_at, record.started_at, record.ended_at)
    return (
        all(type(text) is str for text in texts)
        and bool(record.id and record.job)
        and type(record.attempt) is int
        and isinstance(record.speed, (int, float))
        and all(at is None or 0 <= at < 1e11 for at in instants)
        and record.released_at is not None
    )


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


@contextmanager
def source_of(damaged: Path, scratch: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection to read a damaged ledger by; None if nothing of it is a ledger.

    Where its first page, with the names of the tables, is lost, a copy in `scratch` is given that
    of a new ledger: the tables of all ledgers that came to be in the same way begin at the same
    places.
    """
    with _reading(damaged) as connection:
        if _can(connection, "SELECT 1 FROM runs, phases LIMIT 0"):
            yield connection
            return
    # As they are made, as they were made, and such a one written anew: each has its tables at other
    # places. All must be found: where an index is taken for another, what it says is nonsense.
    shutil.copyfile(damaged, scratch)
    with suppress(FileNotFoundError):
        shutil.copyfile(f"{damaged}-wal", f"{scratch}-wal")
    for enough in (all, any):
        for incremental, rewritten in ((True, False), (False, False), (False, True)):
            with scratch.open("r+b") as file:
                file.write(_first_page(incremental=incremental, rewritten=rewritten))
            with _reading(scratch) as connection:
                if enough(
                    _can(connection, f"SELECT job FROM {name} NOT INDEXED") for name in _TABLES
                ):
                    yield connection
                    return
    yield None


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode=ro", uri=True, isolation_level=None
    )
    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    try:
        yield connection
    finally:
        connection.close()


def _can(connection: sqlite3.Connection, query: str) -> bool:
    """Whether a question has the beginning of an answer."""
    try:
        connection.execute(query).fetchone()
    except sqlite3.Error:
        return False
    return True


def _first_page(*, incremental: bool, rewritten: bool) -> bytes:
    """That of a new ledger which was made, and perhaps written anew, in this way."""
    donor = sqlite3.connect(":memory:", isolation_level=None)
    try:
        create(donor, incremental=incremental)
        if rewritten:
            rewrite(donor)
        head = bytearray(donor.serialize()[:4096])
    finally:
        donor.close()
    head[18:20] = b"\2\2"  # its journal is a WAL, if one is there
    head[28:32] = bytes(4)  # its size is that of the file
    return bytes(head)
