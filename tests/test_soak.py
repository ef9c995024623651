"""What many runs of one job say together, and what they suggest."""

from __future__ import annotations

import pytest

from muxd.cli.soak import print_soak
from muxd.job import Job
from muxd.soak import Soak
from muxd.units import parse_duration


def records(*durations, outcome="ok", left=None, harm=None):
    return [
        {"job": "tea.green", "outcome": outcome, "duration": each, "left": left, "harm": harm}
        for each in durations
    ]


def test_what_is_counted():
    """Outcomes, what was left and its harm; percentiles are of the good runs alone."""
    told = Soak.of(
        [
            *records(*range(1, 101), left="1 page"),
            *records(300, outcome="failed", harm="left a process", left="1 page"),
            *records(None, outcome="coalesced"),
        ]
    ).as_dict()
    assert told["runs"] == 102
    assert told["outcomes"] == {"ok": 100, "failed": 1, "coalesced": 1}
    # The timetable learns from the newest 50.
    assert told["duration"] == {"p50": 75, "p95": 98, "longest": 300}
    assert (told["left"], told["harms"]) == ({"1 page": 101}, {"left a process": 1})
    assert told["memory"] is None


@pytest.mark.parametrize(
    ("durations", "interval", "duration", "timeout"),
    [
        ([1.2, 1.3, 1.4], None, "2s", "10s"),
        ([0.01] * 50, None, "1s", "10s"),
        ([11.2] * 20, None, "12s", "40s"),
        ([11.2] * 20 + [70], None, "12s", "2m30s"),
        ([61] * 20, None, "1m5s", "3m15s"),
        ([301] * 20, None, "5m15s", "16m"),
        ([4.5] * 20, 5, "5s", "5s"),
        ([1, 1], None, None, None),
    ],
)
def test_what_is_suggested(durations, interval, duration, timeout):
    """A duration that holds the good runs and a timeout that none of them meets, as a person would
    write them; a job may declare them; nothing where too few ended well.
    """
    soak = Soak.of(records(*durations), interval=interval)
    assert (soak.duration, soak.timeout) == (duration, timeout)

    async def body(run): ...

    if duration:
        job = Job("tea", body, interval=interval or "1h", duration=duration, timeout=timeout)
        assert job.duration >= sorted(durations)[len(durations) // 2]
        if interval is None:
            assert parse_duration(timeout) > max(durations)


def test_a_run_that_met_its_timeout_suggests_none():
    """It may have been too short, or the run hung: that is for a person to say."""
    soak = Soak.of([*records(1, 1, 1), *records(60, outcome="timed_out")])
    assert (soak.duration, soak.timeout) == ("1s", None)


def test_growth_of_the_browser():
    """Told once there are enough measurements, without the warming up, and no outlier makes it."""
    size = 100_000_000
    still = [size // 2, *[size] * 30]
    assert Soak.of(records(1), still).growth == 0
    still[20] *= 3
    assert Soak.of(records(1), still).growth == 0
    assert Soak.of(records(1), [size + n * 1000 for n in range(30)]).growth == 1000
    assert Soak.of(records(1), [size] * 9).growth is None
    assert Soak.of(records(1), [None, size, None]).memory == [size]


def test_it_is_printed_for_people(capsys):
    """In words, with lines that can be copied into a configuration."""
    memory = [400_000_000 + n * 1_000_000 for n in range(20)]
    print_soak(
        Soak.of([*records(*[1.5] * 19, left="2 timers"), *records(9, outcome="failed")], memory)
    )
    assert capsys.readouterr().out == (
        "\n20 runs: 19 ok, 1 failed\n"
        "durations: p50 1.5s, p95 1.5s (of those that ended well), longest 9s\n"
        "left: 2 timers (19 of 20 runs)\n"
        "browser: 400 MB after the first run, 419 MB after the last, +1 MB a run once warm\n"
        "\nfor muxd.toml, if the job does not say so itself:\n\n"
        '[jobs."tea.green"]\n'
        'duration = "2s"\n'
        'timeout = "18s"\n'
    )
    print_soak(Soak.of(records(60, outcome="timed_out")))
    told = capsys.readouterr().out
    assert "some met their timeout" in told
    assert "too few ended well" in told
