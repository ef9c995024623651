"""``muxd history show``: one run, however it is named, and all that is known of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import webbrowser
from zoneinfo import ZoneInfo

import pytest
import trio
from rich.console import Console

from muxd.artifacts import Artifacts
from muxd.builtin.ledger import Ledger
from muxd.cli.live import ConsoleSink
from muxd.errors import LoopBlocked, qualified_name
from muxd.events import RunEnded
from muxd.record import Outcome, Record
from muxd.release import Cause

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z
TOML = """
[daemon]
timezone = "Asia/Tokyo"
state_dir = "state"
"""
GOOD, BAD, AGAIN, WAITS = "01m8aaaaaaaaaa", "01m8bbbbbbbbbb", "01m8bbbbbbcccc", "01m8dddddddddd"
KILLED = "01m9kkkkkkkkkk"


def record(run_id, at, job="headlines", outcome=Outcome.ok, **fields):
    times = {"released_at": NOON + at, "started_at": NOON + at + 0.25, "ended_at": NOON + at + 3.5}
    return Record(**({"id": run_id, "job": job, "outcome": outcome} | times | fields))


RECORDS = (
    record(GOOD, 0, job="prices", result="24 items"),
    record(
        BAD,
        60,
        outcome=Outcome.failed,
        error_type="playwright._impl._errors.TimeoutError",
        error="Locator.click: [b]Timeout[/b]",
        harm="left 1 process",
        left="1 process",
        browser_generation=3,
    ),
    record(
        KILLED,
        30,
        job="stuck",
        outcome=Outcome.crashed,
        error_type=qualified_name(LoopBlocked),
        error="blocked muxd",
    ),
    record(AGAIN, 120, attempt=2, first_id=BAD, cause=Cause.retry),
    Record(id=WAITS, job="headlines", released_at=NOON + 180),
)


@pytest.fixture
def state(place, write):
    """A ledger with `RECORDS`, and evidence of the bad one."""
    write("muxd.toml", TOML)
    directory = place / "state"
    directory.mkdir(mode=0o700)

    async def fill():
        with trio.fail_after(10):
            async with Ledger(directory).open() as opened:
                await opened.write(*RECORDS)

    trio.run(fill)
    summary = {
        "url": "https://x.example/next",
        "title": "Next",
        "pages": ["https://x.example/next", "https://x.example/popup"],
        "missing": {"html": "it could not be had in 2.5 s"},
    }
    files = {
        "traceback.txt": "Traceback (most recent call last):\nLookupError: [red]gone[/red]\n",
        "console.txt": "".join(f"log: line {number}\n" for number in range(30)),
        "network.txt": "404  GET https://x.example/api\n",
        "summary.json": json.dumps(summary),
        "screenshot.png": "x" * 34_000,
        "trace.zip": "zip",
    }
    Artifacts(directory / "artifacts").write(
        BAD, {name: content.encode() for name, content in files.items()}
    )
    return directory


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (BAD, BAD),
        ("01m8a", GOOD),
        ("cccc", AGAIN),
        ("BBBBCCCC", AGAIN),
        ("last", AGAIN),
        ("last-failed", BAD),
        ("prices", GOOD),
        ("headlines", AGAIN),
        ("dddd", WAITS),
    ],
)
def test_a_run_is_named_in_many_ways(muxd, state, name, meant):
    """By its id, the beginning or end of it, by what it was, by its job; running or not."""
    result = muxd("history", "show", name, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["id"] == meant


def test_what_the_table_shows_is_enough(muxd, state):
    """The short id of each line of `muxd history` names that run."""
    lines = muxd("history").stdout.splitlines()[1:]
    shorts = [line.split()[2] for line in lines]
    assert len(shorts) == 4
    for short in shorts:
        assert muxd("history", "show", short).exit_code == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "there is no run 'nothing': `muxd history` shows"),
        ("01m8b", f"'01m8b' may be {AGAIN} (headlines), {BAD} (headlines): give more of the id"),
    ],
)
def test_a_name_of_none_or_many_is_the_users_mistake(muxd, state, name, message):
    """Exit code 2; of several all are named, of very many the first."""
    result = muxd("history", "show", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_before_the_first_start_there_is_no_run(muxd, write, place):
    """It says so, and makes nothing."""
    write("muxd.toml", TOML)
    result = muxd("history", "show", "last")
    assert result.exit_code == 2
    assert "there are no runs yet" in result.stderr
    assert not (place / "state").exists()


def test_for_people(muxd, state):
    """The record in full, its tries, what was thrown, the ends of the logs, where the files are."""
    result = muxd("history", "show", "bbbbbbbb")
    assert result.exit_code == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == f"{BAD} headlines failed"
    for line in (
        "asked for 2026-11-24 21:01:00 (slot)",
        "started 2026-11-24 21:01:00 (250ms late)",
        "ended 2026-11-24 21:01:03 (took 3.2s)",
        f"try 1 of 1: {BAD} failed, 2: {AGAIN} ok",
        "session main, browser 3",
        "harm left 1 process",
        "left 1 process",
        "url https://x.example/next",
        "title Next",
        "pages https://x.example/next, https://x.example/popup",
        "LookupError: [red]gone[/red]",
        "console, the last 20 of 30 lines",
        "log: line 29",
        "404 GET https://x.example/api",
        f"files in {state / 'artifacts' / BAD}",
        "screenshot.png 34 kB",
        "no html: it could not be had in 2.5 s",
    ):
        assert line in lines
    assert "log: line 9" not in lines


def test_without_evidence_there_is_the_record(muxd, state):
    """The error is told; of a good run nobody expects evidence, of a bad one it is said."""
    good = muxd("history", "show", GOOD)
    assert "24 items" in good.stdout
    assert good.stderr == ""
    for path in (state / "artifacts" / BAD).iterdir():
        path.unlink()
    (state / "artifacts" / BAD).rmdir()
    bad = muxd("history", "show", BAD)
    assert "TimeoutError: Locator.click: [b]Timeout[/b]" in bad.stdout
    assert bad.stderr == "\nNo evidence is kept of it (any more).\n"


def test_a_run_that_muxd_did_not_outlive_never_had_evidence(muxd, state):
    """It is not said to be gone: there was nobody to keep any."""
    killed = muxd("history", "show", KILLED)
    assert killed.stderr == "\nThere is no evidence of it: muxd itself ended while it ran.\n"


def test_damaged_evidence_keeps_nobody_from_the_record(muxd, state):
    """A summary that is no JSON, a text that is no UTF-8."""
    folder = state / "artifacts" / BAD
    (folder / "summary.json").write_bytes(b"[1")
    (folder / "console.txt").write_bytes(b"half \xc3")
    result = muxd("history", "show", BAD)
    assert result.exit_code == 0, result.stderr
    assert "half" in result.stdout


def test_what_a_page_wrote_is_no_command_to_the_terminal(muxd, state):
    """Escape sequences in titles and consoles are shown, not obeyed."""
    folder = state / "artifacts" / BAD
    (folder / "console.txt").write_bytes(b"log: \x1b]0;owned\x07\x1b[2J\xc2\x9b\rx\n")
    (folder / "summary.json").write_text(json.dumps({"title": "\x1b[31mred"}))
    result = muxd("history", "show", BAD)
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(result.stdout)
    assert r"\x1b]0;owned\x07" in result.stdout
    assert r"\x1b[31mred" in result.stdout


def test_for_programs(muxd, state):
    """The record's stable keys, all tries, and the evidence with its texts and sizes."""
    told = json.loads(muxd("history", "show", BAD, "--json").stdout)
    assert told["tries"] == [BAD, AGAIN]
    assert told["harm"] == "left 1 process"
    evidence = told["evidence"]
    assert evidence["folder"] == str(state / "artifacts" / BAD)
    assert evidence["files"]["screenshot.png"] == 34_000
    assert evidence["traceback"].startswith("Traceback")
    assert evidence["network"] == "404  GET https://x.example/api\n"
    assert evidence["missing"] == {"html": "it could not be had in 2.5 s"}
    assert json.loads(muxd("history", "show", GOOD, "--json").stdout)["evidence"] is None


