"""``muxd status`` for people: one screen."""

from __future__ import annotations

from muxd.cli.status import _show

AT = "2024-01-01T00:{}:{}.000000Z"
NOON = 1_704_067_200.0 + 60 * 10


def at(minute, second=0):
    return AT.format(f"{minute:02}", f"{second:02}")


TOLD = {
    "pid": 7,
    "state": "running",
    "speed": 1,
    "timezone": "Europe/Berlin",
    "state_dir": "st",
    "restarts": 2,
    "browser": {
        "up": True,
        "version": "156.0",
        "up_since": at(0),
        "pid": 11,
        "generation": 3,
        "runs": 214,
        "memory": 412_000_000,
        "pages": 1,
        "recycling": None,
    },
    "running": {
        "id": "01aaxxxx1",
        "job": "learn",
        "started_at": at(9, 48),
        "expected": 20.0,
        "deadline": at(11, 48),
    },
    "waiting": [
        {
            "id": "01bbxxxx2",
            "job": "plan",
            "cause": "slot",
            "priority": 50,
            "released_at": at(9, 55),
            "reason": "learn is running",
            "held": False,
        },
        {
            "id": "01ccxxxx3",
            "job": "news",
            "cause": "retry",
            "priority": 25,
            "released_at": at(8),
            "reason": "held: memory is short",
            "held": True,
        },
    ],
    "waiting_total": 3,
    "upcoming": [{"job": "reply", "at": at(10, 30)}, {"job": "learn", "at": at(11)}],
    "paused": [{"job": "shop", "note": "ill \x1b[2J", "since": at(1), "probe_at": at(20)}],
    "paused_total": 1,
    "paused_whole": {"job": "", "note": "holiday", "since": at(1), "probe_at": None},
    "drained": {"job": "", "note": "an update", "since": at(1), "probe_at": None},
    "skipped": [{"job": "plan", "note": "once", "since": at(1), "probe_at": at(30)}],
    "today": {"ok": 134, "failed": 2},
    "failures": [
        {
            "id": "01kgc7qth00ms9",
            "job": "news",
            "outcome": "failed",
            "ended_at": at(5),
            "error_type": "a.b.TimeoutError",
            "error": "no \x1b[31m\nanswer",
        },
        {
            "id": "01kgc7qth00ms8",
            "job": "sync",
            "outcome": "timed_out",
            "ended_at": "2023-12-30T11:00:00.000000Z",
            "error_type": None,
            "error": None,
        },
    ],
    "runs": {"by_outcome": {"ok": 12}, "most_at_once": 1},
    "warnings": ["memory is short: 1 MB left; held: news"],
    "timetable": {
        "jobs": 16,
        "feasible": True,
        "min_gap": 30,
        "collisions": 0,
        "utilisation": 0.34,
        "warnings": [],
    },
    "plugins_left_out": {},
}
SCREEN = """\
muxd      running, process 7, started again 2x, st
browser   156.0, up for 10m, process 11, generation 3
          214 runs made, 412 MB of memory, 1 page open
plan      16 jobs, no collision, smallest gap 30 s, 34% of the time used
running   learn (01aaxxxx1) for 12s of about 20s, until 01:11:48 at most
today     134 ok, 2 failed
runs      12 ok; most at once 1
warning   memory is short: 1 MB left; held: news
drained   no release is run: an update; `muxd resume --all`
paused    all jobs: holiday; until `muxd resume --all`
skipped   plan at 01:30:00: once
paused    shop: ill \\x1b[2J; tried again from 01:20:00 on or `muxd resume shop`

waiting  asked by    for  priority  because
plan     slot         5s        50  learn is running
news     retry     2m         25  held: memory is short
... and 1 more waiting

next   at         in
reply  01:10:30  30s
learn  01:11:00   1m

failed lately             at                   run     error
news           failed     01:05:00             h00ms9  TimeoutError: no \\x1b[31…
sync           timed_out  2023-12-30 12:00:00  h00ms8
"""


def test_one_screen(capsys, monkeypatch):
    """All of it within a terminal's 80 columns, in local time; nothing is a command to a terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    _show(TOLD, NOON)
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines()] == [
        line.split() for line in SCREEN.splitlines()
    ]
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_quiet_day(capsys):
    """Where nothing runs, waits or failed there is no heading without rows."""
    quiet = {"running": None, "waiting": [], "upcoming": [], "failures": [], "today": {}}
    nothing = {"paused": [], "paused_whole": None, "drained": None, "skipped": [], "warnings": []}
    _show(TOLD | quiet | nothing, NOON)
    shown = capsys.readouterr().out
    assert "running   nothing\n" in shown
    assert "today     no run has ended\n" in shown
    for word in ("waiting", "next", "failures", "paused", "warning", "drained", "skipped"):
        assert f"\n{word}" not in shown


def test_in_a_rehearsal_the_clock_is_the_timetables(capsys):
    """Times of day are the timetable's, as on the dashboard, and how long things take is real; that is
    said. What was before the rehearsal keeps its time."""
    rehearsal = {
        "speed": 60.0,
        "now": at(10),
        "timetable_now": "2024-01-01T09:00:00.000000Z",
        "started_at": at(6),
        "failures": [TOLD["failures"][0], TOLD["failures"][0] | {"ended_at": at(8)}],
    }
    _show(TOLD | rehearsal, NOON)
    shown = capsys.readouterr().out
    assert "rehearsal times of day are the timetable's; how long things take is real" in shown
    assert "learn (01aaxxxx1) for 12s of about 333ms, until 11:48:00 at most" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["reply", "10:30:00", "30s"] in lines
    assert [line[2] for line in lines if line[:1] == ["news"] and "failed" in line] == [
        "01:05:00",
        "08:00:00",
    ]
