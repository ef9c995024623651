"""`run.artifact`: files of a body that are kept with its run."""

from __future__ import annotations

import os
import stat

import pytest
import structlog.testing
import trio

from muxd.artifacts import EVIDENCE
from muxd.body import attachments
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.evidence import LARGEST
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.testing import FakePages, MemoryStore


async def writes(run):
    path = run.artifact("prices.csv")
    path.write_text("a,b\n")
    assert run.artifact("prices.csv") == path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_good_run_keeps_its_files(autojump_clock, bench):
    """What was written is there under the run's id, private, and nothing else is."""
    record = await bench.run(writes)
    assert record.outcome is Outcome.ok
    assert bench.files(record) == {"prices.csv": b"a,b\n"}
    folder = bench.artifacts.find(record.id)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "prices.csv").stat().st_mode) == 0o600
    assert os.listdir(bench.artifacts.root) == [record.id]


async def test_a_bad_run_keeps_them_beside_its_evidence(autojump_clock, bench):
    """A run that raises, and one that is ended at its deadline, has both in one folder."""

    async def raises(run):
        await writes(run)
        raise LookupError("no price")

    async def hangs(run):
        await writes(run)
        await run.page.hang()

    for body in (raises, hangs):
        record = await bench.run(body)
        found = bench.files(record)
        assert {"prices.csv", "summary.json", "traceback.txt"} <= set(found)
        assert found["prices.csv"] == b"a,b\n"
    assert len(os.listdir(bench.artifacts.root)) == 2


async def test_what_is_not_asked_for_or_not_written_leaves_nothing(autojump_clock, bench):
    """No folder is made for a body that asks for no path, and none is kept without a file."""

    async def asks_only(run):
        run.artifact("never")

    async def fine(run):
        return 1

    await bench.run(fine)
    assert not bench.artifacts.root.exists()
    await bench.run(asks_only)
    assert os.listdir(bench.artifacts.root) == []


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "a/b", "../up", "a\\b", "a b", "größe.png", "x" * 101, "a\n", "-rf"],
)
async def test_only_plain_names(autojump_clock, bench, name):
    """A name that could lead out of the folder, or mislead a program or a person, is refused."""

    async def body(run):
        run.artifact(name)

    record = await bench.run(body)
    assert record.error_type == "ValueError"
    assert "is no name for an artifact" in record.error
    assert len(os.listdir(bench.artifacts.root)) == 1  # the evidence


async def test_names_of_the_evidence_are_taken(autojump_clock, bench):
    """All of them, in whatever case: a body can't pass for muxd."""
    assert {*LARGEST, "summary.json"} == EVIDENCE

    async def body(run):
        for name in (*EVIDENCE, "Trace.ZIP"):
            with pytest.raises(ValueError, match="is taken by muxd's evidence"):
                run.artifact(name)

    assert (await bench.run(body)).outcome is Outcome.ok


async def test_what_is_too_large_is_dropped_and_said(autojump_clock, bench, monkeypatch):
    """One file, all files together, and their number have bounds; the rest is kept."""
    monkeypatch.setattr(attachments, "LARGEST", 100)
    monkeypatch.setattr(attachments, "MOST", 150)
    monkeypatch.setattr(attachments, "MOST_FILES", 4)

    async def body(run):
        run.artifact("z-first").write_bytes(b"x" * 90)
        run.artifact("huge").write_bytes(b"x" * 101)
        run.artifact("second").write_bytes(b"x" * 80)
        run.artifact("small").write_bytes(b"x")
        folder = run.artifact("dir").parent
        (folder / "dir").mkdir()
        (folder / "dir" / "in").write_text("x")
        (folder / "link").symlink_to("/etc/passwd")
        os.mkfifo(folder / "pipe")
        (folder / "beside").write_text("x")
        (folder / "page.html").write_text("not muxd's")
        (folder / "one").write_text("x")
        (folder / "two").write_text("x")

    with structlog.testing.capture_logs() as logs:
        record = await bench.run(body)
    assert record.outcome is Outcome.ok
    assert set(bench.files(record)) == {"z-first", "small", "beside", "one"}
    told = {line["file"]: line["reason"] for line in logs if "file" in line}
    assert told.keys() == {"huge", "second", "dir", "link", "pipe", "page.html", "two"}
    assert told["huge"] == "it has 101 bytes, more than 100"
    assert told["second"] == "the run's artifacts would have more than 150 bytes"


async def test_a_folder_that_its_body_has_closed_is_kept_as_any_other(autojump_clock, bench):
    """Its mode is muxd's: else nobody but root could read or delete it."""

    async def body(run):
        await writes(run)
        run.artifact("a").parent.chmod(0)

    record = await bench.run(body)
    assert bench.files(record)
    (folder,) = bench.artifacts.root.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_disk_that_refuses_costs_the_files_and_nothing_else(
    autojump_clock, bench, monkeypatch
):
    """The run keeps its outcome and its record; the log says why its files are gone."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(bench.artifacts), "add", full)
    with structlog.testing.capture_logs() as logs:
        record = await bench.run(writes)
    assert record.outcome is Outcome.ok
    assert "No space left" in str(logs)
    assert os.listdir(bench.artifacts.root) == []


async def test_after_the_run_there_is_no_path(autojump_clock, bench):
    """Who keeps the run for later is told that it is over, and writes nowhere."""
    kept = []

    async def body(run):
        kept.append(run)

    await bench.run(body)
    with pytest.raises(RuntimeError, match="the run is over"):
        kept[0].artifact("late")


async def test_what_a_dead_muxd_left_is_removed(autojump_clock, bench):
    """A folder of a run that had no end, after a kill -9, is gone after the next start."""
    workshop = bench.artifacts.workshop()
    folder = workshop.__enter__()  # and never left
    (folder / "half").write_text("x")
    bench.artifacts.clear_unfinished()
    assert os.listdir(bench.artifacts.root) == []


async def test_without_a_workspace_it_says_so(autojump_clock):
    """A run that nothing carries out has no place for files; one clear error tells."""

    async def body(run):
        run.artifact("x")

    store = MemoryStore()
    async with store.open(), trio.open_nursery() as nursery:
        book = RunBook(store, Bus(), real_now=trio.current_time)
        runner = Runner(book, nursery, real_now=trio.current_time)
        release = await book.release(Job("job", body, interval="1h"), released_at=0)
        record = await runner.run(release, FakePages())
        nursery.cancel_scope.cancel()
    assert record.error_type == "RuntimeError"
    assert record.error.startswith("this run has nothing beside its page")
