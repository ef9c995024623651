"""The data file itself: what disks, other processes and time do to it."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from functools import partial

import pytest
import structlog.testing
import trio

from muxd.abc import DataTable
from muxd.body import data as data_module
from muxd.body import datafile, pruning
from muxd.body.data import FILE_NAME, Data
from muxd.body.pruning import keep_data_in_shape
from muxd.body.reading import DataReader, FileData
from muxd.body.saving import Saving
from muxd.errors import DataError
from muxd.jobdata import NoData


def saving(items, run="run-1", **fields):
    own = {"job": "shop", "table": "", "key": ("n",), "complete": False, "at": 1000.0}
    return Saving(**(own | fields), run=run, items=items)


def rows(folder):
    return [row["n"] for row in DataReader(folder).rows("shop")]


@pytest.fixture
async def data(tmp_path):
    async with Data(tmp_path, real_now=lambda: 1_700_000_000.0) as made:
        yield made


async def test_nothing_is_made_before_something_is_saved(data, tmp_path):
    """Who only looks makes no file; who saves makes one that only the owner can read."""
    assert await data.look(lambda _connection: 1) is None
    assert list(tmp_path.iterdir()) == []
    await data.save(saving([{"n": 1}]))
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await data.look(lambda _connection: 1) == 1


@pytest.mark.parametrize("damage", ["all", "a page", "no database"])
async def test_a_damaged_file_is_set_aside(tmp_path, damage):
    """A new one is begun, loudly, and the old one kept; the save that met it is done."""
    path = tmp_path / FILE_NAME
    async with Data(tmp_path, real_now=lambda: 1_700_000_000.0) as data:
        await data.save(saving([{"n": n, "text": "x" * 500} for n in range(200)]))
    whole = bytearray(path.read_bytes())
    if damage == "a page":
        for page in range(4096, len(whole), 4096):
            whole[page : page + 512] = os.urandom(512)
    path.write_bytes({"all": os.urandom(9000), "no database": b"text " * 900}.get(damage, whole))
    with structlog.testing.capture_logs() as logs:
        async with Data(tmp_path, real_now=lambda: 1_700_000_000.0) as data:
            await data.save(saving([{"n": 5}]))
            assert rows(tmp_path) == [5]
            assert data.warnings
    assert [entry["log_level"] for entry in logs] == ["critical"]
    kept = tmp_path / "data-damaged-20231114T221320Z.db"
    assert logs[0]["kept_as"] == str(kept)
    assert kept.exists()


async def test_only_some_damaged_files_are_kept(data, tmp_path):
    """Not the whole disk goes into what can't be read; names are in the order of events."""
    for n in range(5):
        await data.save(saving([{"n": n}]))
        await data.__aexit__()
        data.path.write_bytes(b"x" * 9000)
    await data.save(saving([{"n": 9}]))
    assert [path.name[-8:] for path in sorted(tmp_path.glob("*damaged*"))] == [
        "1322Z.db",
        "1323Z.db",
        "1324Z.db",
    ]
    assert rows(tmp_path) == [9]


