"""How often a run has the disk flushed, and that nothing else does: on a ledger in a file."""

from __future__ import annotations

import os
from itertools import groupby

import trio
from town import Town, a_job

from muxd.builtin.ledger import Ledger
from muxd.simulation.life import at_once

WRITE = ["BEGIN IMMEDIATE", "INSERT INTO runs", "COMMIT"]


async def test_a_run_of_a_whole_core_is_three_flushes(autojump_clock, tmp_path, monkeypatch):
    """Released, started, ended: a commit each, each flushed once. Nothing is read, no other file is
    flushed, and between runs nothing is written."""
    flushed, statements = [], []
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, flushed.append)
    jobs = a_job("a", "10m", duration="20s"), a_job("b", "10m", "5m", duration="20s")
    town = Town(*jobs, store=Ledger(tmp_path, run_in_thread=at_once))
    async with town.alive():
        await trio.sleep(60)
        connection = town.store._file._connection
        settings = ("journal_mode", "synchronous", "wal_autocheckpoint")
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in settings]
        assert found == ["wal", 2, 2000]  # so a commit is one flush of the WAL, and no other
        flushed.clear()
        connection.set_trace_callback(statements.append)
        await trio.sleep(3600)
        connection.set_trace_callback(None)
    # Where a trigger is looked at, Python tells the statement once more.
    told = [statement.partition(" (")[0] for statement, _ in groupby(statements)]
    assert told == WRITE * 3 * 12
    assert flushed == []
