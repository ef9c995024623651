"""``muxd history --stats``."""

from __future__ import annotations

import json

import pytest
import trio

from muxd.builtin.ledger import Ledger
from muxd.cli.stats import share_text, sparkline
from muxd.record import Outcome, Record
from muxd.statistics import Stretch

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z
TOML = '[daemon]\ntimezone = "Asia/Tokyo"\nstate_dir = "state"\n'


def ended(number, job="headlines", outcome=Outcome.ok, took=3.5, late=0.25):
    at = NOON + 60 * number
    times = {"released_at": at - took - late, "started_at": at - took, "ended_at": at}
    return Record(id=f"{job}{number:03}", job=job, outcome=outcome, **times)


@pytest.fixture
def ledger(place, write):
    """A state directory with the runs of two jobs."""
    write("muxd.toml", TOML)
    (place / "state").mkdir(mode=0o700)
    runs = [ended(number, took=2 + number) for number in range(16)]
    runs += [ended(16, outcome=Outcome.failed), ended(3, "prices", Outcome.timed_out, took=90)]
    runs.append(Record(id="m", job="prices", released_at=NOON, outcome=Outcome.missed))

    async def fill():
        with trio.fail_after(10):
            async with Ledger(place / "state").open() as opened:
                await opened.write(*runs)

    trio.run(fill)


def test_for_people(muxd, ledger):
    """A line a job; below it, of when the runs are and what the signs mean."""
    result = muxd("history", "--stats")
    assert result.exit_code == 0, result.stderr
    assert [line.split(maxsplit=7) for line in result.stdout.splitlines()] == [
        ["job", "runs", "ok", "took", "p95", "late", "p95", "trend"],
        ["headlines", "17", "94.1%", "9s", "17s", "250ms", "250ms", "▁▁▂▂▃▃▄▄▅▅▆▆▇▇██x"],
        ["prices", "1", "0%", "1m30s", "1m30s", "250ms", "250ms", "x"],
    ]
    assert result.stderr == (
        "\nFrom 2026-11-24 21:00:00 to 2026-11-24 21:16:00; 1 more releases were passed over "
        "(missed or coalesced).\nMedians, and 95th percentiles. Trend: how long runs took, the "
        "newest on the right, 1m a sign; x: none was ok.\n"
    )


def test_it_fits_a_terminal(muxd, ledger):
    """On 60 columns the trend has fewer signs, and no line is broken."""
    result = muxd("history", "--stats", env={"COLUMNS": "60"})
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 60 for line in lines)
    assert "3m a sign" in result.stderr


def test_for_programs(muxd, ledger):
    """One document; of a job, and of a time, if asked for."""
    told = json.loads(muxd("history", "--stats", "--json").stdout)
    assert [(job["job"], job["runs"]) for job in told["jobs"]] == [("headlines", 17), ("prices", 1)]
    assert told["jobs"][0]["duration"] == {"p50": 9.0, "p95": 17.0}
    for args in (
        ("--stats", "headlines", "--since", "2026-11-24T21:10"),
        ("--since", "2026-11-24T21:10", "--stats", "--job", "headlines"),
        ("headlines", "--since", "2026-11-24T21:10", "--stats"),
    ):
        result = muxd("history", *args, "--json")
        assert result.exit_code == 0, result.stderr
        (job,) = json.loads(result.stdout)["jobs"]
        assert (job["job"], job["runs"]) == ("headlines", 7)
    empty = muxd("history", "--stats", "--json", "--until", "2026-01-01")
    assert json.loads(empty.stdout)["jobs"] == []


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--stats", "headline"), "did you mean 'headlines'?"),
        (("--stats", "headlines", "prices"), "give one job with --stats"),
        (("--stats", "headlines", "--job", "prices"), "give one job with --stats"),
        (("--stats", "--limit", "3"), "--limit is for the list of runs"),
        (("--stats", "--outcome", "ok"), "--outcome is for the list of runs"),
        (("headlines",), "No such command 'headlines'"),
    ],
)
def test_a_wrong_call_is_the_users_mistake(muxd, ledger, args, told):
    """A job that nobody knows, several, or an option that is for lists exits 2 and says so."""
    result = muxd("history", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_no_runs_yet(muxd, write, place):
    """Before the first start there is nothing to say, and nothing is made."""
    write("muxd.toml", TOML)
    result = muxd("history", "--stats")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No runs yet.\n")
    assert json.loads(muxd("history", "--stats", "--json").stdout)["jobs"] == []
    assert not (place / "state").exists()


def test_a_trend_in_colours():
    """Green where all was well, yellow where some was not; nothing ran in a gap."""
    line = sparkline(
        [Stretch(2, 2, 1.0), Stretch(0, 0, None), Stretch(2, 1, 9.0), Stretch(1, 0, 5)]
    )
    assert line.plain == "▁ █x"
    assert [str(span.style) for span in line.spans] == ["green", "yellow", "bold red"]
    assert sparkline([]).plain == ""
    assert sparkline([Stretch(1, 1, 5.0)] * 2).plain == "▅▅"


@pytest.mark.parametrize(
    ("share", "text"),
    [(1, "100%"), (0, "0%"), (None, "-"), (0.9999, "99.9%"), (0.0001, "0.1%"), (2 / 3, "66.7%")],
)
def test_a_share_is_not_rounded_to_all(share, text):
    """100 % are all, and 0 % none."""
    assert share_text(share) == text
