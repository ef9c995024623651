"""How commands print: one JSON document, or tables for people."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muxd.units import format_duration, format_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.text import TextType

    from muxd.record import Record

__all__ = [
    "clock_text",
    "console",
    "duration_text",
    "error_text",
    "harmless",
    "print_json",
    "print_plain",
    "print_table",
    "progress_text",
    "short",
    "short_id",
]

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
MANY = 500
"""Tables of more rows are printed plainly."""
_WIDE = 1000
"""Columns where no terminal sets a limit: a reader like ``grep`` wants whole lines."""


def print_json(document: object) -> None:
    """Print one JSON document: indented by 2, UTF-8, keys in the order given.

    What is no UTF-8 (half of a surrogate pair, as in names of files that are not) makes it ASCII.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, default=_plain)
    if not _is_text(text):
        text = json.dumps(document, indent=2, default=_plain)
    click.echo(text)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} can't be printed as JSON")


def console(*, stderr: bool = False) -> Console:
    """A rich console for people; without colours under ``NO_COLOR`` and off a terminal.

    Off a terminal lines are as long as they are, unless ``COLUMNS`` says otherwise.
    """
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made = Console(stderr=stderr, highlight=False, width=_WIDE)
    return made


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[TextType | None]], *, right: Iterable[str] = ()
) -> None:
    """Print rows under headings. All texts are taken as they are: ``[brackets]`` are no markup.

    Args:
      columns: the headings.
      rows: a cell each; None and "" are empty. A `rich.text.Text` keeps its style.
      right: the headings of columns that are set to the right, such as numbers.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    columns, right = [*map(harmless, columns)], {*map(harmless, right)}
    cells = [
        [cell if isinstance(cell, Text) else Text(harmless(cell or "")) for cell in row]
        for row in rows
    ]
    if len(cells) > MANY:
        plain = [[cell.plain for cell in row] for row in cells]
        print_plain(columns, plain, right=right, width=cell_len)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            Text(column),
            justify="right" if column in right else "left",
            no_wrap=column in right or column == columns[0],
        )
    for row in cells:
        table.add_row(*row)
    out = console()
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())  # one long cell would have all lines as long


def print_plain(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Iterable[str] = (),
    width: Callable[[str], int] = len,
) -> None:
    """As `print_table`, without colours and line breaks, and without rich, which takes its time.

    `width` gives the columns of a terminal that a text takes.
    """
    to_right = [column in set(right) for column in columns]
    widths = [max(map(width, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = []
        for cell, wide, pushed in zip(row, widths, to_right, strict=True):
            space = " " * (wide - width(cell))
            cells.append(space + cell if pushed else cell + space)
        click.echo("  ".join(cells).rstrip())


def harmless(text: str) -> str:
    """`text` for a terminal: what a page or a job wrote must not be a command to it.

    Control characters but tabs and line ends are shown as ``\\x1b``; so is what is no UTF-8.
    """
    shown = text.encode(errors="backslashreplace").decode()
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", shown)


def progress_text(progress: Mapping[str, Any]) -> str:
    """How far a run says that it is, as the daemon tells it: ``3 of 12 (25 %), page two``."""
    text = format_share(progress["done"], progress["total"])
    return f"{text}, {harmless(progress['text'])}" if progress["text"] else text


def error_text(kind: str | None, message: str | None) -> str:
    """An error of a record for people: the class without its module, and the message, if any."""
    return ": ".join(filter(None, ((kind or "").rpartition(".")[2], message)))


def duration_text(seconds: float | None) -> str:
    """A duration for people, two units at most: ``1.2s``, ``3m20s``, ``1d4h``; "-" for None."""
    if seconds is None:
        return "-"
    size = abs(seconds)
    if size < 1:
        return format_duration(round(seconds, 3))
    if size < 10:
        return f"{seconds:.1f}s".replace(".0s", "s")
    for unit, above in ((1, 3600), (60, 86400), (3600, float("inf"))):
        if size < above:
            return format_duration(round(seconds / unit) * unit)
    raise AssertionError("unreachable")


def clock_text(
    instant: float | None, zone: tzinfo, *, now: float | None = None, seconds: bool = True
) -> str:
    """An instant (Unix seconds) for people, in `zone`: the time, with the date unless it is today.

    "-" for None. Without `now` the date is always shown.
    """
    if instant is None:
        return "-"
    moment = datetime.fromtimestamp(instant, UTC).astimezone(zone)
    text = moment.strftime("%H:%M:%S" if seconds else "%H:%M")
    if (
        now is not None
        and moment.date() == datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    ):
        return text
    return moment.strftime("%Y-%m-%d ") + text


def short_id(record: Record) -> str:
    """The end of a run's id: enough to name it to `muxd history show`."""
    return record.id[-6:]


def short(text: str, width: int = 60) -> str:
    """`text` in one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
