"""The ledger's own promises: its file, its speed, and what it says when the world fails."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest
import trio

from muxd.abc import Learned
from muxd.builtin import _ledger_rows as rows
from muxd.builtin._ledger_schema import APPLICATION_ID, MIGRATIONS, VERSION
from muxd.builtin.ledger import Ledger, muxd_store
from muxd.errors import LedgerError
from muxd.record import Outcome, Record

NOON = 1_795_521_600.0


def ended(run_id, **fields):
    own = {"job": "a", "released_at": NOON, "started_at": NOON, "ended_at": NOON + 1}
    return Record(**({"id": run_id, "outcome": Outcome.ok} | own | fields))


def raw(directory, **options):
    """The ledger's file as any other program sees it."""
    return contextlib.closing(
        sqlite3.connect(directory / "ledger.sqlite3", isolation_level=None, **options)
    )


async def test_the_hook_gives_a_ledger(tmp_path):
    """The plugin's hook gives a ledger in the state directory, and touches nothing there."""
    store = muxd_store(tmp_path)
    assert isinstance(store, Ledger)
    assert store.path == tmp_path / "ledger.sqlite3"
    assert list(tmp_path.iterdir()) == []


async def test_only_its_owner_can_read_it(tmp_path):
    """The file and what SQLite makes beside it have mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        with trio.fail_after(10):
            async with Ledger(tmp_path).open() as ledger:
                await ledger.write(ended("1"))
                found = {
                    path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()
                }
    finally:
        os.umask(before)
    names = ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm")
    assert found == dict.fromkeys(names, 0o600)


async def test_it_is_set_to_survive_a_power_cut(tmp_path):
    """Its journal is a WAL, and each commit is synchronised."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            connection = ledger._file._connection
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_what_it_keeps_is_what_the_docs_say(tmp_path):
    """Other programs find the documented names and units in the file."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(ended("1", ended_at=NOON + 1.5, result="3 rows"))
            await ledger.set_phases({"a": (3600, 900)})
    with raw(tmp_path) as file:
        row = file.execute(
            "SELECT job, outcome, ended_us - started_us, ended_us, typeof(ended_us), result "
            "FROM runs"
        ).fetchone()
        assert row == ("a", "ok", 1_500_000, 1_795_521_601_500_000, "integer", "3 rows")
        assert file.execute("SELECT job, interval_s, phase_s FROM phases").fetchall() == [
            ("a", 3600, 900)
        ]


async def test_a_path_may_hold_any_character(tmp_path):
    """A state directory with a question mark, a percent sign or a space in it is no trouble."""
    directory = tmp_path / "what? 100% #1 ü"
    directory.mkdir()
    with trio.fail_after(10):
        for readonly in (False, True):
            async with Ledger(directory).open(readonly=readonly) as ledger:
                await ledger.history()
    assert (directory / "ledger.sqlite3").is_file()


FROM_TO = "sort_us>? AND (sort_us,id)<(?,?)"
PLANS = {
    rows.history_query(by_job=False, by_outcome=False): {
        f"SEARCH runs USING INDEX runs_by_end ({FROM_TO})"
    },
    rows.history_query(by_job=True, by_outcome=False): {
        f"SEARCH runs USING INDEX runs_by_job (job=? AND {FROM_TO})"
    },
    rows.history_query(by_job=False, by_outcome=True): {
        f"SEARCH runs USING INDEX runs_by_outcome (outcome=? AND {FROM_TO})"
    },
    rows.history_query(by_job=True, by_outcome=True): {
        f"SEARCH runs USING INDEX runs_by_job_and_outcome (job=? AND outcome=? AND {FROM_TO})"
    },
    rows.statistics_query(by_job=False): {f"SEARCH runs USING INDEX runs_by_end ({FROM_TO})"},
    rows.statistics_query(by_job=True): {
        f"SEARCH runs USING INDEX runs_by_job (job=? AND {FROM_TO})"
    },
    rows.GET: {"SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?)"},
    rows.DELETE: {"SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?)"},
    rows.BEGINNING_WITH: {"SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id>? AND id<?)"},
    rows.ENDING_WITH: {"SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id>?)"},
    rows.TRIES: {
        "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?)",
        "SEARCH runs USING INDEX runs_by_first_try (first_id=?)",
    },
    rows.UNFINISHED: {"SCAN runs USING INDEX runs_unfinished"},
    rows.LAST_RELEASES: {
        "SEARCH runs USING INDEX runs_by_slot",
        "SEARCH runs USING INDEX runs_by_slot (job>?)",
        "SEARCH runs USING INDEX runs_by_slot (job=?)",
    },
    rows.RELEASED_JOBS: {
        "SEARCH runs USING INDEX runs_by_slot",
        "SEARCH runs USING INDEX runs_by_slot (job>?)",
    },
    rows.NEWEST_RELEASES: {
        "SEARCH runs USING INDEX runs_by_slot",
        "SEARCH runs USING INDEX runs_by_slot (job>?)",
        "SEARCH runs USING INDEX runs_by_slot (job=?)",
        "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)",
    },
    rows.NEWEST_RELEASE: {"SEARCH runs USING INDEX runs_by_slot (job=?)"},
    rows.NEWEST_ID: {"SEARCH runs USING INDEX runs_by_slot (job=?)"},
    rows.NTH_NEWEST: {"SCAN runs USING INDEX runs_by_end"},
    rows.OLDEST: {"SEARCH runs USING INDEX runs_by_end ((sort_us,id)>(?,?))"},
    rows.NTH_GOOD: {"SEARCH runs USING INDEX runs_to_learn_from (job=?)"},
    rows.LEARNED_FROM: {
        "SEARCH runs USING INDEX runs_to_learn_from",
        "SEARCH runs USING INDEX runs_to_learn_from (job>?)",
        "SEARCH runs USING INDEX runs_to_learn_from (job=?)",
    },
}
# {question: the only steps in which it may touch the table of runs}. Those that scan read an index
# in its own order: as far as the limit, or all of it, which is what was asked for.


@pytest.mark.parametrize("query", PLANS)
async def test_every_question_has_its_index(tmp_path, query):
    """No question walks all runs, and none sorts: the ledger is as fast after years."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open():
            pass
    with raw(tmp_path) as file:
        given = [0] * query.count("?")
        plan = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {query}", given)]
    # "COVERING" only says that the index alone has the answer; whether it does, differs between
    # versions of SQLite.
    steps = {step.replace("COVERING ", "") for step in plan if "runs" in step}
    assert steps == PLANS[query]
    assert not any("TEMP B-TREE" in step for step in plan), plan


