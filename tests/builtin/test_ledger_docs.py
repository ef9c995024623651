"""What docs/ledger.md says of the ledger is so."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path

import pytest
import trio

from muxd.builtin.ledger import Ledger
from muxd.record import CUT_OFF, Outcome, Record
from muxd.release import Cause

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text("utf-8")
QUERIES = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NOON = 1_795_521_600.0


@pytest.fixture
async def file(tmp_path):
    """A ledger with a few runs, closed, as other programs open it."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            common = {"job": "a", "released_at": NOON, "started_at": NOON, "ended_at": NOON + 2.5}
            await ledger.write(
                Record(id="1", outcome=Outcome.failed, error="no", **common),
                Record(id="2", outcome=Outcome.ok, cause=Cause.retry, first_id="1", **common),
                Record(id="3", job="a", released_at=NOON),
            )
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        connection.create_function("unixepoch", 0, lambda: int(NOON) + 60)
        yield connection


async def test_every_query_runs(file):
    """The queries on the page work as they stand, and give what their text says."""
    failed, share, retries, delete = (file.execute(query).fetchall() for query in QUERIES)
    assert [(job, outcome, seconds, error) for job, outcome, _, seconds, error in failed] == [
        ("a", "failed", 2.5, "no")
    ]
    assert share == [("a", 2, 50.0, 0.0)]
    assert retries == [("1", "failed, ok")]
    assert delete == []
    assert file.execute("SELECT count(*) FROM runs").fetchone() == (3,)
    year = 366 * 86400
    file.create_function("unixepoch", 0, lambda: int(NOON) + year)
    file.execute(QUERIES[-1])
    assert file.execute("SELECT id FROM runs").fetchall() == [("3",)]


async def test_a_run_that_was_cut_off_has_no_duration(tmp_path):
    """The time to the next start is shown as no duration, neither by muxd nor by the query."""
    record = Record(
        id="1",
        job="a",
        released_at=NOON,
        started_at=NOON,
        ended_at=NOON + 86400,
        outcome=Outcome.interrupted,
        error_type=CUT_OFF,
    )
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(record)
            (kept,) = await ledger.history()
    assert kept.duration is None
    assert kept.as_dict()["duration"] is None
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        ((_, outcome, _, seconds, _),) = connection.execute(QUERIES[0]).fetchall()
    assert (outcome, seconds) == ("interrupted", None)


async def test_every_column_is_described(file):
    """The page names each column, outcome and cause, and none that isn't there."""
    columns = {row[1] for row in file.execute("PRAGMA table_xinfo(runs)")}
    table = PAGE.split("in the table `runs`")[1].split("The table `phases`")[0]
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", table, re.MULTILINE)
    assert {name for cell, _ in rows for name in re.findall(r"`(\w+)`", cell)} == columns
    meaning = {cell: set(re.findall(r"`(\w+)`", text)) for cell, text in rows}
    assert meaning["`outcome`"] == set(Outcome)
    assert meaning["`cause`"] == set(Cause)
    phases = {row[1] for row in file.execute("PRAGMA table_info(phases)")}
    assert all(f"`{name}`" in PAGE for name in phases)
