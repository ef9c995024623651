"""A damaged ledger is set aside, what can be read of it is saved, and the present is never lost."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3

import attrs
import pytest
import structlog
import trio

from muxd.builtin import _ledger_file, _ledger_rebuild, _ledger_schema, _ledger_sqlite
from muxd.builtin.ledger import Ledger
from muxd.errors import LedgerError
from muxd.pause import Pause
from muxd.record import Outcome, Record
from muxd.release import Cause

NOON = 1_795_521_600.0
PAGE = 4096
PHASES = {"a": (3600, 900), "b": (600, 30)}
PAUSES = {"b": Pause(job="b", note="left 1 process", since=NOON, probe_at=NOON + 600)}


def ended(number, *, job="a", **fields):
    """A run that ended; the ids are in the order of time."""
    at = NOON + 60 * number
    return Record(
        **{"id": f"{number:06}", "job": job, "released_at": at, "started_at": at + 1,
           "ended_at": at + 9, "outcome": Outcome.ok, "result": "24 headlines " * 8} | fields
    )  # fmt: skip


WAITING = Record(id="900001", job="b", released_at=NOON + 1e6)
OWED = Record(id="900002", job="a", released_at=NOON + 1e6, cause=Cause.catch_up)
MONTHLY = ended(0, job="monthly")


async def fill(directory, count=400):
    """A ledger with all kinds of things, closed; returns its ended runs by their ids."""
    records = {record.id: record for record in (MONTHLY, *map(ended, range(1, count)))}
    async with Ledger(directory).open() as ledger:
        await ledger.write(*records.values())
        await ledger.write(WAITING, OWED)
        await ledger.set_phases(PHASES)
        await ledger.set_pauses(PAUSES)
    return records


def spoil(directory, *pages, junk=b"\xff" * PAGE):
    """Overwrite pages (from 1) of the ledger."""
    with (directory / "ledger.sqlite3").open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(junk)


def pages_of(directory):
    """How many pages the ledger has."""
    return (directory / "ledger.sqlite3").stat().st_size // PAGE


def root_of(directory, name):
    """The first page of a table or index."""
    with contextlib.closing(sqlite3.connect(directory / "ledger.sqlite3")) as file:
        return file.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)
        ).fetchone()[0]


def damaged_in(directory):
    return sorted(path.name for path in directory.glob("ledger-damaged-*.sqlite3"))


async def all_of(ledger):
    return {record.id: record for record in await ledger.history(limit=10**6)}


def integrity(path):
    with contextlib.closing(sqlite3.connect(path)) as file:
        return file.execute("PRAGMA integrity_check").fetchone()[0]


@pytest.fixture(autouse=True)
async def _bound():
    with trio.fail_after(250):
        yield


async def test_garbage_in_its_place_is_kept_and_a_new_one_begun(tmp_path):
    """What is no database at all is moved away as it is; muxd starts, and says so loudly."""
    junk = b"not a database " * 1000
    (tmp_path / "ledger.sqlite3").write_bytes(junk)
    with structlog.testing.capture_logs() as logs:
        async with Ledger(tmp_path).open() as ledger:
            assert await all_of(ledger) == {}
            await ledger.write(ended(1))
            (warning,) = ledger.warnings
    (name,) = damaged_in(tmp_path)
    assert (tmp_path / name).read_bytes() == junk
    assert f"kept as {name}; nothing of it could be read" in warning
    assert [log["log_level"] for log in logs] == ["critical", "critical"]
    assert name in logs[0]["kept_as"]
    async with Ledger(tmp_path).open() as ledger:
        assert await all_of(ledger) == {"000001": ended(1)}
        assert any(name in warning for warning in ledger.warnings)


@pytest.mark.parametrize("share", [0.0, 0.5])
async def test_one_that_was_cut_off_keeps_nobody_from_starting(tmp_path, share):
    """Of half a file what can be read is taken over, of an empty one nothing; both can be written."""
    records = await fill(tmp_path)
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    async with Ledger(tmp_path).open() as ledger:
        found = await all_of(ledger)
        assert all(records[run_id] == record for run_id, record in found.items())
        assert bool(ledger.warnings) == bool(share)
        await ledger.write(ended(7777))
        assert "007777" in await all_of(ledger)
    assert len(damaged_in(tmp_path)) == bool(share)
    assert integrity(path) == "ok"


def begin_as_of_old(directory):
    """A ledger as they were made before they could be made smaller."""
    with contextlib.closing(
        sqlite3.connect(directory / "ledger.sqlite3", isolation_level=None)
    ) as file:
        _ledger_schema.create(file, incremental=False)


@contextlib.contextmanager
def schema(version, monkeypatch):
    """A muxd of an older schema."""
    with monkeypatch.context() as patch:
        patch.setattr(_ledger_schema, "MIGRATIONS", _ledger_schema.MIGRATIONS[:version])
        for module in (_ledger_schema, _ledger_file):
            patch.setattr(module, "VERSION", version)
        yield


@pytest.mark.parametrize("made", ["now", "of old", "of old, large", "of old, migrated", "migrated"])
async def test_a_lost_first_page_costs_no_record(tmp_path, made, monkeypatch):
    """Where only the header and the names of the tables are lost, everything is taken over."""
    if "large" in made:
        monkeypatch.setattr(_ledger_sqlite, "SHRINKABLE", 0)
    with schema(3, monkeypatch) if "migrated" in made else contextlib.nullcontext():
        if "of old" in made:
            begin_as_of_old(tmp_path)
        records = await fill(tmp_path)
    async with Ledger(tmp_path).open():
        pass
    spoil(tmp_path, 1, junk=bytes(PAGE))
    async with Ledger(tmp_path).open() as ledger:
        assert await all_of(ledger) == records
        assert await ledger.unfinished() == [WAITING, OWED]
        assert await ledger.phases() == PHASES
        assert await ledger.pauses() == PAUSES
        (warning,) = ledger.warnings
    assert "402 runs" in warning
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *damaged_in(tmp_path),
        "ledger.sqlite3",
    ]


async def test_any_lost_page_costs_its_own_rows_only(tmp_path):
    """Whichever page is lost, what isn't on it is saved, and what is saved is as it was written."""
    source = tmp_path / "source"
    source.mkdir()
    records = await fill(source)
    whole = (source / "ledger.sqlite3").read_bytes()
    roots = {root_of(source, name) for name in ("runs", "phases", "pauses")}
    rng = random.Random(5)
    lost_at_most = 30  # a page has a dozen runs
    for page in range(2, pages_of(source) + 1):
        directory = tmp_path / str(page)
        directory.mkdir()
        (directory / "ledger.sqlite3").write_bytes(whole)
        spoil(directory, page, junk=rng.choice((bytes(PAGE), b"\xff" * PAGE, rng.randbytes(PAGE))))
        async with Ledger(directory).open() as ledger:
            found = await all_of(ledger)
            await ledger.write(ended(7777))
        assert integrity(directory / "ledger.sqlite3") == "ok"
        assert all(records[run_id] == record for run_id, record in found.items())
        if page not in roots:
            assert len(found) >= len(records) - lost_at_most, page


