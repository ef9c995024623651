"""Plain values as SQLite keeps them, and back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["cell_of", "kinds_of", "quoted", "row_from"]

_JSON, _BOOL = "json", "bool"


def cell_of(value: Any) -> Any:
    """What stands in the column: SQLite has no lists, mappings and truth values of its own."""
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return int(value) if isinstance(value, bool) else value


def kinds_of(row: Mapping[str, Any]) -> str | None:
    """Which columns of a row are more than SQLite's own types, for its column of that name."""
    kinds = {
        name: _BOOL if isinstance(value, bool) else _JSON
        for name, value in row.items()
        if isinstance(value, (bool, list, dict))
    }
    return json.dumps(kinds, ensure_ascii=False) if kinds else None


def row_from(columns: Sequence[str], cells: Sequence[Any], kinds: str | None) -> dict[str, Any]:
    """The row that stands so in the file."""
    row = dict(zip(columns, cells, strict=True))
    for name, kind in json.loads(kinds).items() if kinds else ():
        value = row.get(name)
        if kind == _BOOL and isinstance(value, int):
            row[name] = bool(value)
        elif kind == _JSON and isinstance(value, str):
            with suppress(ValueError):  # somebody has edited it by hand
                row[name] = json.loads(value)
    return row


def quoted(name: str) -> str:
    """A name of a table or column in SQL."""
    return '"' + name.replace('"', '""') + '"'
