"""Deleting old runs from the ledger, and giving their room back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

from muxd.builtin import _ledger_rows as rows
from muxd.builtin._ledger_file import transaction
from muxd.learned import Learned

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Plan", "check", "plan", "shrink"]

AT_ONCE = 100
"""How many runs are deleted in one transaction: others wait for it."""
SPARE, STEP = 1000, 50
"""How many free pages may stay for new runs, beside a tenth of all; and how many are given back at
once."""


def check(older_than: float, keep: int) -> None:
    """Raise `ValueError` for what can't be meant."""
    if math.isnan(older_than):
        raise ValueError("older_than is no instant: give Unix seconds")
    if keep < 0:
        raise ValueError(f"keep={keep} is not possible: give 0 or more")


def plan(connection: sqlite3.Connection, older_than: float, keep: int) -> Plan:
    """What is to be deleted. Only reads."""
    limit = min(max(older_than, -9e12), 9e12)
    # The newest that goes: all up to it go, in the order of the index.
    newest = (math.ceil(limit * 1e6) - 1, chr(0x10FFFF))
    too_many = connection.execute(rows.NTH_NEWEST, (keep,)).fetchone()
    if too_many is not None:
        newest = max(newest, too_many)
    protected: set[str] = set()
    for (job,) in connection.execute(rows.RELEASED_JOBS).fetchall():
        protected.update(run for (run,) in connection.execute(rows.NEWEST_ID, (job,)))
    for (job,) in connection.execute(rows.LEARNT_JOBS).fetchall():
        good = connection.execute(rows.GOOD_RUNS, (job, Learned.NEWEST))
        protected.update(run for (run,) in good)
    return Plan(newest, protected)


@final
class Plan:
    """Runs to be deleted, oldest first."""

    def __init__(self, newest: tuple[int, str], protected: set[str]) -> None:
        """See `plan`.

        Args:
          newest: the last that goes: when it ended, microseconds, and its id.
          protected: the ids of runs that stay.
        """
        self._newest, self._protected = newest, protected
        # The last that was looked at.
        self._at = (-(2**63), "")

    def delete_some(self, connection: sqlite3.Connection) -> int | None:
        """Delete some more, in one transaction; returns how many, None if none are left."""
        found = connection.execute(rows.OLDEST, (*self._at, AT_ONCE)).fetchall()
        old = [row for row in found if row <= self._newest]
        if not old:
            return None
        gone = [(run,) for _, run in old if run not in self._protected]
        with transaction(connection):
            connection.executemany("DELETE FROM runs WHERE id = ?", gone)
        self._at = old[-1]
        return len(gone)


def shrink(connection: sqlite3.Connection) -> bool:
    """Give some free room back to the file system; False if there is not much left.

    A file that was made by a muxd which could not do so yet stays as large as it is; its free room
    is used again.
    """
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if mode != 2 or free <= SPARE + pages // 10:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
    return True