async def test_the_rest_of_what_is_lost_is_told(tmp_path):
    """How much was taken over and how much was not is in the warning."""
    records = await fill(tmp_path)
    root = root_of(tmp_path, "runs")
    with (tmp_path / "ledger.sqlite3").open("rb") as file:
        file.seek((root - 1) * PAGE)
        head = file.read(PAGE)
    assert head[0] == 5  # an inner page: its first child is named where its first cell is
    cell = int.from_bytes(head[12:14])
    spoil(tmp_path, int.from_bytes(head[cell : cell + 4]))
    async with Ledger(tmp_path).open() as ledger:
        found = await all_of(ledger)
        (warning,) = ledger.warnings
    lost = len(records) - len(found)
    assert 0 < lost < 40
    assert f"about {lost} runs could not be read" in warning
    assert f"; {len(found) + 2} runs, 2 places on the timetable and 1 pauses are" in warning
    assert found.get("000000") in (None, MONTHLY)


@pytest.mark.parametrize("when", ["write", "history", "set_phases"])
async def test_damage_in_the_middle_of_a_life_costs_nothing_of_the_present(tmp_path, when):
    """A daemon that meets damage goes on without a restart: what it has in hand is in the new one."""
    await fill(tmp_path)
    async with Ledger(tmp_path).open() as ledger:
        newest = ended(5000)
        running = Record(id="900003", job="a", released_at=NOON + 7e5, started_at=NOON + 7e5)
        await ledger.write(newest, running)
        ledger._file._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ledger._file._connection.execute("PRAGMA shrink_memory")
        spoil(tmp_path, *range(1, pages_of(tmp_path) + 1))
        over = attrs.evolve(running, ended_at=NOON + 7e5 + 3, outcome=Outcome.ok)
        with structlog.testing.capture_logs() as logs:
            if when == "write":
                await ledger.write(over)
            elif when == "history":
                await ledger.history(limit=10**6)
            else:
                await ledger.set_phases(PHASES | {"c": (60, 5)})
        assert logs[0]["log_level"] == "critical"
        if when != "write":
            await ledger.write(over)
        assert (await all_of(ledger))["900003"] == over
        assert {record.id for record in await ledger.unfinished()} == {WAITING.id, OWED.id}
        assert await ledger.pauses() == PAUSES
        extra = {"c": (60, 5)} if when == "set_phases" else {}
        assert await ledger.phases() == PHASES | extra
        assert (await ledger.last_releases())["monthly"] == MONTHLY.released_at
        with pytest.raises(LedgerError, match="an outcome is never changed"):
            await ledger.write(over)
        assert "nothing of it could be read; 4 runs" in ledger.warnings[0]
    assert integrity(tmp_path / "ledger.sqlite3") == "ok"
    assert len(damaged_in(tmp_path)) == 1


