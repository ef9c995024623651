"""Entries in systemd's journal: with fields, never in anybody's way, and without secrets."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import struct

import pytest
import structlog
import trio

from muxd import journal, logs
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.cli.journalsink import JournalSink
from muxd.events import BrowserDown, RunEnded, Started
from muxd.job import Job
from muxd.journal import Journal, JournalStream, is_journal
from muxd.record import Outcome, Record
from muxd.release import Release
from muxd.runner import Runner
from muxd.secrets import Secrets
from muxd.testing import FakePages, MemoryStore

SECRET = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _put_back():
    """Leave structlog and `logging` as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


class Daemon:
    """Stands for systemd's, on a socket of its own."""

    def __init__(self, folder):
        self.path = folder / "journal"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)

    def entries(self):
        """All that came: {field: value}."""
        found = []
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except BlockingIOError:
                return found
            entry = {}
            while data:
                name, _, data = data.partition(b"\n")
                (length,) = struct.unpack("<Q", data[:8])
                entry[name.decode("ascii")] = data[8 : 8 + length].decode()
                assert data[8 + length : 9 + length] == b"\n"
                data = data[9 + length :]
            found.append(entry)


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    """A journal, where muxd looks for systemd's."""
    made = Daemon(tmp_path)
    monkeypatch.setattr(journal, "SOCKET", made.path)
    yield made
    made.socket.close()


def test_what_is_logged_has_fields(daemon):
    """Job and run under their own names, everything under muxd's; the level is the priority."""
    logs.configure("journald", mask=Secrets([SECRET]).mask)
    log = structlog.get_logger(job="prices", run="r1")
    log.warning("slow", took=1.5, note=f"two words {SECRET}", **{"odd key-ä": [1]})
    logging.getLogger("some.library").error("it\nhas lines")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("oops")
    first, second, third = daemon.entries()
    assert (first["JOB"], first["RUN"], first["PRIORITY"]) == ("prices", "r1", "4")
    assert first["SYSLOG_IDENTIFIER"] == "muxd"
    assert first["MESSAGE"].startswith("slow  job=prices  run=r1  took=1.5  note='two words ***'")
    assert (first["MUXD_TOOK"], first["MUXD_ODD_KEY__"]) == ("1.5", "[1]")
    assert (second["MESSAGE"].splitlines()[0], second["PRIORITY"]) == ("it", "3")
    assert second["MUXD_LOGGER"] == "some.library"
    assert "Traceback" in third["MESSAGE"]
    assert SECRET not in f"{first}{second}{third}"


def test_no_field_is_one_of_the_journals_own(daemon):
    """A job that logs a key such as `priority` or `_pid` forges nothing."""
    logs.configure("journald")
    structlog.get_logger().info("x", priority=0, _PID=1, message="forged", UNIT="a.service")
    (entry,) = daemon.entries()
    assert (entry["PRIORITY"], entry["MESSAGE"][:1]) == ("6", "x")
    ours = {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER"}
    assert all(name in ours or name.startswith("MUXD_") for name in entry)


def test_a_journal_that_does_not_take_it_costs_a_line(daemon, tmp_path):
    """Full, gone, or an entry too long: nobody waits; what was lost goes to stderr, and is counted."""
    otherwise = io.StringIO()
    made = Journal()
    stream = JournalStream(made, otherwise)
    line = json.dumps({"at": "", "level": "info", "event": "x", "job": "j"})
    for _ in range(5000):  # more than any socket takes
        stream.write(line + "\n")
    assert made.lost > 0
    assert json.loads(otherwise.getvalue().splitlines()[0])["job"] == "j"
    assert daemon.entries()
    stream.write(line)
    (entry,) = daemon.entries()
    assert int(entry["MUXD_LOST"]) > 0
    many = {f"key{number}": "v" * 3000 for number in range(500)}
    assert made.send("long " * 100_000, 6, many)
    (entry,) = daemon.entries()
    assert entry["MESSAGE"].startswith("long long")
    made.close()
    stream.write(line)  # raises nothing
    stream.write("no json")
    assert otherwise.getvalue().endswith("no json\n")


def test_the_journal_is_chosen_where_systemd_gets_the_stream(daemon, monkeypatch, tmp_path):
    """As `JOURNAL_STREAM` says: not where output was redirected, and not without a journal."""
    with (tmp_path / "out").open("w") as out:
        found = os.fstat(out.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        assert logs.chosen_format("auto", out) == "journald"
        assert logs.chosen_format("json", out) == "json"
        with (tmp_path / "other").open("w") as other:
            assert logs.chosen_format("auto", other) == "json"
        for wrong in ("", "1:2", "nonsense"):
            assert not is_journal(out, {"JOURNAL_STREAM": wrong})
        monkeypatch.setattr(journal, "SOCKET", tmp_path / "none")
        assert logs.chosen_format("auto", out) == "json"


async def test_events_are_entries(daemon):
    """`journalctl JOB=prices` shows the runs of a job: how each ended, and why."""
    sink = JournalSink(Journal())
    record = Record(
        id="r1",
        job="prices",
        released_at=0,
        started_at=1,
        ended_at=3.5,
        outcome=Outcome.failed,
        error="no\nnetwork",
    )
    await sink.handle(RunEnded(at=0, record=record))
    await sink.handle(Started(at=0, jobs=3, speed=1))
    await sink.handle(BrowserDown(at=0, generation=1, reason="killed"))
    ended, started, down = daemon.entries()
    assert ended["MESSAGE"] == "prices failed after 2.50 s: no"
    assert (ended["JOB"], ended["RUN"], ended["MUXD_OUTCOME"]) == ("prices", "r1", "failed")
    assert (ended["PRIORITY"], ended["MUXD_EVENT"]) == ("4", "run_ended")
    assert (started["MESSAGE"], started["PRIORITY"]) == ("started  jobs=3  speed=1", "6")
    assert down["PRIORITY"] == "4"


async def test_every_line_of_a_run_has_its_job_and_run():
    """Also what a library logs in its body, and in tasks and threads that it starts; none after it."""
    out = io.StringIO()
    logs.configure("json", stream=out)

    def in_thread():
        logging.getLogger("library").warning("from a thread")

    async def child():
        structlog.get_logger().info("from a task")

    async def body(run):
        structlog.get_logger().info("from the body")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
        await trio.to_thread.run_sync(in_thread)

    job = Job("prices", body, interval="1h")
    async with MemoryStore().open() as store, trio.open_nursery() as bodies:
        book = RunBook(store, Bus(), real_now=lambda: 1.0)
        bodies.start_soon(book.run)
        release = await book.release(job, released_at=1.0)
        await Runner(book, bodies, real_now=lambda: 1.0).run(release, FakePages())
        structlog.get_logger().info("afterwards")
        bodies.cancel_scope.cancel()
    *lines, last = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [each["event"] for each in lines] == ["from the body", "from a task", "from a thread"]
    assert all((each["job"], each["run"]) == ("prices", release.id) for each in lines)
    assert isinstance(release, Release)
    assert "job" not in last


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_secret_is_on_stderr(log_format):
    """What the configuration names as secret is masked in each format, and JSON stays JSON."""
    out = io.StringIO()
    logs.configure(log_format, stream=out, mask=Secrets([SECRET]).mask)
    structlog.get_logger().info("x", password=SECRET, url=f"https://me:{SECRET}@example.org")
    assert SECRET not in out.getvalue()
    if log_format == "json":
        assert json.loads(out.getvalue())["event"] == "x"
