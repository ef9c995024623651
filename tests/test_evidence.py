"""Evidence without a browser: when pages are looked at, what is written, and that it never costs a run."""

from __future__ import annotations

import io
import json
import os
import zipfile

import attrs
import pytest
import trio

from muxd.artifacts import Artifacts
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.errors import RunError
from muxd.evidence import Evidence
from muxd.job import Job
from muxd.observation import Observation
from muxd.record import Outcome, Record
from muxd.runner import Runner
from muxd.secrets import Secrets
from muxd.testing import FakePages, MemoryStore
from muxd.tracebacks import traceback_through_jobs
from muxd.tracefile import TraceTooLarge, masked_trace, secrets_in_trace
from muxd.watch import Block, Watch


async def at_once(call, *args, abandon_on_cancel=False):
    """In place of a thread: virtual time and threads don't mix."""
    await trio.lowlevel.checkpoint()
    return call(*args)


@attrs.define
class Bench:
    """A runner with evidence on fake pages, in virtual time."""

    runner: Runner
    book: RunBook
    pages: FakePages
    evidence: Evidence

    async def run(self, body, **fields):
        job = Job("job", body, **({"interval": "1h", "timeout": "60s"} | fields))
        with trio.fail_after(1000):
            release = await self.book.release(job, released_at=trio.current_time())
            return await self.runner.run(release, self.pages)

    def files(self, record):
        folder = self.evidence.artifacts.find(record.id)
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder else None


@pytest.fixture
async def bench(tmp_path):
    store = MemoryStore()
    evidence = Evidence(
        Artifacts(tmp_path / "artifacts"), secrets=Secrets(["staple-77"]), in_thread=at_once
    )
    async with store.open(), trio.open_nursery() as nursery:
        book = RunBook(store, Bus(), real_now=trio.current_time)
        runner = Runner(book, nursery, real_now=trio.current_time, evidence=evidence)
        yield Bench(runner, book, FakePages(), evidence)
        nursery.cancel_scope.cancel()


async def fine(run):
    return 1


async def fails(run):
    raise LookupError("no staple-77 here")


async def finds_nothing(run):
    return []


async def hangs(run):
    await trio.sleep_forever()


async def test_a_good_run_is_not_looked_at(autojump_clock, bench):
    """Nothing is asked of its pages, nothing is written."""
    record = await bench.run(fine)
    assert record.outcome is Outcome.ok
    assert (bench.pages.observed, bench.pages.pictured) == (0, 0)
    assert not bench.evidence.artifacts.root.exists()


@pytest.mark.parametrize(
    ("body", "fields", "outcome"),
    [
        (fails, {}, Outcome.failed),
        (hangs, {}, Outcome.timed_out),
        (finds_nothing, {"expects_result": True}, Outcome.empty),
    ],
)
async def test_a_bad_run_is_looked_at_once(autojump_clock, bench, body, fields, outcome):
    """Before its page is closed, whatever was wrong; the folder is there with the record."""
    record = await bench.run(body, **fields)
    assert record.outcome is outcome
    assert bench.pages.observed == 1
    files = bench.files(record)
    assert files["page.html"].endswith(b"<h1>fake</h1>\n")
    summary = json.loads(files["summary.json"])
    assert summary["run"]["id"] == record.id
    assert summary["run"]["outcome"] == outcome
    assert summary["url"] == "https://fake.example/"
    assert summary["missing"]["screenshot"] == "a fake has no picture"
    assert ("traceback.txt" in files) == (outcome is not Outcome.empty)


async def test_no_secret_is_in_record_or_evidence(autojump_clock, bench):
    """Those of the configuration, and those that the pages told, in error and result alike."""
    bench.pages.shows = attrs.evolve(
        bench.pages.shows,
        console=("log: s3cr3t-cookie", "staple-77"),
        secrets=frozenset({"s3cr3t-cookie"}),
    )

    async def body(run):
        raise LookupError("s3cr3t-cookie and staple-77")

    record = await bench.run(body)
    assert record.error == "*** and ***"
    for content in bench.files(record).values():
        assert b"s3cr3t-cookie" not in content
        assert b"staple-77" not in content

    async def tells(run):
        return "staple-77"

    assert (await bench.run(tells)).result == "***"


async def test_without_the_secrets_nothing_that_pages_said_is_kept(autojump_clock, bench):
    """Cookies that can't be read can't be masked: HTML and console are left out, and it is said."""
    bench.pages.shows = attrs.evolve(bench.pages.shows, console=("log: x",), secrets=None)
    record = await bench.run(fails)
    files = bench.files(record)
    assert set(files) == {"traceback.txt", "summary.json"}
    missing = json.loads(files["summary.json"])["missing"]
    assert "could not be read" in missing["html"]
    assert "could not be read" in missing["console"]


