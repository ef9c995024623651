"""What was logged by a run, out of the log files."""

from __future__ import annotations

import json
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, final

import trio

from muxd.events import RunLogged
from muxd.logfile import masked
from muxd.logreading import LogReader
from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muxd.logfile import LogFile
    from muxd.record import Record

__all__ = ["RunLog", "lines_of"]

CHECKED = 500
"""After how many lines it is looked whether those before can be the run's."""


@final
class RunLog:
    """Reads what runs have logged, and tells who has read it that there is more."""

    def __init__(
        self,
        folder: Path,
        *,
        mask: Callable[[str], str],
        publish: Callable[[RunLogged], object],
        log: LogFile | None = None,
    ) -> None:
        """Make one; nothing is read yet.

        Args:
          folder: where the files are.
          mask: takes out what must not be shown.
          publish: tells all that listen; from any thread.
          log: who writes the files in this process; None: nobody does.
        """
        self._folder, self._mask, self._publish, self._log = folder, mask, publish, log

    async def read(self, record: Record, *, limit: int) -> list[dict[str, Any]]:
        """The newest lines of a run, oldest first, in a thread; cancelled, that is left to itself.

        Of a run that has not ended the next line is told by a `RunLogged`, once.
        """
        if self._log is not None and record.outcome is None:
            self._log.when_more(record.id, partial(self._more, record.id))  # none falls in between
        read = partial(lines_of, self._folder, record, limit=limit, mask=self._mask)
        return await trio.to_thread.run_sync(read, abandon_on_cancel=True)

    def _more(self, run_id: str) -> None:
        self._publish(RunLogged(at=time.time(), run=run_id))


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