async def test_damage_again_and_again_is_the_disk(tmp_path):
    """A new ledger that is damaged at once is not set aside again: muxd keeps records in memory."""
    async with Ledger(tmp_path).open() as ledger:
        for number in (1, 2):
            await ledger.write(ended(number))
            ledger._file._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            ledger._file._connection.execute("PRAGMA shrink_memory")
            spoil(tmp_path, *range(1, pages_of(tmp_path) + 1))
            if number == 1:
                await ledger.history()
            else:
                with pytest.raises(LedgerError, match="so soon after the last"):
                    await ledger.history()
    assert len(damaged_in(tmp_path)) == 1


async def test_only_so_many_damaged_ones_are_kept(tmp_path):
    """The oldest is deleted when a fourth is set aside; the disk is not filled with them."""
    for number in range(5):
        (tmp_path / "ledger.sqlite3").write_bytes(b"%d" % number * 5000)
        async with Ledger(tmp_path).open():
            pass
    kept = [(tmp_path / name).read_bytes()[:1] for name in damaged_in(tmp_path)]
    assert sorted(kept) == [b"2", b"3", b"4"]


async def test_who_reads_is_told_and_touches_nothing(tmp_path):
    """``muxd history`` beside a damaged ledger says in one line what is wrong and what helps."""
    await fill(tmp_path)
    spoil(tmp_path, root_of(tmp_path, "runs"))
    before = (tmp_path / "ledger.sqlite3").read_bytes()
    with pytest.raises(LedgerError, match=r"is damaged; `muxd start` sets it aside") as told:
        async with Ledger(tmp_path).open(readonly=True) as ledger:
            await ledger.history()
    assert "\n" not in str(told.value)
    assert (tmp_path / "ledger.sqlite3").read_bytes() == before
    assert damaged_in(tmp_path) == []


async def test_what_is_too_much_is_taken_over_later(tmp_path, monkeypatch):
    """A large ledger is not waited for: a start takes over the newest, the rest comes beside it."""
    records = await fill(tmp_path, 1500)
    spoil(tmp_path, 1)
    monkeypatch.setattr(_ledger_rebuild, "SALVAGED", 0.0)
    async with Ledger(tmp_path).open() as ledger:
        first = await all_of(ledger)
        assert 400 < len(first) < 1000
        assert "001499" in first
        assert {"a", "monthly"} <= set(await ledger.last_releases())
        assert "more is being taken over" in ledger.warnings[0]
    async with Ledger(tmp_path).open() as ledger:  # another start in between changes nothing
        await ledger.write(ended(7777))
        await ledger.check()
        assert await all_of(ledger) == records | {"007777": ended(7777)}
        assert f"{1500 - len(first)} more runs" in ledger.warnings[-1]
        await ledger.check()
        assert len(ledger.warnings) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *damaged_in(tmp_path),
        "ledger.sqlite3",
    ]


