"""Rows that jobs have saved, in the forms in which ``muxd data`` gives them."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muxd.body.plain import OURS
from muxd.errors import UserError, WorldError
from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import tzinfo

    from rich.text import TextType

__all__ = ["for_json", "print_csv", "print_rows", "write_parquet"]

INSTANTS = ("first_seen", "last_seen", "gone_at")
_WIDE = 60
"""Characters of a cell of the table at most."""
_AT_ONCE = 10_000


def for_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row for JSON: instants as everywhere in ISO 8601, bytes in base64."""
    shown = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in row.items()
    }
    return shown | {name: utc_text(row[name]) for name in INSTANTS}


def print_csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Print rows as CSV in UTF-8; None is empty, and what is nested is JSON.

    On a terminal it is shown without what would be commands to it.
    """
    import csv
    import io
    import sys

    from muxd.cli.output import harmless

    def flush() -> None:
        text = buffer.getvalue()
        # Elsewhere all is as it was saved: click would leave out what is for terminals.
        click.echo(harmless(text) if sys.stdout.isatty() else text, nl=False, color=True)
        buffer.seek(0)
        buffer.truncate()

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        plain = for_json(row)
        writer.writerow([_text(plain[name]) for name in columns])
        if buffer.tell() > 100_000:
            flush()
    flush()


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return value


def print_rows(columns: Sequence[str], rows: Sequence[dict[str, Any]], zone: tzinfo) -> None:
    """Print rows as a table for people: their columns, when they were seen, and if they are gone."""
    import time

    from muxd.cli.output import clock_text, print_table, short

    now, own = time.time(), [name for name in columns if name not in OURS]
    shown = [*own, "first_seen", "last_seen"]
    if any(row["gone_at"] is not None for row in rows):
        shown.append("gone_at")

    def cell(row: dict[str, Any], name: str) -> TextType | None:
        value = row[name]
        if value is None:
            return None
        if name in INSTANTS:
            return clock_text(value, zone, now=now)
        if isinstance(value, bytes):
            return f"{len(value)} bytes"
        return short(str(_text(value)), _WIDE)

    numbers = [name for name in own if all(_is_number(row[name]) for row in rows)]
    headings = [name.replace("_", " ") if name in INSTANTS else name for name in shown]
    print_table(headings, [[cell(row, name) for name in shown] for row in rows], right=numbers)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def write_parquet(
    path: Path, columns: Sequence[str], rows: Callable[[], Iterator[dict[str, Any]]]
) -> int:
    """Write rows into a Parquet file, which is complete or not there; how many there were.

    A column has the type that all its values have; integers and floats together are floats, anything
    else that differs is text, and what is nested JSON.

    Args:
      path: the file; what was there is replaced.
      columns: all columns.
      rows: gives the rows, the same ones each time.

    Raises:
      UserError: pyarrow is not installed.
      WorldError: the file can't be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(
            "Parquet needs pyarrow, which is not installed: pip install 'muxd[parquet]', "
            "or take --csv or --json"
        ) from None
    kinds = _kinds(columns, rows())
    moment = pa.timestamp("us", tz="UTC")
    types = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "bytes": pa.binary()}
    schema = pa.schema(
        [
            (name, moment if name in INSTANTS else types.get(kinds[name], pa.string()))
            for name in columns
        ]
    )
    written = 0
    try:
        draft = _draft(path)
        try:
            with pq.ParquetWriter(draft, schema) as writer:
                for part in _parts(rows()):
                    values = {
                        name: [_typed(row[name], name, kinds[name]) for row in part]
                        for name in columns
                    }
                    writer.write_table(pa.table(values, schema=schema))
                    written += len(part)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise WorldError(f"{path} is not written: {error.strerror or error}") from error
    return written


def _kinds(columns: Sequence[str], rows: Iterator[dict[str, Any]]) -> dict[str, str]:
    """Of each column the type that all its values have: int, float, bool, bytes or text."""
    seen: dict[str, set[str]] = {name: set() for name in columns}
    for row in rows:
        for name, value in row.items():
            if value is not None:
                seen[name].add(type(value).__name__)
    found = {}
    for name, kinds in seen.items():
        if kinds == {"int", "float"}:
            found[name] = "float"
        else:
            found[name] = kinds.pop() if len(kinds) == 1 else "text"
    return found


def _typed(value: Any, name: str, kind: str) -> Any:
    if value is None:
        return None
    if name in INSTANTS:
        return datetime.fromtimestamp(value, UTC)
    if kind in ("int", "float", "bool", "bytes", "str"):
        return float(value) if kind == "float" else value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(_text(value))


def _draft(path: Path) -> Path:
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(fd)
    return Path(name)


def _parts(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    from itertools import islice

    while part := list(islice(rows, _AT_ONCE)):
        yield part