def test_open_shows_what_there_is(muxd, state, monkeypatch):
    """The picture with the desktop's program, the trace with Playwright's viewer."""
    opened, started = [], []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    monkeypatch.setattr(subprocess, "Popen", lambda args, **_: started.append(args))
    assert muxd("history", "show", BAD, "--open").exit_code == 0
    folder = (state / "artifacts" / BAD).resolve()
    assert opened == [(folder / "screenshot.png").as_uri()]
    assert [args[:4] for args in started] == [[sys.executable, "-m", "playwright", "show-trace"]]
    assert started[0][4].endswith("trace.zip")
    result = muxd("history", "show", GOOD, "--open")
    assert result.exit_code == 2
    assert "has no picture, page or trace to open" in result.stderr


def test_options_stand_after_show(muxd, state):
    """Before it they would do nothing, so they are refused."""
    result = muxd("history", "--limit", "3", "show", "last")
    assert result.exit_code == 2
    assert "give --limit after `show`" in result.stderr


def test_the_console_names_the_command(muxd, state):
    """After a run that did not end well `muxd start` says how to see more, and only then."""

    async def told(one):
        out = io.StringIO()
        console = Console(file=out, width=200)
        with trio.fail_after(10):
            sink = ConsoleSink(console, ZoneInfo("Asia/Tokyo"), width=9)
            await sink.handle(RunEnded(at=NOON, record=one))
        return out.getvalue()

    good, bad = (trio.run(told, one) for one in RECORDS[:2])
    assert "history show" not in good
    command = bad.splitlines()[1].partition("see: muxd ")[2].split()
    assert json.loads(muxd(*command, "--json").stdout)["id"] == BAD