async def test_a_write_is_one_synchronised_transaction(tmp_path):
    """However many records are written at once, SQLite commits once."""
    statements = []
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            ledger._file._connection.set_trace_callback(statements.append)
            await ledger.write(*(ended(str(number)) for number in range(20)))
            ledger._file._connection.set_trace_callback(None)
    assert statements.count("COMMIT") == 1
    assert statements.count("BEGIN IMMEDIATE") == 1
    assert len([text for text in statements if text.startswith("INSERT INTO runs")]) == 20


async def test_a_final_run_is_safe_from_other_programs(tmp_path):
    """The file itself refuses to change a run that has an outcome; deleting old ones works."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(ended("1"))
            with raw(tmp_path) as file:
                with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                    file.execute("UPDATE runs SET outcome = 'failed'")
                file.execute("DELETE FROM runs")
            assert await ledger.history() == []


async def test_it_is_read_while_it_is_written(tmp_path):
    """A reader sees what was written so far, and neither waits for the other."""
    with trio.fail_after(10):
        async with (
            Ledger(tmp_path).open() as writer,
            Ledger(tmp_path).open(readonly=True) as reader,
        ):
            for number in range(5):
                await writer.write(ended(str(number)))
                assert len(await reader.history()) == number + 1
            with raw(tmp_path) as file:
                file.execute("BEGIN IMMEDIATE")
                assert len(await reader.history()) == 5


async def test_reading_makes_no_file(tmp_path):
    """Reading a ledger that isn't there, or is only begun, makes nothing and is empty."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open(readonly=True) as ledger:
            assert await ledger.history() == []
        async with Ledger(tmp_path / "missing").open(readonly=True) as ledger:
            assert await ledger.history() == []
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "ledger.sqlite3").touch()
        async with Ledger(tmp_path).open(readonly=True) as ledger:
            assert await ledger.history() == []
        assert (tmp_path / "ledger.sqlite3").stat().st_size == 0


async def test_a_ledger_that_is_locked_says_so(tmp_path):
    """After its patience a write fails with what to do, has done nothing, and works later."""
    with trio.fail_after(10):
        async with Ledger(tmp_path, patience=0.05).open() as ledger:
            with raw(tmp_path) as file:
                file.execute("BEGIN IMMEDIATE")
                with pytest.raises(LedgerError, match=r"holds it locked.*fuser"):
                    await ledger.write(ended("1"))
                file.execute("ROLLBACK")
            assert await ledger.history() == []
            await ledger.write(ended("1"))


async def test_a_short_lock_is_waited_for(tmp_path):
    """A lock that is given back within the patience costs nothing but time."""
    with trio.fail_after(20):
        async with Ledger(tmp_path).open() as ledger:
            with raw(tmp_path) as file:
                file.execute("BEGIN IMMEDIATE")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ledger.write, ended("1"))
                    await trio.sleep(0.05)
                    assert file.execute("SELECT count(*) FROM runs").fetchone() == (0,)
                    file.execute("COMMIT")
            assert len(await ledger.history()) == 1


