"""Rows in a file: CSV or JSON lines, each time replaced whole or added to, never half written."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Row = dict[str, Any]

__all__ = ["RowFile"]


@attrs.frozen(kw_only=True)
class RowFile:
    """One file of rows. Who reads it meanwhile sees the old one whole, or the new one."""

    path: Path
    columns: tuple[str, ...]
    """In this order in a CSV file."""
    key: tuple[str, ...]
    """The columns by which a row is known again."""

    def replace(self, rows: Iterable[Row]) -> int:
        """Have these rows in it and no others; gives how many."""
        return self._write(rows, columns=self.columns)

    def append(self, rows: Iterable[Row]) -> int:
        """Add those that it does not have yet; gives how many."""
        there, columns = self._read()
        known = {self._key_of(row) for row in there}
        new = []
        for row in rows:
            key = self._key_of(row)
            if key not in known:
                known.add(key)
                new.append(row)
        if not new:
            return 0
        # Columns that are new go behind, so that older rows stay what they are.
        columns = tuple(dict.fromkeys((*columns, *self.columns)))
        self._write([*there, *new], columns=columns)
        return len(new)

    @property
    def _is_csv(self) -> bool:
        return self.path.suffix.lower() == ".csv"

    def _key_of(self, row: Row) -> tuple[str, ...]:
        # As it stands in the file: there all are texts.
        return tuple(_cell(row.get(name)) for name in self.key)

    def _read(self) -> tuple[list[Row], tuple[str, ...]]:
        try:
            text = self.path.read_text("utf-8-sig")
        except FileNotFoundError:
            return [], ()
        if not self._is_csv:
            return list(self._lines(text)), ()
        reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
        rows = [{n: v for n, v in row.items() if n is not None} for row in reader]
        return rows, tuple(reader.fieldnames or ())

    def _lines(self, text: str) -> Iterator[Row]:
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("it is no object")
            except ValueError as error:
                raise ValueError(
                    f"{self.path}:{number}: this is no line of JSON ({error}): "
                    "mend it, or give another file"
                ) from None
            yield row

    def _write(self, rows: Iterable[Row], *, columns: Sequence[str]) -> int:
        count = 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                if self._is_csv:
                    writer.writerow(columns)
                for row in rows:
                    count += 1
                    if self._is_csv:
                        writer.writerow([_cell(row.get(column)) for column in columns])
                    else:
                        file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                os.fchmod(file.fileno(), self._mode())
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return count

    def _mode(self) -> int:
        try:
            return self.path.stat().st_mode & 0o777
        except FileNotFoundError:
            umask = os.umask(0o077)
            os.umask(umask)
            return 0o666 & ~umask


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
