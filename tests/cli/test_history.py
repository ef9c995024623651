"""``muxd history``."""

from __future__ import annotations

import json
import os

import pytest
import trio

from muxd.builtin.ledger import Ledger
from muxd.record import Outcome, Record

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z
TOML = """
[daemon]
timezone = "Asia/Tokyo"
state_dir = "state"
"""


def ended(run_id, job="headlines", outcome=Outcome.ok, **fields):
    number = int(run_id)
    own = {
        "released_at": NOON + 60 * number,
        "started_at": NOON + 60 * number + 0.25,
        "ended_at": NOON + 60 * number + 3.5,
    }
    return Record(**({"id": run_id, "job": job, "outcome": outcome} | own | fields))


@pytest.fixture
def ledger(place, write):
    """Fill the ledger of the state directory that muxd.toml names."""
    write("muxd.toml", TOML)
    directory = place / "state"
    directory.mkdir(mode=0o700)

    def fill(*records):
        async def main():
            with trio.fail_after(10):
                async with Ledger(directory).open() as opened:
                    await opened.write(*records)

        trio.run(main)
        return directory

    return fill


def test_no_state_directory_is_no_runs_yet(muxd, write, place):
    """Before the first start there is an empty list, and nothing is made."""
    write("muxd.toml", TOML)
    result = muxd("history")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No runs yet.\n")
    assert muxd("history", "--json", "--job", "headlines").stdout == "[]\n"
    assert not (place / "state").exists()


def test_no_ledger_is_no_runs_yet(muxd, write, place):
    """A state directory without a ledger has an empty list, and gets none."""
    write("muxd.toml", TOML)
    (place / "state").mkdir()
    assert muxd("history", "--json", "--job", "headlines").stdout == "[]\n"
    assert muxd("history").stderr == "No runs yet.\n"
    assert os.listdir(place / "state") == []


def test_for_people(muxd, ledger):
    """A line a run, newest end first: local time, job, outcome, duration, lateness, what came."""
    ledger(
        ended("1", result="24 [b]headlines[/b]"),
        ended(
            "2",
            outcome=Outcome.failed,
            error_type="playwright._impl._errors.TimeoutError",
            error="Locator.click:\n  Timeout 30000ms exceeded.",
        ),
        Record(id="3", job="prices", released_at=NOON + 180, outcome=Outcome.missed),
        Record(id="4", job="prices", released_at=NOON + 240),
    )
    result = muxd("history")
    assert result.exit_code == 0, result.stderr
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        "started run job outcome took late error or result",
        "2026-11-24 21:03:00 3 prices missed - -",
        "2026-11-24 21:02:00 2 headlines failed 3.2s 250ms "
        "TimeoutError: Locator.click: Timeout 30000ms exceeded.",
        "2026-11-24 21:01:00 1 headlines ok 3.2s 250ms 24 [b]headlines[/b]",
    ]
    assert result.stderr == "\nSee one with `muxd history show RUN`.\n"


def test_outcomes_are_coloured_on_a_terminal(muxd, ledger, monkeypatch):
    """A failure is red and a good run green, where colours can be shown."""
    ledger(ended("1"), ended("2", outcome=Outcome.failed))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = muxd("history", color=True).stdout
    assert "\x1b[1;31mfailed" in out
    assert "\x1b[32mok" in out


def test_for_programs(muxd, ledger):
    """``--json`` is one list of runs that have ended, with stable keys, in UTC."""
    ledger(ended("1", result="ünï", browser_generation=2), ended("2", job="prices"))
    ledger(Record(id="3", job="prices", released_at=NOON))
    newest, oldest = json.loads(muxd("history", "--json").stdout)
    assert newest["id"] == "2"
    assert oldest == {
        "id": "1",
        "job": "headlines",
        "plugin": "",
        "cause": "slot",
        "attempt": 1,
        "first_id": None,
        "released_at": "2026-11-24T12:01:00.000000Z",
        "started_at": "2026-11-24T12:01:00.250000Z",
        "ended_at": "2026-11-24T12:01:03.500000Z",
        "outcome": "ok",
        "error": None,
        "error_type": None,
        "result": "ünï",
        "left": None,
        "harm": None,
        "session": "main",
        "browser_generation": 2,
        "lateness": 0.25,
        "duration": 3.25,
        "speed": 1.0,
    }


def test_narrowed(muxd, ledger):
    """``--job``, ``--outcome`` and ``--limit`` choose, and work together."""
    ledger(
        ended("1"),
        ended("2", outcome=Outcome.failed),
        ended("3", job="prices", outcome=Outcome.failed),
        ended("4"),
    )

    def ids(*args):
        result = muxd("history", "--json", *args)
        assert result.exit_code == 0, result.stderr
        return [run["id"] for run in json.loads(result.stdout)]

    assert ids("--job", "headlines") == ["4", "2", "1"]
    assert ids("--outcome", "failed") == ["3", "2"]
    assert ids("--limit", "1", "--job", "headlines") == ["4"]
    assert ids("--job", "headlines", "--outcome", "failed") == ["2"]
    assert ids("--job", "headlines", "--outcome", "crashed") == []
    result = muxd("history", "--outcome", "crashed")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No such runs.\n")


