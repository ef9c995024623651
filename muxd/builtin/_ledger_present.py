"""The present of a ledger, kept in memory: what a new one must know if the old one is damaged."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, final

from muxd.builtin import _ledger_rows as rows
from muxd.release import Cause

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from muxd.pause import Pause
    from muxd.record import Record

__all__ = ["Present"]


@final
class Present:
    """Runs that have not ended, the newest release of each job, phases and pauses.

    As small as the number of jobs, whatever the ledger's size. To be told of each write that
    succeeded.
    """

    def __init__(self) -> None:
        """Know nothing."""
        # {run id: its record}
        self._unfinished: dict[str, Record] = {}
        # {job name: the record of its newest release by its slot}
        self._newest: dict[str, Record] = {}
        self._places: Mapping[str, rows.Place] = {}
        self._pauses: Mapping[str, Pause] = {}

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Present:
        """Learn what is in a ledger. Raises `sqlite3.Error`."""
        present = cls()
        present._read(connection, rows.UNFINISHED)
        present._read(connection, rows.NEWEST_RELEASES)
        present._places = rows.read_places(connection)
        present._pauses = rows.read_pauses(connection)
        return present

    def _read(self, connection: sqlite3.Connection, query: str) -> None:
        for row in connection.execute(query):
            with suppress(ValueError):  # somebody else's words: who asks for it is told
                self.wrote([rows.record_of(row)])

    def wrote(self, records: Iterable[Record]) -> None:
        """Take note of records that are in the ledger now."""
        for record in records:
            if record.outcome is None:
                self._unfinished[record.id] = record
            else:
                self._unfinished.pop(record.id, None)
            if record.cause in (Cause.slot, Cause.catch_up) and record.speed == 1:
                newest = self._newest.get(record.job)
                if newest is None or newest.released_at <= record.released_at:
                    self._newest[record.job] = record

    def set_places(self, places: Mapping[str, rows.Place]) -> None:
        """Take note of the phases in force."""
        self._places = dict(places)

    def set_pauses(self, pauses: Mapping[str, Pause]) -> None:
        """Take note of the pauses."""
        self._pauses = dict(pauses)

    def put_into(self, connection: sqlite3.Connection) -> None:
        """Write what is known into a ledger that may have some of it, in the caller's transaction.

        A run that has an outcome there keeps it.
        """
        known = {record.id: record for record in self._newest.values()} | self._unfinished
        connection.executemany(rows.INSERT_IF_NEW, map(rows.row_of, known.values()))
        if self._places:
            rows.replace_places(connection, self._places)
        if self._pauses:
            rows.replace_pauses(connection, self._pauses)
