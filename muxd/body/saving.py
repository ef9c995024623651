"""Items into a job's table, compared with what is there: one transaction."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from muxd.body.cells import cell_of, kinds_of, quoted, row_from
from muxd.body.plain import Plain, key_of
from muxd.body.schema import opened_table, tables_of
from muxd.errors import ItemError
from muxd.saved import Change, Saved

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from muxd.body.schema import Table

__all__ = ["Saving"]

_AT_ONCE = 500
"""So many rows are compared at once: what is looked up is in the memory for as long."""


@attrs.frozen(kw_only=True)
class Saving:
    """What is to be saved."""

    job: str
    table: str
    """Empty: the job's own."""
    run: str
    key: tuple[str, ...]
    """Empty: all columns together."""
    complete: bool
    may_be_empty: bool = False
    """It can be right that nothing at all is there."""
    at: float
    """Unix seconds."""
    items: Sequence[object]

    def rows(self, check: Callable[[], None]) -> dict[bytes, dict[str, Any]]:
        """The items made plain, by their keys; of several with the same key the last.

        Raises:
          ItemError: one of them can't be kept.
        """
        rows: dict[bytes, dict[str, Any]] = {}
        plain = Plain()
        for number, item in enumerate(self.items):
            if number % _AT_ONCE == 0:
                check()
            row = plain.item(item, number)
            if self.key:
                self._check_key(row, number)
            rows[key_of(row, self.key)] = row
        return rows

    def _check_key(self, row: dict[str, Any], number: int) -> None:
        for column in self.key:
            if column not in row:
                raise ItemError(
                    f"items[{number}] has no {column!r}, which is the key: it has {', '.join(row)[:200]}"
                )
        if all(row[column] is None for column in self.key):
            named = " and ".join(map(repr, self.key))
            raise ItemError(
                f"items[{number}] has None as its key, {named}: leave out items without one, or give "
                "another key"
            )

    def save(
        self,
        connection: sqlite3.Connection,
        rows: dict[bytes, dict[str, Any]],
        check: Callable[[], None],
    ) -> Saved:
        """Put the rows into the table, in the transaction that the caller has begun.

        Args:
          connection: to the data file.
          rows: as `rows` gives them.
          check: raises if there is nobody any more who waits for it.

        Raises:
          ItemError: a column can't be, or all rows would be gone, which nobody has said to be right.
        """
        saved = Saved()
        known = [t for t in tables_of(connection, self.job) if t.name == self.table]
        if not rows and not known:
            return saved  # of nothing no table is made
        columns = dict.fromkeys(column for row in rows.values() for column in row)
        key = self.key if rows else known[0].key
        table = opened_table(connection, self.job, self.table, columns, key)
        counted = 0
        for part in _parts(rows.items()):
            check()
            counted += self._save_part(connection, table, part, saved)
        saved = attrs.evolve(saved, same=counted)
        if self.complete:
            check()
            if not rows and not self.may_be_empty:
                self._refuse_emptiness(connection, table)
            saved.gone.extend(self._gone(connection, table))
        return saved

    def _save_part(
        self,
        connection: sqlite3.Connection,
        table: Table,
        part: Sequence[tuple[bytes, dict[str, Any]]],
        saved: Saved,
    ) -> int:
        """Save some rows; how many were there just so."""
        there = self._there(connection, table, [key for key, _row in part])
        same, new, other = [], [], []
        for key, row in part:
            before, gone_at = there.get(key, (None, None))
            after = (before or dict.fromkeys(table.columns)) | row
            if before is None:
                new.append(self._cells(table, key, after))
            elif before != after:
                other.append(self._cells(table, key, after))
            else:
                same.append((self.at, self.run, key))
            if before is None or gone_at is not None:
                saved.new.append(after)
            elif before != after:
                saved.changed.append(Change(_key_value(after, table.key), before, after))
        connection.executemany(
            f"UPDATE {table.quoted} SET last_seen = ?, run = ?, gone_at = NULL WHERE _muxd_key = ?",
            same,
        )
        names = ["_muxd_key", "_muxd_kinds", "first_seen", "last_seen", "run", *table.columns]
        inserted = ", ".join(map(quoted, names))
        kept = [name for name in names if name not in ("_muxd_key", "first_seen")]
        updated = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in kept)
        connection.executemany(
            f"INSERT INTO {table.quoted} ({inserted}) VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT (_muxd_key) DO UPDATE SET {updated}, gone_at = NULL",
            [*new, *other],
        )
        return sum(there[key][1] is None for _at, _run, key in same)

    def _there(
        self, connection: sqlite3.Connection, table: Table, keys: Sequence[bytes]
    ) -> dict[bytes, tuple[dict[str, Any], float | None]]:
        cells = ", ".join(map(quoted, ("_muxd_key", "gone_at", "_muxd_kinds", *table.columns)))
        found = connection.execute(
            f"SELECT {cells} FROM {table.quoted} WHERE _muxd_key IN ({', '.join('?' * len(keys))})",
            keys,
        )
        return {
            key: (row_from(table.columns, values, kinds), gone_at)
            for key, gone_at, kinds, *values in found
        }

    def _cells(self, table: Table, key: bytes, row: dict[str, Any]) -> list[Any]:
        cells = [cell_of(row[column]) for column in table.columns]
        return [key, kinds_of(row), self.at, self.at, self.run, *cells]

    def _refuse_emptiness(self, connection: sqlite3.Connection, table: Table) -> None:
        """Raises `ItemError` if the run has found nothing, in its earlier calls neither, and rows are there."""
        (there, own) = connection.execute(
            f"SELECT count(*), count(*) FILTER (WHERE run = ?) FROM {table.quoted} WHERE gone_at IS NULL",
            (self.run,),
        ).fetchone()
        if there and not own:
            raise ItemError(
                f"there are no items, and with complete=True all {there} rows that are there would be "
                "gone: so it is, too, when a page could not be read. If it can be right that nothing is "
                "there, say so: may_be_empty=True"
            )

    def _gone(self, connection: sqlite3.Connection, table: Table) -> list[dict[str, Any]]:
        """Mark the rows that this run has not seen; those that were not marked before."""
        cells = ", ".join(map(quoted, ("_muxd_kinds", *table.columns)))
        found = connection.execute(
            f"SELECT {cells} FROM {table.quoted} WHERE run <> ? AND gone_at IS NULL ORDER BY _muxd_row",
            (self.run,),
        ).fetchall()
        connection.execute(
            f"UPDATE {table.quoted} SET gone_at = ? WHERE run <> ? AND gone_at IS NULL",
            (self.at, self.run),
        )
        return [row_from(table.columns, values, kinds) for kinds, *values in found]


def _key_value(row: dict[str, Any], key: tuple[str, ...]) -> Any:
    values = tuple(row[column] for column in key)
    return values[0] if len(values) == 1 else values


def _parts(
    rows: Iterable[tuple[bytes, dict[str, Any]]],
) -> Iterator[list[tuple[bytes, dict[str, Any]]]]:
    ahead = iter(rows)
    while part := list(islice(ahead, _AT_ONCE)):
        yield part
