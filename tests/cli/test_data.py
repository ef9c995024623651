"""``muxd data``."""

from __future__ import annotations

import builtins
import csv
import io
import json
import os
import sqlite3
import sys
from datetime import UTC, datetime

import pytest
import trio

from muxd.body.data import Data
from muxd.body.memory import Known, Memory
from muxd.body.saving import Saving
from muxd.builtin.ledger import Ledger
from muxd.cli import complete
from muxd.cli.datarows import INSTANTS, print_csv
from muxd.record import Outcome, Record

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z
TOML = """
[daemon]
timezone = "Asia/Tokyo"
state_dir = "state"
"""
PLUGIN = """
import muxd

@muxd.job(interval="1h")
async def news(run): ...
"""
ITEMS = [
    {"url": "/a", "price": 1.5, "stock": True, "tags": ["x", "y"], "raw": b"\0"},
    {"url": "/b, c", "price": 2, "stock": None, "tags": None, "note": "[b]bold\x1b"},
]


@pytest.fixture
def save(place, write):
    """Save items at an hour after noon, as a run of a job does."""
    write("muxd.toml", TOML)
    state = place / "state"
    state.mkdir(mode=0o700)

    def save(items, hour=0, *, job="prices", table="", key=("url",), complete=False):
        async def main():
            async with Data(state, real_now=lambda: NOON) as data:
                await data.save(
                    Saving(
                        job=job,
                        table=table,
                        run=f"run-{hour}",
                        key=key,
                        complete=complete,
                        at=NOON + hour * 3600,
                        items=items,
                    )
                )

        trio.run(main)

    return save


def test_before_anything_is_saved(muxd, write, place):
    """Nothing is made, and it is no error; a job that nobody knows is one."""
    write("muxd.toml", TOML)
    assert (muxd("data").stdout, muxd("data").stderr) == ("", "No job has saved anything yet.\n")
    assert muxd("data", "--json").stdout == "[]\n"
    result = muxd("data", "prices")
    assert (result.exit_code, result.stderr) == (
        2,
        "muxd: there is no job 'prices': see `muxd jobs` for those there are\n",
    )
    assert not (place / "state").exists()
    write("jobs/news.py", PLUGIN)
    result = muxd("data", "news", "--jobs-dir", "jobs")
    assert (result.exit_code, result.stderr) == (0, "Nothing saved yet.\n")
    assert muxd("data", "news", "--jobs-dir", "jobs", "--json").stdout == "[]\n"
    assert muxd("data", "news", "--jobs-dir", "jobs", "--csv").stdout == ""


def test_the_tables(muxd, save):
    """Without a job the tables of all jobs, with how many rows there are and when the last came."""
    save(ITEMS)
    save([{"who": "ann"}], job="people", key=())
    save([{"who": "bob"}], 1, job="people", table="gone", key=())
    result = muxd("data")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["job", "table", "rows", "last", "seen", "key", "columns"],
        ["people", "1", "2026-11-24", "21:00:00", "all", "columns", "who"],
        ["people", "gone", "1", "2026-11-24", "22:00:00", "all", "columns", "who"],
        [
            "prices",
            "2",
            "2026-11-24",
            "21:00:00",
            "url",
            "url,",
            "price,",
            "stock,",
            "tags,",
            "raw,",
            "note",
        ],
    ]
    told = json.loads(muxd("data", "--json").stdout)
    assert [(table["job"], table["name"], table["rows"]) for table in told] == [
        ("people", "", 1),
        ("people", "gone", 1),
        ("prices", "", 2),
    ]
    assert told[2]["last_seen"] == "2026-11-24T12:00:00.000000Z"


def test_rows_for_people(muxd, save):
    """The newest rows, the newest last, on the local clock; what a page wrote is no command."""
    save(ITEMS)
    result = muxd("data", "prices")
    assert result.exit_code == 0
    head, first, second = result.stdout.splitlines()
    assert head.split() == [
        "url",
        "price",
        "stock",
        "tags",
        "raw",
        "note",
        "first",
        "seen",
        "last",
        "seen",
    ]
    assert first.split()[:5] == ["/a", "1.5", "true", '["x",', '"y"]']
    assert "1 bytes" in first
    assert "[b]bold\\x1b" in second
    assert second.endswith("2026-11-24 21:00:00  2026-11-24 21:00:00")
    save([ITEMS[0]], 1, complete=True)
    result = muxd("data", "prices", "--limit", "1")
    assert result.stdout.splitlines()[0].endswith("gone at")
    assert result.stdout.splitlines()[1].endswith("2026-11-24 22:00:00")
    assert result.stderr == "\nThe newest 1 of 2 rows; see more with --limit.\n"


