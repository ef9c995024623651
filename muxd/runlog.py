"""What was logged by a run, out of the log files."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from muxd.logfile import masked
from muxd.logreading import LogReader
from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muxd.record import Record

__all__ = ["lines_of"]

CHECKED = 500
"""After how many lines it is looked whether those before can be the run's."""


def lines_of(
    folder: Path, record: Record, *, limit: int, mask: Callable[[str], str]
) -> list[dict[str, Any]]:
    """The newest lines of a run, oldest first, each the object that was logged. Blocks.

    Args:
      folder: where the files are.
      record: of which run.
      limit: how many lines at most.
      mask: takes out what must not be shown.
    """
    since = utc_text(record.released_at) or ""
    found: list[dict[str, Any]] = []
    with closing(LogReader(folder)) as reader:
        for number, line in enumerate(reader.backwards(since=record.released_at)):
            ours = record.id in line
            if not ours and number % CHECKED:
                continue
            told = _object(masked(line, mask) if ours else line)
            if ours and told.get("run") == record.id:
                found.append(told)
            if len(found) == limit or str(told.get("at", since)) < since:
                break
    return found[::-1]


def _object(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
