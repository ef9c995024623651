"""A new ledger in the place of one that is damaged or gone.

All of it blocks, and is used by one thread at a time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, final

import structlog

from muxd.builtin._ledger_aside import Aside
from muxd.builtin._ledger_errors import damaged
from muxd.builtin._ledger_salvage import Salvage, source_of
from muxd.builtin._ledger_schema import create
from muxd.builtin._ledger_sqlite import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from muxd.builtin._ledger_present import Present

__all__ = ["Rebuild"]

SALVAGED = 5.0
"""For how long runs are taken over before the new ledger is used, seconds; that is more than 100,000
of them. The rest is taken over beside everything else."""
AT_ONCE = 200
"""How many runs are taken over at once then."""
NOT_AGAIN = 60.0
"""A ledger that is damaged so soon after the last one, seconds, is not set aside: it is the disk."""


@final
class Rebuild:
    """Sets a damaged ledger aside, and has what can be read of it in a new one."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        """For the ledger at `path`; `tell` is called with what people should know."""
        self._path, self._tell = path, tell
        self._aside = Aside(path)
        self._set_aside_at = -NOT_AGAIN
        # what is still being taken over from a damaged one, by what, and what to close then
        self._remainder: tuple[Salvage, Iterator[tuple[Any, ...]]] | None = None
        self._held_open = ExitStack()

    @property
    def kept(self) -> list[Path]:
        """The damaged ledgers that were set aside, oldest first."""
        return self._aside.kept

    @property
    def owes(self) -> bool:
        """Whether something of one is still to be moved or taken over."""
        return self._aside.target is not None

    def close(self) -> None:
        """Let go of the one that is being read: `take_over` will begin again."""
        self._held_open.close()
        self._remainder = None

    def sync(self) -> None:
        """Have the names of the files survive a power cut."""
        self._aside.sync()

    def check_patience(self, damage: str) -> None:
        """Raises `LedgerError` if the last one was set aside so shortly before."""
        if time.monotonic() < self._set_aside_at + NOT_AGAIN:
            raise damaged(self._path, f"again, so soon after the last was set aside: {damage}")
        self._set_aside_at = time.monotonic()

    def begin(self) -> Path:
        """Begin to set the ledger aside; where to is returned, and `finish` does the rest.

        Raises:
          OSError: it can't be moved.
        """
        return self._aside.begin(time.time())

    def finish(self, present: Present) -> None:
        """Move what is left to be moved, and have a new ledger if there is none; else do nothing.

        Raises:
          OSError: it can't be done.
        """
        target = self._aside.target
        if target is None:
            return
        self._aside.move()
        if self._path.exists():
            return
        with source_of(target, self._aside.scratch) as source:
            complete, told = self.build(source, present)
        self._aside.clear()
        if complete:
            self._aside.done()
        else:
            told += "; more is being taken over"
        told = f"the ledger was damaged and is kept as {target.name}; {told}"
        self._tell(told)
        structlog.get_logger().critical(told)

    def build(self, source: sqlite3.Connection | None, present: Present) -> tuple[bool, str]:
        """Make a new ledger of the present and what can be read, and put it in its place.

        Returns:
          Whether all that can be read is in it, and what is, for people.
        """
        self._aside.clear()
        os.close(os.open(self._aside.fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        fresh = sqlite3.connect(self._aside.fresh, isolation_level=None)
        salvage, complete = None, True
        try:
            # It counts only once it is complete and in its place.
            fresh.execute("PRAGMA synchronous = OFF")
            create(fresh)
            with transaction(fresh):
                present.put_into(fresh)
                if source is not None:
                    salvage = Salvage(source)
                    salvage.small(fresh)
                    present.put_into(fresh)
                    complete = salvage.rest(fresh, until=time.monotonic() + SALVAGED)
            told = _contents(fresh)
        finally:
            fresh.close()
        self._aside.install()
        if salvage is None:
            told = f"nothing of it could be read; {told}"
        return complete, told + (_unreadable(salvage) if salvage is not None and complete else "")

    def take_over(self, connection: sqlite3.Connection) -> bool:
        """Take over some more of a ledger that was set aside; False if nothing is left."""
        target = self._aside.target
        if target is None:
            return False
        if self._remainder is None:
            source = self._held_open.enter_context(source_of(target, self._aside.scratch))
            if source is None:
                self._settled()
                return False
            salvage = Salvage(source)
            self._remainder = salvage, salvage.all_runs()
        salvage, found = self._remainder
        batch = list(islice(found, AT_ONCE))
        with transaction(connection):
            salvage.put(connection, batch)
        if batch:
            return True
        if salvage.runs:
            told = f"{salvage.runs} more runs were taken over from {target.name}"
            told += _unreadable(salvage)
            self._tell(told)
            structlog.get_logger().warning(told)
        self._settled()
        return False

    def _settled(self) -> None:
        self.close()
        self._aside.clear()
        self._aside.done()


def _contents(connection: sqlite3.Connection) -> str:
    runs, phases, pauses = (
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("runs", "phases", "pauses")
    )
    return f"{runs} runs, {phases} places on the timetable and {pauses} pauses are in the new one"


def _unreadable(salvage: Salvage) -> str:
    if not salvage.is_bounded:
        return "; how many runs could not be read is not known"
    return f"; about {salvage.unreadable} runs could not be read" * (salvage.unreadable > 0)