async def test_opening_waits_for_a_lock_too(tmp_path):
    """A new file that another process works on in this instant is waited for, not given up."""
    with trio.fail_after(20), raw(tmp_path) as file:
        file.execute("CREATE TABLE t (x)")
        file.execute("DROP TABLE t")  # an SQLite file without anything in it, not a WAL yet
        file.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="holds it locked"):
            async with Ledger(tmp_path, patience=0).open():
                pass
        async with trio.open_nursery() as nursery:

            async def use():
                async with Ledger(tmp_path).open() as ledger:
                    await ledger.write(ended("1"))

            nursery.start_soon(use)
            await trio.sleep(0.05)
            file.execute("COMMIT")
        assert file.execute("SELECT count(*) FROM runs").fetchone() == (1,)


async def test_what_was_begun_is_done_whole_under_cancellation(tmp_path):
    """A write that is cancelled while it waits for a lock still reaches the disk."""
    with trio.fail_after(20):
        async with Ledger(tmp_path).open() as ledger:
            with raw(tmp_path) as file:
                file.execute("BEGIN IMMEDIATE")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ledger.write, ended("1"))
                    await trio.testing.wait_all_tasks_blocked()  # it is in a thread's hands now
                    nursery.cancel_scope.cancel()
                    file.execute("COMMIT")
            assert [record.id for record in await ledger.history()] == ["1"]


async def test_it_closes_under_cancellation(tmp_path):
    """Leaving the ledger in a cancelled scope closes the file: nothing is left beside it."""
    with trio.fail_after(10):
        with trio.CancelScope() as scope:
            async with Ledger(tmp_path).open() as ledger:
                await ledger.write(ended("1"))
                scope.cancel()
        assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite3"]
        async with ledger.open(readonly=True):
            assert len(await ledger.history()) == 1


async def test_a_file_that_is_no_database_is_not_read(tmp_path):
    """Who only reads is told that garbage in its place is damaged, and what helps."""
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database " * 1000)
    with trio.fail_after(10):
        with pytest.raises(LedgerError, match=r"not a ledger, or is damaged; `muxd start` sets it"):
            async with Ledger(tmp_path).open(readonly=True):
                pass
    assert (tmp_path / "ledger.sqlite3").read_bytes() == b"not a database " * 1000


@pytest.mark.parametrize("readonly", [False, True])
async def test_a_newer_ledger_is_refused(tmp_path, readonly):
    """A ledger that a newer muxd wrote is left as it is."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open():
            pass
        with raw(tmp_path) as file:
            file.execute(f"PRAGMA user_version = {VERSION + 1}")
        with pytest.raises(LedgerError, match=f"newer muxd .schema {VERSION + 1}"):
            async with Ledger(tmp_path).open(readonly=readonly):
                pass
        with raw(tmp_path) as file:
            assert file.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)


async def test_an_older_ledger_is_brought_up_to_date(tmp_path, monkeypatch):
    """Each migration is applied once, in order, keeping the records; readers wait for it."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(ended("1"))
        later = (*MIGRATIONS, ("CREATE TABLE later (x)",), ("ALTER TABLE later ADD COLUMN y",))
        for name, value in (("MIGRATIONS", later), ("VERSION", VERSION + 2)):
            monkeypatch.setattr(f"muxd.builtin._ledger_schema.{name}", value)
        monkeypatch.setattr("muxd.builtin._ledger_file.VERSION", VERSION + 2)
        with pytest.raises(LedgerError, match="older muxd's: `muxd start` brings it up to date"):
            async with Ledger(tmp_path).open(readonly=True):
                pass
        for _ in range(2):
            async with Ledger(tmp_path).open() as ledger:
                assert len(await ledger.history()) == 1
        with raw(tmp_path) as file:
            assert file.execute("PRAGMA user_version").fetchone() == (VERSION + 2,)
            assert file.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
            assert file.execute("SELECT x, y FROM later").fetchall() == []


async def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    """A ledger is migrated whole or stays what it was."""
    broken = (*MIGRATIONS, ("CREATE TABLE later (x)", "CREATE TABLE later (x)"))
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(ended("1"))
        with monkeypatch.context() as patch:
            for name, value in (("MIGRATIONS", broken), ("VERSION", VERSION + 1)):
                patch.setattr(f"muxd.builtin._ledger_schema.{name}", value)
            patch.setattr("muxd.builtin._ledger_file.VERSION", VERSION + 1)
            with pytest.raises(LedgerError, match="later already exists"):
                async with Ledger(tmp_path).open():
                    pass
        async with Ledger(tmp_path).open() as ledger:
            assert len(await ledger.history()) == 1
        with raw(tmp_path) as file:
            assert file.execute("SELECT * FROM sqlite_master WHERE name = 'later'").fetchall() == []


