"""Where things are on the picture of the timetable."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from muxd.builtin._dashboard.day import Bar
from muxd.builtin._dashboard.picture import LANES, WINDOWS, columns, day_of, draw, window_of
from muxd.builtin._dashboard.words import Almanac, duration
from muxd.record import Outcome, utc_text
from muxd.slotting import Slot

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 14, 0, tzinfo=ZONE).timestamp()


def almanac(now=NOW, speed=1.0):
    return Almanac(ZONE, now=now, timetable_now=now, speed=speed)


def slot(name="a", interval=600, duration=60):
    return Slot(name=name, interval=interval, phase=0, duration=duration)


def bar(began, took, *, job="a", outcome=Outcome.ok, late=0.0, started=True):
    at = NOW + began
    return Bar("01x", job, outcome, True, at - late, at if started else None, at + took, 1.0)


def picture(*bars, slots=None, window="2h", upcoming=(), running=None, paused=(), is_cut=False):
    return draw(
        window,
        almanac(),
        slots or [slot()],
        bars,
        running,
        upcoming,
        frozenset(paused),
        is_cut=is_cut,
    )


def test_a_run_is_at_its_true_length_beside_its_slot():
    """A run of 6 minutes is 5 % of two hours, where it was; its slot is where it was to be."""
    drawn = picture(bar(-1800, 360, late=72))
    slot_, run = drawn.lanes[0].marks
    assert (slot_.kind, run.kind) == ("slot", "run")
    assert run.width == pytest.approx(5.0)
    assert run.x == pytest.approx(drawn.now - 25, abs=0.01)
    assert slot_.x == pytest.approx(run.x - 1, abs=0.01)
    assert slot_.width == pytest.approx(100 * 60 / 7200, abs=0.01)
    assert "ok, 6m 00s" in run.label


def test_what_sticks_out_is_cut():
    """Nothing is drawn outside of the picture, and what is all outside is not drawn."""
    drawn = picture(bar(-2500, 400), bar(-9000, 30), bar(9000, 30))
    runs = [mark for mark in drawn.lanes[0].marks if mark.kind == "run"]
    assert len(runs) == 1
    for mark in drawn.lanes[0].marks:
        assert mark.x >= 0
        assert mark.x + mark.width <= 100


def test_what_never_ran_is_a_point():
    """Missed and coalesced releases have no length, and are there."""
    drawn = picture(bar(-600, 0, outcome=Outcome.missed, started=False))
    assert [(m.kind, m.outcome) for m in drawn.lanes[0].marks] == [
        ("slot", ""),
        ("point", "missed"),
    ]


def test_what_comes_and_what_runs():
    """The next ones at their reserved length; the run in progress until now."""
    running = {"job": "a", "id": "01r", "started_at": utc_text(NOW - 72)}
    drawn = picture(upcoming=[{"job": "a", "at": utc_text(NOW + 720)}], running=running)
    marks = {mark.kind: mark for mark in drawn.lanes[0].marks}
    assert marks["next"].x == pytest.approx(drawn.now + 10, abs=0.01)
    assert marks["running"].width == pytest.approx(1.0, abs=0.01)
    assert marks["running"].x + marks["running"].width == pytest.approx(drawn.now, abs=0.01)


def test_where_it_is_not_known_what_comes_it_says_so():
    """The daemon tells so many releases; behind the last of them nothing is claimed."""
    upcoming = [{"job": "a", "at": utc_text(NOW + 720)}]
    assert picture(upcoming=upcoming).until is None
    cut = picture(upcoming=upcoming, is_cut=True)
    assert cut.until == pytest.approx(cut.now + 10, abs=0.01)


@pytest.mark.parametrize("window", ["30m", "2h", "6h"])
def test_the_window_stands_still_for_a_while(window):
    """Now goes from a third of it on to the right, and then the window moves: by a twelfth."""
    length = WINDOWS[window]
    starts = set()
    for minute in range(120):
        at = almanac(NOW + 60 * minute)
        start, end = window_of(window, at)
        assert end - start == length
        assert length / 3 <= at.timetable_now - start <= length * 5 / 12 + 1
        starts.add(start)
    assert len(starts) <= 2 + 7200 / (length / 12)


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 3, 28), 24), ((2026, 3, 29), 23), ((2026, 10, 25), 25)]
)
def test_a_day_is_one_of_the_calendar(day, hours):
    """From midnight to midnight, with the hour more or less that it has."""
    start, end = day_of(almanac(datetime(*day, 15, tzinfo=ZONE).timestamp()))
    assert end - start == hours * 3600
    assert datetime.fromtimestamp(end, ZONE).hour == 0


def test_many_jobs_share_lanes():
    """Those of one interval, which never meet; and of the narrow ones in one place one is drawn."""
    slots = [slot(f"j{n:03d}", 600 * (1 + n % 3), 5) for n in range(LANES + 20)]
    bars = [bar(-600 + n * 0.01, 1, job=f"j{n:03d}") for n in range(LANES + 20)]
    drawn = picture(*bars, slots=slots)
    assert drawn.is_shared
    assert [(lane.name, lane.note) for lane in drawn.lanes] == [
        ("every 10m", "20 jobs"), ("every 20m", "20 jobs"), ("every 30m", "20 jobs")
    ]  # fmt: skip
    assert sum(len(lane.marks) for lane in drawn.lanes) <= 12


def test_a_full_day_is_bounded():
    """However many runs there were, a lane has no more marks than it has places."""
    bars = [bar(-n * 5, 4) for n in range(9_000)]
    assert len(picture(*bars, window="day").lanes[0].marks) <= 1_100


def test_the_columns_add_up():
    """Each quarter of an hour has its share, of what went well, what did not, and what is to come."""
    bars = [bar(-450, 900), bar(-900, 450, outcome=Outcome.failed)]
    found = columns(almanac(), [slot(duration=90)], bars, [{"job": "a", "at": utc_text(NOW + 900)}])
    assert len(found) == 96
    noon = 14 * 4
    assert found[noon - 1].good == pytest.approx(50)
    assert found[noon].good == pytest.approx(50)
    assert found[noon - 1].bad == pytest.approx(50)
    assert found[noon + 1].planned == pytest.approx(10)
    assert sum(one.good + one.bad + one.planned for one in found) == pytest.approx(160)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.84, "0.8s"), (9.96, "10s"), (59.6, "1m 00s"), (61, "1m 01s"), (3600, "1h 00m"),
     (90_000, "1d 01h"), (None, "\N{EN DASH}"), (-5, "-5s")],
)  # fmt: skip
def test_durations_are_for_people(seconds, text):
    """As exactly as it matters."""
    assert duration(seconds) == text


def test_times_of_other_days_have_their_date():
    """A time alone is today's."""
    at = almanac()
    assert at.clock(NOW - 3600) == "13:00:00"
    assert at.clock(NOW - 86_400) == "1 Mar 14:00:00"