def test_which_rows(muxd, save):
    """By when they were seen, and first seen; of more than are wanted the newest."""
    save([{"url": str(n)} for n in range(3)])
    save([{"url": "1"}, {"url": "3"}], 1)

    def urls(*options):
        return [row["url"] for row in json.loads(muxd("data", "prices", "--json", *options).stdout)]

    assert urls() == ["0", "1", "2", "3"]
    assert urls("--since", "2026-11-24T21:30") == ["1", "3"]
    assert urls("--new-since", "2026-11-24T12:30Z") == ["3"]
    assert urls("--limit", "2") == ["2", "3"]
    assert urls("--since", "2026-11-25") == []
    assert muxd("data", "prices", "--since", "2026-11-25").stderr == "No such rows.\n"
    save([{"url": "x"}], 2, table="more")
    assert urls("--table", "more") == ["x"]


def test_rows_for_programs(muxd, save):
    """JSON has the values as they are; instants in ISO 8601, bytes in base64."""
    save(ITEMS)
    rows = json.loads(muxd("data", "prices", "--json").stdout)
    seen = {
        "first_seen": "2026-11-24T12:00:00.000000Z",
        "last_seen": "2026-11-24T12:00:00.000000Z",
        "run": "run-0",
        "gone_at": None,
    }
    assert rows == [
        ITEMS[0] | {"raw": "AA==", "note": None} | seen,
        {"url": "/b, c", "price": 2, "stock": None, "tags": None, "raw": None}
        | {"note": "[b]bold\x1b"}
        | seen,
    ]