@pytest.mark.parametrize("readonly", [False, True])
async def test_somebody_elses_database_is_left_alone(tmp_path, readonly):
    """An SQLite file that isn't a ledger is refused, and no table is made in it."""
    with raw(tmp_path) as file:
        file.execute("CREATE TABLE mine (x)")
    with trio.fail_after(10):
        with pytest.raises(LedgerError, match="not muxd's ledger"):
            async with Ledger(tmp_path).open(readonly=readonly):
                pass
    with raw(tmp_path) as file:
        assert file.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_an_unknown_outcome_is_an_error_of_the_ledger(tmp_path):
    """A value that somebody else wrote and muxd doesn't know is named, not guessed."""
    with trio.fail_after(10):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(ended("1"))
            with raw(tmp_path) as file:
                file.execute("DROP TRIGGER runs_are_final")
                file.execute("UPDATE runs SET outcome = 'splendid'")
            with pytest.raises(LedgerError, match="'splendid' is not a valid Outcome"):
                await ledger.history()


async def test_a_full_disk_costs_the_write_and_nothing_else(tmp_path):
    """A write that finds no room fails whole, with what to do; it works when there is room."""
    with trio.fail_after(20):
        async with Ledger(tmp_path).open() as ledger:
            await ledger.write(ended("1"))
            (pages,) = ledger._file._connection.execute("PRAGMA page_count").fetchone()
            ledger._file._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
            big = [ended(f"big{number}", error="x" * 4000) for number in range(10)]
            with pytest.raises(
                LedgerError, match="full, nothing of this write was kept; make room"
            ):
                await ledger.write(*big)
            assert [record.id for record in await ledger.history()] == ["1"]
            ledger._file._connection.execute("PRAGMA max_page_count = 1000000")
            await ledger.write(*big)
        async with Ledger(tmp_path).open(readonly=True) as ledger:
            assert len(await ledger.history()) == 11


async def test_a_limit_on_file_sizes_costs_the_write_and_nothing_else(tmp_path):
    """The system's refusal to write (EFBIG, as by a quota) is treated like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with trio.fail_after(20):
            async with Ledger(tmp_path).open() as ledger:
                await ledger.write(ended("1"))
                size = (tmp_path / "ledger.sqlite3-wal").stat().st_size
                big = [ended(f"big{number}", error="x" * 4000) for number in range(10)]
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5000, before[1]))
                for _ in range(2):
                    with pytest.raises(LedgerError, match="nothing of this write was kept"):
                        await ledger.write(*big)
                assert [record.id for record in await ledger.history()] == ["1"]
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
                await ledger.write(*big)
                assert len(await ledger.history()) == 11
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def locked_directory():
    """A directory that this process can read but not write, even if the tests run as root."""
    directory = Path(tempfile.mkdtemp())  # not tmp_path: nobody but root gets there
    as_root = os.geteuid() == 0

    @contextlib.contextmanager
    def locked():
        directory.chmod(0o555)
        for path in directory.iterdir():
            path.chmod(0o444)
        if as_root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if as_root:
                os.seteuid(0)
            directory.chmod(0o755)

    yield directory, locked
    shutil.rmtree(directory)


async def test_a_directory_that_cant_be_written_says_so(locked_directory):
    """Without write access a new ledger can't be made, and an old one not opened for writing."""
    directory, locked = locked_directory
    with trio.fail_after(10):
        with (
            locked(),
            pytest.raises(LedgerError, match=r"writable for that user.*Permission denied"),
        ):
            async with Ledger(directory).open():
                pass
        async with Ledger(directory).open():
            pass
        with locked(), pytest.raises(LedgerError, match="writable for that user"):
            async with Ledger(directory).open():
                pass


async def test_a_missing_directory_says_so(tmp_path):
    """Opening a ledger where there is no directory fails with the path, and makes none."""
    with trio.fail_after(10):
        with pytest.raises(LedgerError, match=r"gone/ledger.sqlite3.*No such file"):
            async with Ledger(tmp_path / "gone").open():
                pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("durations", "p50", "p95"),
    [
        ([7], 7, 7),
        ([3, 5], 3, 5),
        ([1, 1, 90], 1, 1),
        ([1, 2, 4], 2, 4),
        ([10] * 9 + [600], 10, 10),
        ([10] * 8 + [600, 600], 10, 600),
        (list(range(1, 21)), 10, 19),
        (list(range(1, 51)), 25, 48),
        ([0, 0, 0], 0, 0),
    ],
)
def test_percentiles_are_by_nearest_rank(durations, p50, p95):
    """One run far longer than any other is set aside; two are taken for what they are."""
    learned = Learned.of(durations[::-1])
    assert (learned.runs, learned.p50, learned.p95) == (len(durations), p50, p95)
