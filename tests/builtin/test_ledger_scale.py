"""What the ledger does does not grow with it: counted statement by statement."""

from __future__ import annotations

import contextlib
import sqlite3
from itertools import groupby

import pytest
import trio

from muxd.book import RunBook
from muxd.builtin import _ledger_file, _ledger_prune, _ledger_schema, _ledger_sqlite
from muxd.builtin import ledger as ledger_module
from muxd.builtin.ledger import Ledger
from muxd.bus import Bus
from muxd.job import Job
from muxd.pause import Pause
from muxd.record import Outcome, Record
from muxd.release import Cause

NOON = 1_795_521_600.0
WRITE = ["BEGIN IMMEDIATE", "INSERT INTO runs", "COMMIT"]


def ended(number, **fields):
    at = NOON + 60 * number
    own = {"released_at": at, "started_at": at + 1, "ended_at": at + 9, "outcome": Outcome.ok}
    return Record(**({"id": f"{number:06}", "job": "ab"[number % 2]} | own | fields))


def waiting(number):
    return Record(id=f"{number:06}", job="b", released_at=NOON + 1e6)


class Traced:
    """A ledger that is open, and what it says to SQLite."""

    def __init__(self, ledger):
        self.ledger, self.statements = ledger, []
        ledger._file._connection.set_trace_callback(self.statements.append)

    def told(self):
        """The statements since the last time, each as far as its table."""
        # Where a trigger is looked at, Python tells the statement once more.
        found = [statement for statement, _ in groupby(self.statements)]
        self.statements.clear()
        starts = ("INSERT INTO runs", "INSERT INTO phases", "INSERT INTO pauses", "SELECT", "WITH")
        return [
            next((start for start in starts if statement.startswith(start)), statement)
            for statement in found
        ]


@pytest.fixture
async def traced(tmp_path):
    with trio.fail_after(30):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(*map(ended, range(30)), waiting(900))
            yield Traced(ledger)


async def test_each_question_is_one_statement(traced):
    """However many runs and jobs there are; and nothing is begun or committed to read."""
    ledger, last = traced.ledger, ended(20)
    for call in (
        ledger.history(),
        ledger.history(job="a", outcome=Outcome.ok, since=NOON, until=NOON + 1e6, before=last),
        ledger.unfinished(),
        ledger.get("000001"),
        ledger.tries("000001"),
        ledger.last_releases(),
        ledger.placed(),
        ledger.phases(),
        ledger.pauses(),
    ):
        await call
        (statement,) = traced.told()
        assert statement in ("SELECT", "WITH")
    assert set(await ledger.learned()) == {"a", "b"}
    assert traced.told() == ["WITH"]
    assert len(await ledger.find("1", limit=3)) == 3
    assert traced.told() == ["SELECT"] * (2 + 3)  # by the beginning, by the end, and each of these


async def test_each_change_is_one_commit(traced):
    """A commit is a flush of the disk: there is one for each state of a run, and no other."""
    ledger = traced.ledger
    await ledger.write(waiting(901), ended(902))
    assert traced.told() == [WRITE[0], WRITE[1], WRITE[1], WRITE[2]]
    await ledger.set_phases({"a": (60, 5), "b": (60, 30)}, at=NOON)
    replaced = ["INSERT INTO phases"] * 2
    assert traced.told() == [WRITE[0], "SELECT", "DELETE FROM phases", *replaced, WRITE[2]]
    await ledger.set_pauses({"a": Pause(job="a", note="", since=NOON)})
    assert traced.told() == [WRITE[0], "DELETE FROM pauses", "INSERT INTO pauses", WRITE[2]]


async def test_a_run_is_three_commits(traced):
    """Released, started, ended; nothing is read."""
    book = RunBook(traced.ledger, Bus(), real_now=lambda: NOON)

    async def body(run):
        pass

    release = await book.release(Job("a", body, interval="1h"), released_at=NOON)
    assert traced.told() == WRITE
    record = await book.start(release, generation=1)
    assert traced.told() == WRITE
    await book.end(record, Outcome.ok)
    assert traced.told() == WRITE


async def test_no_statement_walks_or_sorts_all_runs(traced):
    """Whatever is asked or changed, SQLite goes by an index, in its order."""
    ledger = traced.ledger
    await ledger.write(waiting(901), ended(902, first_id="000001", cause=Cause.retry))
    for narrowed in (
        {},
        {"job": "a"},
        {"outcome": Outcome.ok},
        {"job": "a", "outcome": Outcome.ok},
    ):
        await ledger.history(**narrowed)
        await ledger.history(**narrowed, since=NOON, until=NOON + 600, before=ended(5))
    for call in (
        ledger.unfinished(),
        ledger.get("000001"),
        ledger.find("00"),
        ledger.tries("000001"),
        ledger.last_releases(),
        ledger.learned(),
        ledger.prune(older_than=NOON + 600, keep=10),
    ):
        await call
    asked = [s for s in traced.statements if s.startswith(("SELECT", "WITH", "DELETE", "INSERT"))]
    assert len(asked) > 20
    traced.ledger._file._connection.set_trace_callback(None)
    for statement in asked:
        plan = ledger._file._connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        steps = [step for *_, step in plan]
        walks = [step for step in steps if step.startswith("SCAN runs")]
        # The runs that have not ended are what is asked for, and few.
        assert walks in ([], ["SCAN runs USING INDEX runs_unfinished"]), statement
        assert not any("TEMP B-TREE" in step for step in steps), statement


