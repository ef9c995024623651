"""While the ledger can't be written, records wait in memory; nothing is lost and nobody is held up."""

from __future__ import annotations

import contextlib
import sqlite3

import structlog
import trio
import trio.testing

from muxd.builtin.ledger import Ledger
from muxd.record import Outcome, Record
from muxd.writer import RecordWriter

NOON = 1_795_521_600.0


class Told(Ledger):
    """A ledger that tells when something was written."""

    def __init__(self, directory, **options):
        super().__init__(directory, **options)
        self.written = trio.Event()

    async def write(self, *records):
        await super().write(*records)
        self.written.set()


def released(number):
    return Record(id=f"{number:04}", job="a", released_at=NOON + number, error="x" * 3000)


def ended(number):
    return Record(
        id=f"{number:04}", job="a", released_at=NOON + number, started_at=NOON + number,
        ended_at=NOON + number + 1, outcome=Outcome.ok, error="x" * 3000,
    )  # fmt: skip


async def test_records_wait_for_room_on_the_disk(tmp_path):
    """A full disk costs no record: they are in memory, and written as soon as there is room."""
    with trio.fail_after(60):
        async with Told(tmp_path).open() as ledger, trio.open_nursery() as nursery:
            writer = RecordWriter(ledger)
            nursery.start_soon(writer.run)
            assert await writer.write(released(0))
            connection = ledger._file._connection
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 1}")
            with structlog.testing.capture_logs() as logs:
                for number in range(40):
                    await writer.write(released(number))
                for number in range(30):
                    await writer.write(ended(number))
                assert len(writer.pending) == 40
                assert "the disk or the quota is full" in logs[0]["error"]
                ledger.written = trio.Event()
                connection.execute("PRAGMA max_page_count = 1000000")
                await ledger.written.wait()
                await trio.testing.wait_all_tasks_blocked()
            assert writer.pending == ()
            assert writer.lost == 0
            found = {record.id: record for record in await ledger.history(limit=100)}
            assert found == {record.id: record for record in map(ended, range(30))}
            assert list(await ledger.unfinished()) == [released(n) for n in range(30, 40)]
            nursery.cancel_scope.cancel()


async def test_records_wait_while_another_program_holds_the_lock(tmp_path):
    """Writes return within the patience, and are made up for when the lock is gone."""
    with trio.fail_after(60):
        async with Told(tmp_path, patience=0.1).open() as ledger, trio.open_nursery() as nursery:
            writer = RecordWriter(ledger)
            nursery.start_soon(writer.run)
            with contextlib.closing(
                sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
            ) as other:
                other.execute("BEGIN IMMEDIATE")
                for number in range(20):
                    assert not await writer.write(ended(number))
            await ledger.written.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert writer.pending == ()
            assert writer.lost == 0
            assert len(await ledger.history()) == 20
            nursery.cancel_scope.cancel()
