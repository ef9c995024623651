"""The data file's tables: which belong to which job, and how they grow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from muxd.body.cells import quoted, row_from
from muxd.body.plain import COLUMNS, key_of
from muxd.errors import ItemError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

__all__ = ["APPLICATION_ID", "VERSION", "Table", "create", "opened_table", "state_of", "tables_of"]

APPLICATION_ID = 0x6D757864 + 1
"""Tells data files from ledgers, and from other people's SQLite files."""
VERSION = 1
"""The version of what stands here."""
_CREATE = (
    """\
CREATE TABLE _tables (
    job TEXT NOT NULL,
    name TEXT NOT NULL,               -- '' for the job's own table
    sql_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    key TEXT NOT NULL,                -- the key's columns, a JSON list; [] for all together
    PRIMARY KEY (job, name)
)""",
    """\
CREATE TABLE _state (
    job TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL,              -- JSON; counts unless `run` has not become good
    run TEXT NOT NULL,                -- the id of the run that wrote it
    previous TEXT                     -- JSON; counts then; NULL: there was none
)""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


@attrs.frozen
class Table:
    """One table of a job's, as it is in the file."""

    job: str
    name: str
    sql_name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    """Those of the items."""

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return quoted(self.sql_name)


def create(connection: sqlite3.Connection) -> None:
    """Make what every data file has, in the transaction that the caller has begun."""
    for statement in _CREATE:
        connection.execute(statement)


def tables_of(connection: sqlite3.Connection, job: str | None = None) -> list[Table]:
    """The tables of a job, its own first; or (None) of all jobs, by name."""
    found = connection.execute(
        "SELECT job, name, sql_name, key FROM _tables WHERE :job IS NULL OR job = :job ORDER BY job, name",
        {"job": job},
    ).fetchall()
    return [
        Table(job, name, sql_name, tuple(json.loads(key)), _columns(connection, sql_name))
        for job, name, sql_name, key in found
    ]


def _columns(connection: sqlite3.Connection, sql_name: str) -> tuple[str, ...]:
    found = connection.execute(f"PRAGMA table_info({quoted(sql_name)})").fetchall()
    return tuple(row[1] for row in found[_OWN:])


def state_of(connection: sqlite3.Connection, job: str) -> tuple[str, str, str | None] | None:
    """What is kept of a job's state: its value, the run that wrote it, and the value before."""
    found = connection.execute(
        "SELECT value, run, previous FROM _state WHERE job = ?", (job,)
    ).fetchone()
    return None if found is None else tuple(found)


# The key of a row, for `key_of`; which of its cells are more than SQLite's types, for `row_from`.
_OWN_COLUMNS = """\
_muxd_row INTEGER PRIMARY KEY, _muxd_key BLOB NOT NULL UNIQUE, _muxd_kinds TEXT,
first_seen REAL NOT NULL, last_seen REAL NOT NULL, run TEXT NOT NULL, gone_at REAL"""
_OWN = 7


def opened_table(
    connection: sqlite3.Connection,
    job: str,
    name: str,
    columns: Iterable[str],
    key: tuple[str, ...],
) -> Table:
    """A table with (at least) these columns and this key, made or grown where it must be.

    In the transaction that the caller has begun.

    Raises:
      ItemError: it can't have a column.
    """
    known = next((t for t in tables_of(connection, job) if t.name == name), None)
    table = _new_table(connection, job, name, key) if known is None else known
    table = _grown(connection, table, columns)
    return table if table.key == key else _with_key(connection, table, key)


def _new_table(connection: sqlite3.Connection, job: str, name: str, key: tuple[str, ...]) -> Table:
    # Jobs of the same name but for capitals are two, and some names are SQLite's own.
    base = f"{job}/{name}" if name else job
    taken = {row[0].lower() for row in connection.execute("SELECT name FROM sqlite_master")}
    sql_name, number = base, 2
    while sql_name.lower() in taken or sql_name.lower().startswith("sqlite_"):
        sql_name, number = f"job {base} {number}", number + 1
    connection.execute(f"CREATE TABLE {quoted(sql_name)} ({_OWN_COLUMNS})")
    connection.execute(
        "INSERT INTO _tables VALUES (?, ?, ?, ?)", (job, name, sql_name, json.dumps(key))
    )
    return Table(job, name, sql_name, key, ())


def _grown(connection: sqlite3.Connection, table: Table, columns: Iterable[str]) -> Table:
    known = {column.lower(): column for column in table.columns}
    new = []
    for column in columns:
        there = known.setdefault(column.lower(), column)
        if there != column:
            raise ItemError(
                f"the table has a column {there!r}, and these items have {column!r}: the names of "
                "columns are the same in capitals and in small letters; use one of them"
            )
        if column not in table.columns:
            new.append(column)
    if len(table.columns) + len(new) > COLUMNS:
        raise ItemError(
            f"the table would have {len(table.columns) + len(new)} columns, at most {COLUMNS} can be: "
            "are values (dates, ids) the keys of these items? Give each a row of its own"
        )
    for column in new:
        # Without a type: SQLite then keeps each value as it is.
        connection.execute(f"ALTER TABLE {table.quoted} ADD COLUMN {quoted(column)}")
    return attrs.evolve(table, columns=(*table.columns, *new))


def _with_key(connection: sqlite3.Connection, table: Table, key: tuple[str, ...]) -> Table:
    """Have other columns tell rows apart; of rows that are one now, the one seen last stays."""
    cells = ", ".join(["_muxd_row", "_muxd_kinds", *map(quoted, table.columns)])
    connection.execute("CREATE TEMP TABLE other_key (row INTEGER PRIMARY KEY, key BLOB UNIQUE)")
    try:
        rows = connection.execute(
            f"SELECT {cells} FROM {table.quoted} ORDER BY last_seen DESC, _muxd_row DESC"
        )
        connection.executemany(
            "INSERT OR IGNORE INTO other_key VALUES (?, ?)",
            (
                (row, key_of(row_from(table.columns, values, kinds), key))
                for row, kinds, *values in rows
            ),
        )
        connection.execute(
            f"DELETE FROM {table.quoted} WHERE _muxd_row NOT IN (SELECT row FROM other_key)"
        )
        # In two steps: a key may be another row's on the way.
        connection.execute(f"UPDATE {table.quoted} SET _muxd_key = CAST(_muxd_row AS TEXT)")
        connection.execute(
            f"UPDATE {table.quoted} SET _muxd_key = "
            f"(SELECT key FROM other_key WHERE row = _muxd_row)"
        )
    finally:
        connection.execute("DROP TABLE other_key")
    connection.execute(
        "UPDATE _tables SET key = ? WHERE job = ? AND name = ?",
        (json.dumps(key), table.job, table.name),
    )
    return attrs.evolve(table, key=key)