async def test_a_lost_browser_costs_the_rest_of_the_evidence(autojump_clock, bench):
    """What is known without it is kept."""

    async def body(run):
        bench.pages.kill("it died")
        await trio.sleep_forever()

    record = await bench.run(body)
    assert record.outcome is Outcome.crashed
    files = bench.files(record)
    assert set(files) == {"traceback.txt", "summary.json"}
    assert b"it died" in files["traceback.txt"]
    assert b"await trio.sleep_forever()" in files["traceback.txt"]


async def test_an_error_that_shows_late_has_its_traceback(autojump_clock, bench):
    """What a listener raised is found when the pages are closed: its traceback is kept."""
    bench.pages.leave_errors = [RuntimeError("bang")]
    record = await bench.run(fine)
    assert record.outcome is Outcome.failed
    assert b"RuntimeError: bang" in bench.files(record)["traceback.txt"]


async def test_a_run_that_is_told_to_end_is_looked_at(autojump_clock, bench):
    """Stopping muxd leaves evidence of the run that it cut off."""

    async def body(run):
        bench.runner.end_current(Outcome.interrupted, RunError("muxd was stopped"))
        await trio.sleep_forever()

    record = await bench.run(body)
    assert record.outcome is Outcome.interrupted
    assert b"muxd was stopped" in bench.files(record)["traceback.txt"]


async def test_a_disk_that_takes_nothing_costs_only_the_evidence(autojump_clock, bench, capsys):
    """The record is written as ever; it is logged once, and again after it went well."""
    root = bench.evidence.artifacts.root
    root.write_text("in the way")
    for _ in range(2):
        record = await bench.run(fails)
        assert record.outcome is Outcome.failed
    assert capsys.readouterr().out.count("could not be kept") == 1
    root.unlink()
    assert bench.files(await bench.run(fails))
    assert len(os.listdir(root)) == 1


async def test_muxds_own_mistakes_cost_only_the_evidence(autojump_clock, bench, monkeypatch):
    """Whatever goes wrong as it is worked up, the run has its record."""
    monkeypatch.setattr(Secrets, "with_more", lambda *_: 1 / 0)
    bench.pages.shows = Observation(url="https://x.example", secrets=frozenset())
    record = await bench.run(fine, expects_result=False)
    assert record.outcome is Outcome.ok
    monkeypatch.setattr("muxd.evidence.secrets_in", lambda *_: 1 / 0)
    monkeypatch.undo()
    monkeypatch.setattr("muxd.evidence.traceback_through_jobs", lambda *_: 1 / 0)
    assert (await bench.run(fails)).outcome is Outcome.failed


async def test_slow_disks_are_not_waited_for(autojump_clock, bench):
    """Writing that does not end is left to itself: the run ends in time."""

    async def never(call, *args, abandon_on_cancel=False):
        assert abandon_on_cancel
        await trio.sleep_forever()

    bench.evidence.in_thread = never
    record = await bench.run(fails)
    assert record.outcome is Outcome.failed
    assert record.duration <= 11


@pytest.mark.parametrize(
    ("when", "expected"),
    [("never", [0, 0, 0, 0]), ("always", [1, 2, 3, 4]), ("retries", [0, 0, 1, 1])],
)
async def test_which_runs_are_traced_with_pictures(autojump_clock, bench, when, expected):
    """By default the one after a bad one; after a good one no more. The others are without."""
    bench.evidence.trace = when
    pictured, traced = [], []
    for body in (fine, fails, fine, fine):
        await bench.run(body)
        pictured.append(bench.pages.pictured)
        traced.append(bench.pages.traced)
    assert pictured == expected
    assert traced == ([0] * 4 if when == "never" else [1, 2, 3, 4])


async def test_a_job_that_failed_before_the_start_is_traced_with_pictures(autojump_clock, bench):
    """The newest record of each job tells, and releases that never ran tell nothing."""
    records = [
        Record(id="3", job="job", released_at=3, outcome=Outcome.coalesced),
        Record(id="2", job="job", released_at=2, outcome=Outcome.crashed),
        Record(id="1", job="job", released_at=1, outcome=Outcome.ok),
        Record(id="0", job="other", released_at=0, outcome=Outcome.ok),
    ]
    await bench.evidence.begin(records)
    await bench.run(fine)
    assert bench.pages.pictured == 1


async def test_begin_removes_what_is_not_to_be_kept(autojump_clock, bench):
    """What a dead muxd left unfinished, and what is too old."""
    artifacts = bench.evidence.artifacts
    old = artifacts.write("old", {"a": b"1"})
    os.utime(old, (1, 1))
    (artifacts.root / ".unfinished-1").mkdir()
    await bench.evidence.begin([])
    assert os.listdir(artifacts.root) == []


# Tracebacks


def trouble():
    raise LookupError("the innermost")


