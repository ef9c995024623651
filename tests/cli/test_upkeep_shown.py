"""What people see of recycling, and of memory and disk that run short."""

from __future__ import annotations

import io
import json
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from muxd.cli.live import ConsoleSink, JsonSink
from muxd.cli.status import _show
from muxd.events import BrowserDown, ResourcesFine, ResourcesLow

LOW = ResourcesLow(
    at=3600.0, what="memory", free=120_000_000, floor=200_000_000, holding=("learn", "trends")
)
DOWN = BrowserDown(at=3600.0, generation=3, reason="recycled: 1.02 GB", retry_in=0.0)
BROWSER = {
    "up": True,
    "version": "156.0",
    "up_since": "1970-01-01T00:00:00.000000Z",
    "pid": 11,
    "generation": 3,
    "runs": 214,
    "memory": 1_020_000_000,
    "recycling": None,
}
TOLD = {
    "pid": 7,
    "state": "running",
    "speed": 1,
    "timezone": "UTC",
    "state_dir": "st",
    "browser": BROWSER,
    "resources": {"short": None, "holding": []},
    "running": None,
    "waiting": [],
    "upcoming": [],
    "paused": [],
    "runs": {"by_outcome": {}, "most_at_once": 0},
    "timetable": {
        "jobs": 1,
        "feasible": True,
        "min_gap": 30,
        "collisions": 0,
        "utilisation": 0.1,
        "warnings": [],
    },
    "plugins_left_out": {},
}


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, "          214 runs made, 1.02 GB of memory\n"),
        ({"runs": 1, "memory": None}, "          1 run made\n"),
        (
            {"recycling": {"reason": "1.02 GB", "at": "1970-01-01T01:05:00.000000Z"}},
            "1.02 GB of memory; to be recycled at 01:05:00 (1.02 GB)\n",
        ),
        ({"recycling": {"reason": "2d old", "at": None}}, "recycled between two runs (2d old)\n"),
        ({"pages": 2}, "          214 runs made, 1.02 GB of memory, 2 pages open\n"),
    ],
)
def test_status_shows_the_use_of_the_browser(capsys, changed, line):
    """Runs, memory, and when and why it will be replaced."""
    _show(TOLD | {"browser": BROWSER | changed}, 3600.0)
    assert line in capsys.readouterr().out


def test_status_shows_what_is_short_and_who_is_held(capsys):
    """As a warning; nothing while there is enough."""
    _show(TOLD, 3600.0)
    assert "short" not in capsys.readouterr().out
    short = "memory is short: 120 MB left, the floor is 200 MB; held: learn"
    _show(TOLD | {"warnings": [short]}, 3600.0)
    assert (
        "warning   memory is short: 120 MB left, the floor is 200 MB; held: learn\n"
        in capsys.readouterr().out
    )


def test_status_of_an_older_daemon_is_shown(capsys):
    """It tells less; nothing breaks."""
    browser = {name: BROWSER[name] for name in ("up", "version", "up_since", "pid", "generation")}
    told = {name: value for name, value in TOLD.items() if name not in ("resources", "paused")}
    _show(told | {"browser": browser}, 3600.0)
    assert "generation 3" in capsys.readouterr().out


async def test_the_console_says_so():
    """A calm line each."""
    out = io.StringIO()
    sink = ConsoleSink(Console(file=out, width=200), ZoneInfo("UTC"), width=10)
    for event in (DOWN, LOW, ResourcesFine(at=3601.0)):
        await sink.handle(event)
    assert out.getvalue().splitlines() == [
        "01:00:00  browser recycled: 1.02 GB",
        "01:00:00  memory is short: 120 MB left, the floor is 200 MB; held: learn, trends",
        "01:00:01  memory and disk are no longer short",
    ]


async def test_programs_get_the_fields():
    """Sizes in bytes, names in a list."""
    out = io.StringIO()
    await JsonSink(out).handle(LOW)
    assert json.loads(out.getvalue()) == {
        "at": "1970-01-01T01:00:00.000000Z",
        "event": "resources_low",
        "what": "memory",
        "free": 120_000_000,
        "floor": 200_000_000,
        "holding": ["learn", "trends"],
    }
