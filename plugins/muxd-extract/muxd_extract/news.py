"""What there is to tell of what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from muxd_extract.options import PageOptions

__all__ = ["News", "news_of"]

MOST_LINES = 10
"""How many rows of a kind are told of one by one."""
LONGEST_VALUE = 80
MOST_VALUES = 4


@attrs.frozen
class News:
    """A title and a text, for people."""

    title: str
    text: str


def news_of(saved: Any, options: PageOptions) -> News | None:
    """What is told of these rows; None if nothing is.

    Args:
      saved: what `Run.save` gave.
      options: say what is news.
    """
    counts, lines = [], []
    for kind, mark in (("new", "+"), ("changed", "~"), ("gone", "-")):
        rows = list(getattr(saved, kind)) if kind in options.tell else []
        if not rows:
            continue
        counts.append(f"{len(rows)} {kind}")
        told = _changes(rows, options) if kind == "changed" else _rows(rows, options)
        lines += [f"{mark} {line}" for line, _ in zip(told, range(MOST_LINES), strict=False)]
        if len(rows) > MOST_LINES:
            lines.append(f"{mark} and {len(rows) - MOST_LINES} more")
    return News(", ".join(counts), "\n".join(lines)) if counts else None


def _rows(rows: Iterable[Mapping[str, Any]], options: PageOptions) -> Iterator[str]:
    for row in rows:
        values = [_shown(row.get(name)) for name in options.columns]
        yield ", ".join([value for value in values if value][:MOST_VALUES])


def _changes(changes: Iterable[Any], options: PageOptions) -> Iterator[str]:
    for change in changes:
        differ = [
            f"{name} {_shown(change.before.get(name)) or 'nothing'} -> "
            f"{_shown(change.after.get(name)) or 'nothing'}"
            for name in options.columns
            if change.before.get(name) != change.after.get(name)
        ]
        key = ", ".join(_shown(change.after.get(name)) for name in options.key)
        yield f"{key}: {'; '.join(differ[:MOST_VALUES])}"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