async def test_frames_of_the_machinery_are_left_out():
    """Of an error that came through trio only our own frames are left; groups and causes are kept."""

    async def child():
        try:
            trouble()
        except LookupError as error:
            raise RuntimeError("outer") from error

    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
    text = traceback_through_jobs(caught.value)
    assert "/trio/" not in text
    assert "in trouble" in text
    assert "LookupError: the innermost" in text
    assert "direct cause" in text
    assert "RuntimeError: outer" in text


def test_an_error_of_the_machinery_alone_keeps_its_frames():
    """Nothing of our own: then the machinery is what there is to see."""
    with pytest.raises(ValueError, match="buffer") as caught:
        trio.open_memory_channel(-1)
    error = caught.value
    assert "/trio/" not in traceback_through_jobs(error)
    error.__traceback__ = error.__traceback__.tb_next  # as if nobody of ours had called it
    assert "/trio/" in traceback_through_jobs(error)


def test_no_error_is_too_strange():
    """Half a character, endless messages, a `__str__` that raises, a circle of causes."""

    class Rude(Exception):
        def __str__(self):
            raise RuntimeError

    circle = ValueError("circle")
    circle.__cause__ = circle
    for error in (Exception("\udc80"), Exception("x" * 10**6), Rude(), circle):
        assert 0 < len(traceback_through_jobs(error).encode()) <= 200_010


# Trace files


@pytest.fixture
def trace(tmp_path):
    """Make a file as Playwright does."""

    def make(**entries):
        file = tmp_path / "trace.zip"
        with zipfile.ZipFile(file, "w") as made:
            for name, content in entries.items():
                made.writestr(name.replace("__", "."), content)
        return file

    return make


def read(content):
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        return {name: made.read(name) for name in made.namelist()}


def test_a_trace_is_masked_line_by_line(trace):
    """Texts are masked and stay JSON; pictures stay; what is neither is left out."""
    line = json.dumps({"url": "https://x.example/?a=secret-1", "at": 123456789})
    file = trace(
        trace__trace=line + "\n" + json.dumps({"plain": 1}),
        page__html="<p>secret-1</p>",
        shot__jpeg=b"\xff\xd8secret-1",
        data__bin=b"\xff\x00secret-1",
    )
    masked = read(
        masked_trace(file, Secrets(["secret-1", "123456789"]), largest=10**6, in_time=lambda: True)
    )
    first, second = masked["trace.trace"].decode().splitlines()
    assert json.loads(first) == {"url": "https://x.example/?a=***", "at": 123456789}
    assert json.loads(second) == {"plain": 1}
    assert masked["page.html"] == b"<p>***</p>"
    assert masked["shot.jpeg"] == b"\xff\xd8secret-1"
    assert "data.bin" not in masked


def test_a_trace_that_is_too_large_or_takes_too_long_is_refused(trace):
    """It is an error, not a wait and not a large file."""
    file = trace(one__png=os.urandom(5000), two__png=os.urandom(5000))
    with pytest.raises(TraceTooLarge, match="larger"):
        masked_trace(file, Secrets(), largest=4000, in_time=lambda: True)
    with pytest.raises(TraceTooLarge, match="long"):
        masked_trace(file, Secrets(), largest=10**6, in_time=lambda: False)
    log = trace(trace__trace="{}\n{}")
    with pytest.raises(TraceTooLarge, match="long"):
        secrets_in_trace(log, in_time=lambda: False)


def test_no_piece_of_a_trace_keeps_the_process(trace):
    """A line or a page that a pattern would work on for long is left out, the rest is kept."""
    huge = '"' + "x" * 3_000_001 + '"'
    file = trace(trace__trace=f'{huge}\n{{"small": 1}}', page__html=huge, other__html="<p>")
    assert secrets_in_trace(file, in_time=lambda: True) == frozenset()
    masked = read(masked_trace(file, Secrets(), largest=10**6, in_time=lambda: True))
    assert masked == {"trace.trace": b'{"small": 1}', "other.html": b"<p>"}


def test_secrets_are_read_from_the_logs_only(trace):
    """Headers in the log tell; what a page loaded doesn't."""
    header = '{"name":"Cookie","value":"sid=cookie-%d"}'
    file = trace(trace__network=header % 1, page__html=header % 2)
    found = secrets_in_trace(file, in_time=lambda: True)
    assert "cookie-1" in found
    assert "cookie-2" not in found


async def test_where_a_run_blocked_muxd_is_kept(autojump_clock, bench):
    """Of one that did not end well, whatever else it raised; a secret in it is masked."""

    class Blocks(Watch):
        def end(self):
            return Block(7.0, '  File "/jobs/staple-77.py", line 3 in body')

    async def fails(run):
        raise ValueError("no")

    async def good(run):
        return "done"

    bench.runner._watch = Blocks()
    files = bench.files(await bench.run(fails))
    assert files["blocked.txt"] == b'  File "/jobs/***.py", line 3 in body\n'
    assert b"ValueError: no" in files["traceback.txt"]
    assert bench.files(await bench.run(good)) is None