async def test_a_check_finds_what_no_call_met(tmp_path):
    """Damage in a corner that nobody asks for is found by `check`, and set aside like any other."""
    records = await fill(tmp_path)
    async with Ledger(tmp_path).open() as ledger:
        await ledger.check()
        assert ledger.warnings == ()
        spoil(tmp_path, root_of(tmp_path, "runs_by_outcome"))
        await ledger.check()
        assert await all_of(ledger) == records
        assert "402 runs" in ledger.warnings[0]
        assert len(await ledger.history(outcome=Outcome.ok, limit=10**6)) == 400


async def test_a_file_deleted_under_muxd_is_written_anew(tmp_path):
    """Somebody who deletes the ledger of a running muxd loses nothing."""
    records = await fill(tmp_path)
    async with Ledger(tmp_path).open() as ledger:
        await ledger.write(ended(7777))
        (tmp_path / "ledger.sqlite3").unlink()  # but not what is beside it
        await ledger.write(ended(7778))
        assert "was deleted while muxd was using it; 403 runs" in ledger.warnings[0]
    async with Ledger(tmp_path).open() as ledger:
        found = await all_of(ledger)
        assert found == records | {"007777": ended(7777), "007778": ended(7778)}
        assert await ledger.phases() == PHASES
    assert integrity(tmp_path / "ledger.sqlite3") == "ok"


async def test_a_directory_deleted_under_muxd_is_an_error_until_it_is_back(tmp_path):
    """Without its directory a write fails, so that records stay in memory; then nothing is lost."""
    directory = tmp_path / "state"
    directory.mkdir()
    records = await fill(directory, 20)
    async with Ledger(directory).open() as ledger:
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()
        with pytest.raises(LedgerError, match="can't be opened"):
            await ledger.write(ended(7777))
        directory.mkdir()
        await ledger.write(ended(7777))
        assert await all_of(ledger) == records | {"007777": ended(7777)}


async def test_a_backup_put_in_place_under_muxd_is_used(tmp_path):
    """A file that takes the ledger's place is taken for the ledger, and gets the present."""
    other = tmp_path / "other"
    other.mkdir()
    async with Ledger(other).open() as ledger:
        await ledger.write(ended(1))
    await fill(tmp_path, 10)
    async with Ledger(tmp_path).open() as ledger:
        for name in ("ledger.sqlite3-wal", "ledger.sqlite3-shm"):
            (tmp_path / name).unlink()
        os.replace(other / "ledger.sqlite3", tmp_path / "ledger.sqlite3")
        await ledger.write(ended(2))
        assert set(await all_of(ledger)) >= {"000001", "000002", "000000"}
        assert {record.id for record in await ledger.unfinished()} == {WAITING.id, OWED.id}
        assert "was replaced" in ledger.warnings[0]


async def test_no_room_for_a_new_one_is_an_error_until_there_is(tmp_path, monkeypatch):
    """Where the new ledger can't be made, calls fail; as soon as it can, they go on with it."""
    records = await fill(tmp_path, 50)
    build, full = _ledger_rebuild.create, [True]

    def create(connection, **options):
        if full[0]:
            raise OSError(28, "No space left on device")
        build(connection, **options)

    monkeypatch.setattr(_ledger_rebuild, "create", create)
    async with Ledger(tmp_path).open() as ledger:
        spoil(tmp_path, root_of(tmp_path, "runs_by_outcome"))
        for _ in range(2):
            with pytest.raises(LedgerError, match="No space left"):
                await ledger.check()
        full[0] = False
        await ledger.write(ended(7777))
        assert await all_of(ledger) == records | {"007777": ended(7777)}