async def test_runs_are_deleted_a_few_at_a_time(traced, monkeypatch):
    """Each transaction is small, whatever is to be deleted, and between them others have a turn."""
    monkeypatch.setattr(_ledger_prune, "AT_ONCE", 7)
    turns = []

    async def pace():
        turns.append(traced.told())
        await trio.lowlevel.checkpoint()

    await traced.ledger.write(*(ended(n, outcome=Outcome.failed) for n in range(30, 60)))
    traced.told()
    assert await traced.ledger.prune(older_than=NOON + 1e6, keep=0, pace=pace) == 30 - 1
    for turn in turns:
        deletes = [statement for statement in turn if statement.startswith("DELETE")]
        assert len(deletes) <= 7
        assert turn.count("COMMIT") == bool(deletes)
    assert sum(turn.count("COMMIT") for turn in turns) == 5  # of nine times seven, four had none


async def test_it_is_settled_when_there_is_enough(traced, monkeypatch):
    """`settle` says nothing to SQLite until so many changes; then all of the WAL is in the file."""
    monkeypatch.setattr(ledger_module, "SETTLED_AFTER", 3)
    await traced.ledger.settle()  # of the fixture's one
    traced.told()
    for number in (901, 902):
        await traced.ledger.settle()
        assert traced.told() == []
        await traced.ledger.write(waiting(number))
        assert traced.told() == WRITE
    await traced.ledger.settle()
    assert traced.told() == [ledger_module.SETTLE]
    directory = traced.ledger.path.parent
    (directory / "copy").mkdir()
    copy = directory / "copy" / "ledger.sqlite3"
    copy.write_bytes(traced.ledger.path.read_bytes())  # without its WAL
    with contextlib.closing(sqlite3.connect(copy)) as file:
        assert file.execute("SELECT count(*) FROM runs WHERE outcome IS NULL").fetchone() == (3,)
    await traced.ledger.settle()
    assert traced.told() == []


async def test_a_large_ledger_is_not_read_at_each_start(tmp_path, monkeypatch):
    """It is opened by its indices; damage elsewhere is found beside everything else."""
    with trio.fail_after(30):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(*map(ended, range(400)))
        with contextlib.closing(sqlite3.connect(ledger.path)) as file:
            (page,) = file.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = 'runs_by_outcome'"
            ).fetchone()
        with ledger.path.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)
        monkeypatch.setattr(_ledger_file, "CHECKED_SIZE", ledger.path.stat().st_size - 1)
        async with Ledger(tmp_path).open() as ledger:
            assert ledger.warnings == ()
            assert len(await ledger.history(job="a")) == 100
            await ledger.check()
            assert "400 runs" in ledger.warnings[0]
            assert len(await ledger.history(outcome=Outcome.ok, limit=1000)) == 400


@pytest.mark.parametrize("small", [True, False])
async def test_a_ledger_of_old_times_learns_to_give_room_back(tmp_path, monkeypatch, small):
    """A small one is written anew when it is opened, once; a large one is left as it is."""
    if not small:
        monkeypatch.setattr(_ledger_sqlite, "SHRINKABLE", 1000)
    with contextlib.closing(
        sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    ) as f:
        _ledger_schema.create(f, incremental=False)
    rewritten = []
    rewrite = _ledger_sqlite.rewrite
    monkeypatch.setattr(_ledger_sqlite, "rewrite", lambda c: rewritten.append(1) or rewrite(c))
    records = [ended(number) for number in range(20)]
    with trio.fail_after(30):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(*records)
        async with Ledger(tmp_path).open() as ledger:
            assert list(await ledger.history()) == records[::-1]
            mode = ledger._file._connection.execute("PRAGMA auto_vacuum").fetchone()
    assert (mode, len(rewritten)) == (((2,), 1) if small else ((0,), 0))


async def test_no_room_to_write_it_anew_costs_nothing(tmp_path, monkeypatch):
    """Where the disk is full the ledger is used as it is; another start tries again."""
    with contextlib.closing(
        sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    ) as f:
        _ledger_schema.create(f, incremental=False)

    def rewrite(connection):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(_ledger_sqlite, "rewrite", rewrite)
    with trio.fail_after(30):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(ended(1))
            assert len(await ledger.history()) == 1
