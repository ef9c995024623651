"""What was acknowledged is there, whatever died: killed writers, torn journals, two processes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import trio

from muxd.builtin.ledger import Ledger
from muxd.record import Outcome, Record

KILLS = 40
HERE = Path(__file__).parent


def written(run_id):
    """The record that the helper programs write under this id."""
    return Record(
        id=run_id, job="a", released_at=1.0, started_at=2.0, ended_at=3.0, outcome=Outcome.ok,
        error="x" * (int(run_id.rpartition("-")[2]) % 7 * 500),
    )  # fmt: skip


def integrity(path):
    with contextlib.closing(sqlite3.connect(path)) as file:
        return file.execute("PRAGMA integrity_check").fetchone()[0]


def program(name, *args, **options):
    return subprocess.Popen(
        [sys.executable, HERE / name, *map(str, args)], stdout=subprocess.PIPE, text=True, **options
    )


async def test_no_kill_loses_what_was_acknowledged(tmp_path):
    """A writer killed by ``kill -9`` at any instant, tens of times, loses no finished write.

    After each kill the file is whole, and of the write in progress all is there or nothing.
    """
    with trio.fail_after(250):
        with program("kill_writers.py", tmp_path, KILLS, random.randrange(10**6)) as killer:
            report, _ = await trio.to_thread.run_sync(killer.communicate)
        assert killer.returncode == 0, report
        acknowledged = set(report.split())
        assert len(acknowledged) >= KILLS
        assert integrity(tmp_path / "ledger.sqlite3") == "ok"
        async with Ledger(tmp_path).open() as ledger:
            found = {record.id: record for record in await ledger.history(limit=10**6)}
        assert acknowledged <= set(found)
        for run_id, record in found.items():
            assert record == written(run_id)
            half, _, number = run_id.partition("-")
            assert f"{'b' if half == 'a' else 'a'}-{number}" in found


async def test_a_torn_journal_loses_the_torn_write_only(tmp_path):
    """A journal that a power cut left too short, or with garbage at its end, costs no earlier write.

    Each write was synchronised when it returned, so a cut may tear what follows it and no more.
    """
    source = tmp_path / "source"
    source.mkdir()
    rng = random.Random(7)
    sizes = []  # of the journal after each write
    with trio.fail_after(60):
        async with Ledger(source).open() as ledger:
            for number in range(12):
                await ledger.write(written(f"a-{number}"), written(f"b-{number}"))
                sizes.append((source / "ledger.sqlite3-wal").stat().st_size)
            journal = (source / "ledger.sqlite3-wal").read_bytes()
            shutil.copy(source / "ledger.sqlite3", tmp_path / "base")
        for cut in sorted({*sizes, *(rng.randrange(sizes[0], sizes[-1]) for _ in range(30))}):
            for tail in (b"", rng.randbytes(5000)):
                directory = tmp_path / f"cut-{cut}-{len(tail)}"
                directory.mkdir()
                shutil.copy(tmp_path / "base", directory / "ledger.sqlite3")
                (directory / "ledger.sqlite3-wal").write_bytes(journal[:cut] + tail)
                async with Ledger(directory).open() as ledger:
                    found = {record.id for record in await ledger.history(limit=1000)}
                complete = sum(size <= cut for size in sizes)
                assert found == {f"{half}-{n}" for half in "ab" for n in range(complete)}
                assert integrity(directory / "ledger.sqlite3") == "ok"


async def test_processes_that_open_it_at_once_all_succeed(tmp_path):
    """Several processes may make, open, write and read a new ledger at the same instant."""
    rounds = 20
    with trio.fail_after(250):
        with program("open_at_once.py", tmp_path, rounds) as opener:
            report, _ = await trio.to_thread.run_sync(opener.communicate)
        assert opener.returncode == 0, report
        for number in range(rounds):
            directory = tmp_path / str(number)
            async with Ledger(directory).open(readonly=True) as ledger:
                assert len(await ledger.history(limit=1000)) == 4 * 10
            assert integrity(directory / "ledger.sqlite3") == "ok"
            assert os.stat(directory / "ledger.sqlite3").st_mode & 0o777 == 0o600