def test_limits_by_default(muxd, ledger):
    """The table ends after 50 runs, and says that there may be more; a list after 1000."""
    ledger(*(ended(str(number)) for number in range(1200)))
    result = muxd("history")
    assert len(result.stdout.splitlines()) == 1 + 50
    assert result.stderr == (
        "\nSee older ones with --before 1150. See one with `muxd history show RUN`.\n"
    )
    assert len(json.loads(muxd("history", "--json").stdout)) == 1000
    assert len(json.loads(muxd("history", "--json", "--limit", "1100").stdout)) == 1100


def test_an_unknown_job_is_the_users_mistake(muxd, ledger):
    """A job that neither the ledger nor a plugin knows exits 2 and names the likeliest."""
    ledger(ended("1"), Record(id="2", job="prices", released_at=NOON))
    for args in (("--job", "headline"), ("--job", "headline", "--json")):
        result = muxd("history", *args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is no job 'headline': did you mean 'headlines'?" in result.stderr
    assert "did you mean 'prices'?" in muxd("history", "--job", "price").stderr


def test_a_declared_job_that_never_ran_is_known(muxd, ledger, write):
    """A job of a plugin has no runs yet, which is no mistake."""
    ledger(ended("1"))
    write(
        "jobs/shop.py",
        """
        import muxd

        @muxd.job(interval="1h")
        async def stock(run):
            "Count."
        """,
    )
    result = muxd("history", "--job", "stock", "--jobs-dir", "jobs")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No such runs.\n")
    assert muxd("history", "--job", "stock").exit_code == 2


@pytest.mark.parametrize(
    "args", [("--outcome", "fine"), ("--limit", "0"), ("--limit", "-3"), ("--limit", "many")]
)
def test_a_wrong_value_is_the_users_mistake(muxd, ledger, args):
    """A word that is no outcome and a limit below 1 exit 2, naming the option."""
    ledger(ended("1"))
    result = muxd("history", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert args[0] in result.stderr


def test_a_damaged_ledger_exits_1_with_what_to_do(muxd, ledger):
    """A ledger that can't be read is named with the remedy; there is no traceback."""
    directory = ledger()
    (directory / "ledger.sqlite3").write_bytes(b"no database " * 400)
    result = muxd("history", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "it is not a ledger, or is damaged; " in result.stderr
    assert "muxd start" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_works_beside_a_writer(muxd, ledger):
    """While a daemon has the ledger open and is in the middle of a write, history shows the rest."""
    import sqlite3

    directory = ledger(ended("1"))
    writer = sqlite3.connect(directory / "ledger.sqlite3", isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM runs")
        assert [run["id"] for run in json.loads(muxd("history", "--json").stdout)] == ["1"]
    finally:
        writer.close()


def test_of_a_time(muxd, ledger, monkeypatch):
    """``--since`` and ``--until`` take a date, a time in the timetable's zone or another, or how long ago."""
    ledger(*(ended(str(number)) for number in range(1, 8)))
    monkeypatch.setattr("time.time", lambda: NOON + 600)

    def ids(*args):
        result = muxd("history", "--json", *args)
        assert result.exit_code == 0, result.stderr
        return "".join(run["id"] for run in json.loads(result.stdout))

    assert ids("--since", "2026-11-24T21:05") == "765"  # Tokyo
    assert ids("--since", "2026-11-24T12:05Z", "--until", "2026-11-24 21:07") == "65"
    assert ids("--until", "2026-11-24") == ""
    assert ids("--since", "2026-11-24", "--job", "headlines", "--limit", "2") == "76"
    assert ids("--since", "4m30s", "--outcome", "ok") == "76"
    assert muxd("history", "--until", "2026-11-24").stderr == "No such runs.\n"
    result = muxd("history", "--since", "yesterday")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--since: 'yesterday' is not a date or a time such as" in result.stderr


def test_page_by_page(muxd, ledger, monkeypatch):
    """What is said after a page gives the next, down to the oldest run; by any name of a run.

    So it is beyond those runs, too, that are known by the end of their ids.
    """
    monkeypatch.setattr("muxd.builtin.ledger.FOUND", 40)
    ledger(*(ended(f"{number:08}") for number in range(120)))
    seen, args = [], ["history"]
    while True:
        result = muxd(*args)
        assert result.exit_code == 0, result.stderr
        seen += [line.split()[2] for line in result.stdout.splitlines()[1:]]
        if "--before" not in result.stderr:
            break
        args = ["history", "--before", result.stderr.split("--before ")[1].split(".")[0]]
    assert seen == [f"{number:06}" for number in reversed(range(120))]
    newest = json.loads(muxd("history", "--before", "last", "--limit", "1", "--json").stdout)
    assert [run["id"] for run in newest] == ["00000118"]
    result = muxd("history", "--before", "nothing")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no run 'nothing'" in result.stderr