def test_csv(muxd, save):
    """All rows, with a line of headings; commas and line breaks are quoted, None is empty."""
    save(ITEMS)
    save([{"url": f"/{n}", "note": 'a "b"\nc'} for n in range(1500)], 1)
    result = muxd("data", "prices", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 1502
    assert rows[0] == {
        "url": "/a",
        "price": "1.5",
        "stock": "true",
        "tags": '["x", "y"]',
        "raw": "AA==",
        "note": "",
        "first_seen": "2026-11-24T12:00:00.000000Z",
        "last_seen": "2026-11-24T12:00:00.000000Z",
        "run": "run-0",
        "gone_at": "",
    }
    assert (rows[1]["url"], rows[2]["note"]) == ("/b, c", 'a "b"\nc')
    assert len(muxd("data", "prices", "--csv", "--limit", "1").stdout.splitlines()) == 3


def test_csv_is_as_it_was_saved(capsys, monkeypatch):
    """What looks like a command to a terminal is kept; only on a terminal it is shown in words."""
    columns, rows = ("a", "b"), [{"a": "\x1b[31mred", "b": "x\ny"} | dict.fromkeys(INSTANTS)]
    print_csv(columns, rows)
    assert capsys.readouterr().out == 'a,b\n\x1b[31mred,"x\ny"\n'
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_csv(columns, rows)
    assert capsys.readouterr().out == 'a,b\n\\x1b[31mred,"x\ny"\n'


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pyarrow is there on one Python only")
def test_parquet(muxd, save, place):
    """All rows with their types; a column of several types is text; the file is whole or not there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    save([*ITEMS, {"url": "/n", "price": 3, "note": 5}])
    result = muxd("data", "prices", "--parquet", "out.parquet")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "out.parquet: 3 rows\n"
    table = pq.read_table("out.parquet")
    types = {field.name: field.type for field in table.schema}
    moment = pa.timestamp("us", tz="UTC")
    assert types == {
        "url": pa.string(),
        "price": pa.float64(),
        "stock": pa.bool_(),
        "tags": pa.string(),
        "raw": pa.binary(),
        "note": pa.string(),
        "first_seen": moment,
        "last_seen": moment,
        "run": pa.string(),
        "gone_at": moment,
    }
    rows = table.to_pylist()
    assert [row["price"] for row in rows] == [1.5, 2.0, 3.0]
    assert [row["note"] for row in rows] == [None, "[b]bold\x1b", "5"]
    assert rows[0]["tags"] == '["x", "y"]'
    assert rows[0]["first_seen"] == datetime.fromtimestamp(NOON, UTC)
    assert sorted(os.listdir(place)) == ["muxd.toml", "out.parquet", "state"]
    result = muxd("data", "prices", "--parquet", "nowhere/out.parquet")
    assert (result.exit_code, result.stderr) == (
        1,
        "muxd: nowhere/out.parquet is not written: No such file or directory\n",
    )


def test_parquet_needs_pyarrow(muxd, save, monkeypatch):
    """Without it the message says what to type."""
    save(ITEMS)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    result = muxd("data", "prices", "--parquet", "out.parquet")
    assert result.exit_code == 2
    assert "pip install 'muxd[parquet]'" in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["prices", "--json", "--csv"], "give one of --json, --csv and --parquet"),
        (["--limit", "3"], "which job?"),
        (["--state"], "which job?"),
        (["prices", "--state", "--limit", "3"], "go with no option for rows"),
        (["prices", "--state", "--forget-state"], "give --state or --forget-state"),
        (["prices", "--since", "tomorrow"], "--since: 'tomorrow' is not a date"),
        (["prices", "--table", "x"], "job 'prices' has saved no table 'x': it has only its own"),
        (["pricess"], "there is no job 'pricess': did you mean 'prices'?"),
        (["pricess", "--state"], "there is no job 'pricess': did you mean 'prices'?"),
        (["pricess", "--forget-state"], "there is no job 'pricess': did you mean 'prices'?"),
    ],
)
def test_what_can_t_be_asked(muxd, save, args, said):
    """Is the user's mistake, with what would be right."""
    save(ITEMS)
    result = muxd("data", *args)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_file_that_can_t_be_read_is_told(muxd, save, place):
    """One line, and no traceback; the file is not touched."""
    save(ITEMS)
    path = place / "state" / "data.db"
    path.write_bytes(b"x" * 5000)
    result = muxd("data")
    assert result.exit_code == 1
    assert "it is damaged; the next run that saves sets it aside" in result.stderr
    assert path.read_bytes() == b"x" * 5000


@pytest.mark.parametrize("outcome", [Outcome.ok, Outcome.interrupted])
def test_the_state_is_shown_and_forgotten(muxd, save, place, outcome):
    """It is the one that the next run will have; forgotten, there is none."""
    save(ITEMS)
    state = place / "state"

    async def main():
        async with Ledger(state).open() as ledger, Data(state, real_now=lambda: NOON) as data:
            memory = Memory(data, ledger, real_now=lambda: NOON)
            await memory.write("prices", Known(state='{"n": 1}'), "run-2", '{"n": 2}')
            await ledger.write(
                Record(
                    id="run-2", job="prices", released_at=NOON, ended_at=NOON + 1, outcome=outcome
                )
            )

    trio.run(main)
    shown = json.loads(muxd("data", "prices", "--state").stdout)
    assert shown == {"n": 2 if outcome is Outcome.ok else 1}
    result = muxd("data", "prices", "--forget-state")
    assert result.stdout == "the state of prices is forgotten: its next run begins without\n"
    result = muxd("data", "prices", "--state")
    assert (result.stdout, result.stderr) == ("{}\n", "Job prices has no state.\n")
    result = muxd("data", "prices", "--forget-state", "--json")
    assert json.loads(result.stdout) == {"job": "prices", "forgotten": False}
    assert not (state / "muxd.lock").exists()


def test_jobs_with_data_are_completed(save):
    """Those that have saved something and begin so."""
    save(ITEMS)
    save(ITEMS, job="people")
    import click

    from muxd.cli.data import data

    context = click.Context(data)
    parameter = next(param for param in data.params if param.name == "job")
    assert complete.data_jobs(context, parameter, "p") == ["people", "prices"]
    assert complete.data_jobs(context, parameter, "pr") == ["prices"]


def test_any_program_can_read_it(save, place):
    """The table has the job's name and the columns the names of the items'."""
    save(ITEMS)
    connection = sqlite3.connect(place / "state" / "data.db")
    try:
        found = connection.execute("SELECT url, price, stock, tags FROM prices").fetchall()
    finally:
        connection.close()
    assert found == [("/a", 1.5, 1, '["x", "y"]'), ("/b, c", 2, None, None)]
