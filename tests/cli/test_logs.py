"""``muxd logs``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import trio

from muxd.builtin.ledger import Ledger
from muxd.logfile import LogFile
from muxd.record import Outcome, Record

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z
TOML = """
[daemon]
timezone = "Asia/Tokyo"
state_dir = "state"
[evidence]
mask = ["hunter2-hunter2"]
"""


def line(second, event, level="info", **fields):
    at = f"2026-11-24T12:00:{second:02}.000000Z"
    return json.dumps({"at": at, "level": level, "event": event} | fields)


@pytest.fixture
def log(place, write):
    """Write lines into the log of the state directory that muxd.toml names, in small files."""
    write("muxd.toml", TOML)
    (place / "state").mkdir(mode=0o700)

    def log(*lines, size=300):
        file = LogFile(place / "state" / "logs", files=9, size=size)
        for each in lines:
            file.write(each)
        file.close()

    return log


@pytest.fixture
def some(log):
    log(
        line(1, "running 2 jobs"),
        line(2, "opened", job="headlines", run="01aaxxxx1", url="https://a b"),
        line(3, "slow", "warning", job="prices", run="01bbxxxx2", took=3),
        line(4, "no \x1b[31m", "error", job="headlines", run="01ccxxxx3", exception="Trace:\n  E"),
    )


def events(result):
    assert result.exit_code == 0, result.stderr
    return [json.loads(each)["event"] for each in result.stdout.splitlines()]


def test_for_people(muxd, some):
    """A line each: date and time in the timetable's zone, job and run, and the rest; no commands."""
    result = muxd("logs")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "2026-11-24 21:00:01  running 2 jobs",
        "2026-11-24 21:00:02  headlines axxxx1  opened  url='https://a b'",
        "2026-11-24 21:00:03  warning  prices bxxxx2  slow  took=3",
        "2026-11-24 21:00:04  error  headlines cxxxx3  'no \\x1b[31m'",
        "    Trace:",
        "      E",
    ]


def test_for_programs(muxd, some, place):
    """The lines as they are; what is no JSON, as a full disk leaves it, is left out."""
    with (place / "state" / "logs" / "muxd.log").open("a") as file:
        file.write('{"at": "2026\n' + line(9, "last") + "\n")
    result = muxd("logs", "--json")
    assert events(result) == ["running 2 jobs", "opened", "slow", "no \x1b[31m", "last"]
    assert json.loads(result.stdout.splitlines()[1])["url"] == "https://a b"
    assert '{"at": "2026\n' in muxd("logs").stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("headlines",), ["opened", "no \x1b[31m"]),
        (("01bbxxxx2",), ["slow"]),
        (("BBXXXX2",), ["slow"]),
        (("01cc",), ["no \x1b[31m"]),
        (("--level", "warning"), ["slow", "no \x1b[31m"]),
        (("--level", "critical"), []),
        (("--since", "2026-11-24T21:00:03"), ["slow", "no \x1b[31m"]),
        (("--since", "2026-11-24T12:00:04Z"), ["no \x1b[31m"]),
        (("-n", "1", "headlines"), ["no \x1b[31m"]),
        (("-n", "0"), []),
        (("--lines", "all"), ["running 2 jobs", "opened", "slow", "no \x1b[31m"]),
        (("-n", "2", "--since", "2026-11-24"), ["slow", "no \x1b[31m"]),
    ],
)
def test_narrowed(muxd, some, args, told):
    """By job, by run or a part of its id, level and time; the newest so many."""
    assert events(muxd("logs", "--json", *args)) == told


def test_names_of_the_ledger(muxd, some, place):
    """`last-failed`, and runs and jobs that logged nothing: found where `muxd history` finds them."""

    async def fill():
        async with Ledger(place / "state").open() as opened:
            for run, job in (("01bbxxxx2", "prices"), ("01ddyyyy4", "quiet")):
                outcome = Outcome.failed if job == "prices" else Outcome.ok
                await opened.write(Record(id=run, job=job, released_at=NOON, outcome=outcome))

    trio.run(fill)
    assert events(muxd("logs", "last-failed", "--json")) == ["slow"]
    for name in ("quiet", "yyyy4"):
        result = muxd("logs", name)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No such lines.\n")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("hedlines",), "there is no job and no run 'hedlines'"),
        (("01",), "'01' may be 01aaxxxx1, 01bbxxxx2, 01ccxxxx3: give more of the id"),
        (("-n", "many"), "'many' is not possible: give a number, or all"),
        (("-n", "-3"), "'-3' is not possible"),
        (("--since", "yesterday"), "--since: 'yesterday' is not a date"),
        (("--level", "loud"), "--level"),
    ],
)
def test_a_wrong_call_is_the_users_mistake(muxd, some, args, told):
    """What is no job, run, number, time or level exits 2 and says so."""
    result = muxd("logs", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_with_a_damaged_ledger_logs_are_shown(muxd, some, place):
    """Just then they are needed: it is said, and the name is looked for in the log."""
    (place / "state" / "ledger.sqlite3").write_bytes(b"no database " * 400)
    result = muxd("logs", "prices", "--json")
    assert events(result) == ["slow"]
    assert "it is not a ledger, or is damaged" in result.stderr


def test_nothing_was_logged_yet(muxd, write, place):
    """Before the first start it is said so, and nothing is made."""
    write("muxd.toml", TOML)
    result = muxd("logs")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing was logged yet.\n")
    assert not (place / "state").exists()


def test_no_secret_is_shown(muxd, log, place):
    """Also one that was written before it was named as one."""
    log(line(1, "signed in with hunter2-hunter2", password="swordfish"))
    for args in ((), ("--json",)):
        out = muxd("logs", *args).stdout
        assert "signed in with ***" in out
        assert "hunter2" not in out
        assert "swordfish" not in out


def test_so_many_by_default(muxd, log):
    """Fifty to people, a thousand as JSON; of a run all."""
    log(*(line(n % 60, "x", run="01aa") for n in range(1100)), size=10**6)
    for args, count in (((), 50), (("--json",), 1000), (("01aa",), 1100), (("-n", "7"), 7)):
        assert len(muxd("logs", *args).stdout.splitlines()) == count


def test_colours_on_a_terminal(muxd, some, monkeypatch):
    """A warning is yellow and an error red, where colours can be shown."""
    monkeypatch.setattr("muxd.logs.has_colours", lambda stream: True)
    out = muxd("logs").stdout
    assert "\x1b[33mwarning\x1b[0m" in out
    assert "\x1b[31merror\x1b[0m" in out
    assert "\x1b[1m'no \\x1b[31m'\x1b[0m" in out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")
def test_followed_until_ctrl_c(some, log, place):
    """What is logged later is shown at once, over new files; Ctrl-C ends it quietly, with 0."""
    command = [sys.executable, "-m", "muxd", "logs", "-f", "-n", "1", "--level", "warning"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=place
    ) as process:
        try:
            assert process.stdout is not None
            assert "no \\x1b[31m" in process.stdout.readline()
            assert process.stdout.readline() + process.stdout.readline() == "    Trace:\n      E\n"
            for number in range(5):
                log(line(10 + number, f"loud {number}", "error"), line(11, "x" * 250))
                assert f"error  loud {number}\n" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")
