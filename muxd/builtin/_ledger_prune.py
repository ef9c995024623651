"""Deleting old runs from the ledger, and giving their room back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import attrs

from muxd.builtin import _ledger_rows as rows
from muxd.builtin._ledger_sqlite import transaction
from muxd.learned import Learned

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Plan", "check", "plan", "shrink"]

AT_ONCE = 50
"""How many runs are looked at, and deleted, in one transaction: others wait for it."""
SPARE, STEP = 1000, 50
"""How many free pages may stay for new runs, beside a tenth of all; and how many are given back at
once."""
_FIRST = (-(2**63), "")
"""Before all runs, in the order of their ends."""


def check(older_than: float, keep: int) -> None:
    """Raise `ValueError` for what can't be meant."""
    if math.isnan(older_than):
        raise ValueError("older_than is no instant: give Unix seconds")
    if keep < 0:
        raise ValueError(f"keep={keep} is not possible: give 0 or more")


def plan(connection: sqlite3.Connection, older_than: float, keep: int) -> Plan:
    """What is to be deleted. Only reads.

    As many entries of an index as runs may stay: half a second for a million.
    """
    limit = min(max(older_than, -9e12), 9e12)
    # The newest that goes: all up to it go, in the order of the index.
    newest = (math.ceil(limit * 1e6) - 1, rows.AFTER_ALL_IDS)
    too_many = connection.execute(rows.NTH_NEWEST, (keep,)).fetchone()
    if too_many is not None:
        newest = max(newest, too_many)
    return Plan(newest)


@attrs.frozen
class _Needed:
    """What must stay of a job, however old."""

    release: str | None
    """The id of its newest release by its slot."""
    good: tuple[int, str]
    """The oldest of the good runs that are learned from: when it ended, and its id."""

    @classmethod
    def of(cls, job: str, connection: sqlite3.Connection) -> _Needed:
        release = connection.execute(rows.NEWEST_ID, (job,)).fetchone()
        good = connection.execute(rows.NTH_GOOD, (job, Learned.NEWEST - 1)).fetchone()
        return cls(release and release[0], good or _FIRST)


@final
class Plan:
    """Runs to be deleted, oldest first."""

    def __init__(self, newest: tuple[int, str]) -> None:
        """See `plan`; `newest` is the last that goes: when it ended, microseconds, and its id."""
        self._newest = newest
        # {job name: what must stay of it}, of those that were met: looked up once. What is needed
        # later is newer.
        self._needed: dict[str, _Needed] = {}
        # The last that was looked at.
        self._at = _FIRST

    def delete_some(self, connection: sqlite3.Connection) -> int | None:
        """Delete some more, in one transaction; returns how many, None if none are left."""
        found = connection.execute(rows.OLDEST, (*self._at, AT_ONCE)).fetchall()
        old = [row for row in found if row[:2] <= self._newest]
        if not old:
            return None
        gone = [(row[1],) for row in old if not self._is_needed(connection, *row)]
        if gone:
            with transaction(connection):
                connection.executemany(rows.DELETE, gone)
        self._at = old[-1][:2]
        return len(gone)

    def _is_needed(
        self, connection: sqlite3.Connection, end: int, run_id: str, job: str, is_good: int | None
    ) -> bool:
        needed = self._needed.get(job)
        if needed is None:
            needed = self._needed[job] = _Needed.of(job, connection)
        return run_id == needed.release or (bool(is_good) and (end, run_id) >= needed.good)


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
