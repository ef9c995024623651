"""A ledger looked into and copied: while it is written, from older and newer muxds, and damaged."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
import trio

from muxd.builtin import _ledger_copy as copying
from muxd.builtin import _ledger_schema as schema
from muxd.builtin.ledger import FILE_NAME, Ledger
from muxd.errors import LedgerError
from muxd.record import Outcome, Record

NOON = 1_795_521_600.0


def ended(number):
    return Record(
        id=f"{number:04}", job="a", released_at=NOON + number, started_at=NOON + number,
        ended_at=NOON + number + 1, outcome=Outcome.ok, error="x" * 3000,
    )  # fmt: skip


async def test_a_copy_is_whole_while_the_ledger_is_written(tmp_path, monkeypatch):
    """It ends although each step of it meets another write, and has none of these."""
    monkeypatch.setattr(copying, "AT_ONCE", 1)
    folder = tmp_path / "copy"
    folder.mkdir()
    with trio.fail_after(60):
        async with Ledger(tmp_path).open() as ledger, trio.open_nursery() as nursery:
            await ledger.write(*map(ended, range(50)))

            async def write(task_status):
                for number in range(50, 100_000):
                    await ledger.write(ended(number))
                    if number == 60:
                        task_status.started()

            await nursery.start(write)
            await ledger.backup(folder)
            nursery.cancel_scope.cancel()
        async with Ledger(folder).open() as copied:
            found = [record.id for record in await copied.history(limit=100_000)]
            assert len(found) > 60
            assert found == [f"{number:04}" for number in reversed(range(len(found)))]
    assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o600


async def test_a_copy_that_is_cancelled_ends(tmp_path):
    """The thread that makes it does not go on for as long as a large ledger takes."""
    (tmp_path / "copy").mkdir()
    with trio.fail_after(60):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(ended(1))
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert not copying.copy(connection, tmp_path / "copy" / "x", lambda: True)


async def test_what_an_older_muxd_left_can_be_copied_before_it_is_changed(tmp_path, monkeypatch):
    """A backup before the first start of a new muxd has the ledger as it was."""
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as old:
        schema.create(old)
    monkeypatch.undo()
    (tmp_path / "copy").mkdir()
    with trio.fail_after(60):
        assert "schema 2, which `muxd start` brings up to" in await Ledger(tmp_path).inspect()
        await Ledger(tmp_path).backup(tmp_path / "copy")
        assert "schema 2, " in await Ledger(tmp_path / "copy").inspect()


async def test_a_newer_one_is_refused(tmp_path):
    """It says so, and what to do."""
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as newer:
        schema.create(newer)
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with trio.fail_after(60):
        with pytest.raises(LedgerError, match="newer muxd"):
            await Ledger(tmp_path).inspect()


async def test_damage_is_found_and_nothing_is_changed(tmp_path):
    """A page that was overwritten is found, also beside a ledger that is in use."""
    with trio.fail_after(60):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(*map(ended, range(200)))
        file = tmp_path / FILE_NAME
        damaged = bytearray(file.read_bytes())
        damaged[8 * 4096 : 9 * 4096] = b"\xff" * 4096
        file.write_bytes(damaged)
        with pytest.raises(LedgerError, match="damaged"):
            await Ledger(tmp_path).inspect()
        assert file.read_bytes() == damaged