async def test_damage_that_can_t_be_set_aside_is_told(data, monkeypatch):
    """The error says what to do, and nothing hangs."""
    data.path.write_bytes(b"x" * 9000)

    def denied(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(data_module, "set_aside", denied)
    with pytest.raises(DataError, match=r"can't be opened by user .* make .* readable"):
        await data.save(saving([{"n": 1}]))


@pytest.mark.parametrize("statement", ["CREATE TABLE x (a)", "PRAGMA user_version = 99"])
async def test_other_people_s_files_are_left_alone(data, tmp_path, statement):
    """A database that is not muxd's, or a newer muxd's, is named and not touched."""
    if "version" in statement:
        await data.save(saving([{"n": 1}]))
        await data.__aexit__()
    connection = sqlite3.connect(data.path)
    connection.execute(statement)
    connection.close()
    before = data.path.read_bytes()
    with pytest.raises(DataError, match=r"but not muxd's data file|written by a newer muxd"):
        await data.save(saving([{"n": 2}]))
    with pytest.raises(DataError, match="choose another --state-dir"):
        DataReader(tmp_path).tables()
    await data.__aexit__()
    assert data.path.read_bytes() == before


async def test_a_file_that_is_deleted_or_replaced_is_noticed(data, tmp_path):
    """The next save goes into the one that is there then."""
    await data.save(saving([{"n": 1}]))
    for path in list(tmp_path.iterdir()):
        path.unlink()
    assert len((await data.save(saving([{"n": 2}]))).new) == 1
    assert rows(tmp_path) == [2]


async def test_a_locked_file_is_told_within_its_bound(data, tmp_path, monkeypatch):
    """The error names the cause and how to find who it is; what was wanted is not kept."""
    monkeypatch.setattr(datafile, "PATIENCE", 0.1)
    await data.save(saving([{"n": 1}]))
    other = sqlite3.connect(data.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DataError, match=r"another process holds it locked; .*`fuser"):
        await data.save(saving([{"n": 2}]))
    assert rows(tmp_path) == [1]  # readers are not in the way, nor held up
    other.execute("ROLLBACK")
    other.close()
    await data.save(saving([{"n": 3}]))
    assert rows(tmp_path) == [1, 3]


async def test_a_full_disk_keeps_what_was_there(data, tmp_path):
    """All of a save or nothing: the error says so, and later all is well."""
    await data.save(saving([{"n": 1}]))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(DataError, match="nothing of this was kept"):
            await data.save(saving([{"n": n, "text": "x" * 1000} for n in range(5000)]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert rows(tmp_path) == [1]
    await data.save(saving([{"n": n} for n in range(3)]))
    assert rows(tmp_path) == [1, 0, 2]


async def test_who_is_cancelled_gets_away_at_once_and_keeps_nothing(data, tmp_path):
    """A disk that does not answer holds up nobody; what is half done is undone."""
    await data.save(saving([{"n": 1}]))
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection):
        connection.execute("DELETE FROM shop")
        begun.set()
        assert go_on.wait(30)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(data.change, slow)
            await trio.to_thread.run_sync(begun.wait, 30)
            nursery.cancel_scope.cancel()
        assert nursery.cancel_scope.cancelled_caught
        # Who comes next waits for its turn, and can be cancelled as well.
        with trio.move_on_after(0.05) as waiting:
            await data.save(saving([{"n": 2}]))
        assert waiting.cancelled_caught
        go_on.set()
        await data.save(saving([{"n": 3}]))
    assert rows(tmp_path) == [1, 3]


async def test_a_reader_sees_each_save_whole(data, tmp_path):
    """Beside a job that saves all the time, in a thread of its own: no half of a save, no error."""
    found, over = [], threading.Event()

    def read():
        reader = DataReader(tmp_path)
        while not over.is_set():
            found.append([(row["n"], row["at"]) for row in reader.rows("shop")])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, read)
        try:
            for at in range(40):
                await data.save(saving([{"n": n, "at": at} for n in range(at, 100)]))
        finally:
            over.set()
    assert found
    for seen in found:
        if seen:
            newest = max(at for _, at in seen)
            assert seen == [(n, min(n, newest)) for n in range(100)]


def test_a_process_that_is_killed_in_a_save_keeps_all_or_nothing(tmp_path):
    """kill -9 in the middle of many saves: those that were told are there, and the file is sound."""
    script = textwrap.dedent(
        """
        import sys, trio
        from pathlib import Path
        from muxd.body.data import Data
        from muxd.body.saving import Saving

        async def main():
            async with Data(Path(sys.argv[1]), real_now=lambda: 0.0) as data:
                for n in range(10**6):
                    await data.save(Saving(job="shop", table="", run=str(n), key=("n",),
                        complete=False, at=float(n), items=[{"n": n * 50 + k} for k in range(50)]))
                    print(n, flush=True)
        trio.run(main)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        told = [int(process.stdout.readline()) for _ in range(10)]
        process.kill()
        told += [int(line) for line in process.stdout if line.strip()]
    found = rows(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) in ((told[-1] + 1) * 50, (told[-1] + 2) * 50)

    async def save_more():
        async with Data(tmp_path, real_now=lambda: 0.0) as data:
            return await data.save(saving([{"n": 0}]))

    assert trio.run(save_more).same == 1


async def test_a_job_s_data_is_read_by_services(data, tmp_path):
    """`daemon.data(job)`: tables with what is in them, and rows by when they were seen."""
    own = FileData(DataReader(tmp_path), "shop")
    assert (await own.tables(), await own.rows()) == ([], [])
    await data.save(saving([{"n": 1, "tags": ["a"]}, {"n": 2}], at=10.0))
    await data.save(saving([{"n": 1}, {"n": 3, "ok": True}], at=20.0, run="run-2"))
    await data.save(saving([{"who": "ann"}], table="people", key=()))
    assert [table.as_dict() for table in await own.tables()] == [
        {
            "job": "shop",
            "name": "",
            "sql_name": "shop",
            "columns": ("n", "tags", "ok"),
            "key": ("n",),
            "rows": 3,
            "last_seen": "1970-01-01T00:00:20.000000Z",
        },
        {
            "job": "shop",
            "name": "people",
            "sql_name": "shop/people",
            "columns": ("who",),
            "key": (),
            "rows": 1,
            "last_seen": "1970-01-01T00:16:40.000000Z",
        },
    ]
    assert await own.rows() == [
        {"n": 1, "tags": ["a"], "ok": None, **seen(10.0, 20.0, "run-2")},
        {"n": 2, "tags": None, "ok": None, **seen(10.0, 10.0, "run-1")},
        {"n": 3, "tags": None, "ok": True, **seen(20.0, 20.0, "run-2")},
    ]
    assert [row["n"] for row in await own.rows(since=15.0)] == [1, 3]
    assert [row["n"] for row in await own.rows(new_since=15.0)] == [3]
    assert [row["n"] for row in await own.rows(limit=2)] == [2, 3]  # the newest
    assert len(await own.rows(limit=None)) == 3
    assert [row["who"] for row in await own.rows("people")] == ["ann"]
    assert await own.rows("nothing") == []
    with pytest.raises(ValueError, match="limit=-1 is not possible"):
        await own.rows(limit=-1)
    nothing = NoData("shop")
    assert (await nothing.tables(), await nothing.rows(), nothing.job) == ((), [], "shop")
    assert DataTable.__module__ == "muxd.jobdata"


def seen(first, last, run):
    return {"first_seen": first, "last_seen": last, "run": run, "gone_at": None}


async def test_old_rows_are_deleted_where_that_is_wanted(autojump_clock, tmp_path, monkeypatch):
    """Those that were last seen so long ago, a few at a time, in moments when nothing runs; daily."""
    monkeypatch.setattr(pruning, "AT_ONCE", 10)
    waited = []

    class Lulls:
        async def wait(self, length, *, at_most):
            waited.append((length, at_most))
            await trio.lowlevel.checkpoint()

    async def at_once(call, *args, **_options):
        await trio.lowlevel.checkpoint()
        return call(*args)

    def now():
        return 10_000.0 + trio.current_time()

    begun = trio.current_time()
    async with (
        Data(tmp_path, real_now=now, in_thread=at_once) as data,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(partial(keep_data_in_shape, data, now, Lulls(), keep=1000.0))
        await trio.sleep(3600)  # there is no file yet
        assert list(tmp_path.iterdir()) == []
        await data.save(saving([{"n": n} for n in range(25)], at=now()))
        await data.save(saving([{"n": n} for n in range(5)], at=now(), table="b"))
        await trio.sleep(pruning.EVERY - 3600)
        await data.save(saving([{"n": 3}], at=now()))
        assert len(rows(tmp_path)) == 25
        await trio.sleep(pruning.FIRST + 1)
        assert rows(tmp_path) == [3]
        assert len(waited) == 4
        assert DataReader(tmp_path).rows("shop", "b") == []
        nursery.cancel_scope.cancel()
    assert trio.current_time() - begun < 2 * pruning.EVERY


async def test_damage_is_found_though_all_of_it_is_in_memory(autojump_clock, tmp_path):
    """Once a day, also where rows are kept for ever: what is saved meanwhile would be lost."""

    async def at_once(call, *args, **_options):
        await trio.lowlevel.checkpoint()
        return call(*args)

    async with (
        Data(tmp_path, real_now=lambda: 0.0, in_thread=at_once) as data,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(partial(keep_data_in_shape, data, lambda: 1e9, None, keep=0))
        await data.save(saving([{"n": 1}]))
        await trio.sleep(pruning.FIRST + 1)
        for part in ("data.db", "data.db-wal"):
            with tmp_path.joinpath(part).open("r+b") as file:
                file.write(b"garbage!" * 4000)
        assert (await data.save(saving([{"n": 1}]))).same == 1  # nobody has noticed
        assert data.warnings == []
        await trio.sleep(pruning.EVERY)
        assert "the data file was damaged" in data.warnings[0]
        assert (await data.save(saving([{"n": 1}]))).new == [{"n": 1}]
        assert rows(tmp_path) == [1]
        nursery.cancel_scope.cancel()


@pytest.mark.nightly
async def test_very_many_rows(data, tmp_path):
    """Two hundred thousand rows are saved, and saved again, while everything else goes on."""
    items = [{"n": n, "price": n / 7, "name": f"item {n}"} for n in range(200_000)]
    longest, last = 0.0, trio.current_time()

    async def tick():
        nonlocal longest, last
        while True:
            await trio.sleep(0.01)
            longest, last = max(longest, trio.current_time() - last), trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        assert len((await data.save(saving(items))).new) == len(items)
        assert (await data.save(saving(items, complete=True, run="run-2"))).same == len(items)
        nursery.cancel_scope.cancel()
    assert longest < 2
    assert DataReader(tmp_path).tables()[0].rows == len(items)
