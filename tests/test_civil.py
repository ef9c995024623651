"""The calendar: releases keep the wall clock's time, whatever the offset from UTC does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from muxd.civil import EPOCH, Calendar
from muxd.slotting import Slot, pair_gap

MINUTE, HOUR, DAY = 60, 3600, 86_400
ZONES = [
    "UTC",
    "Asia/Kolkata",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # shifts by 30 minutes
    "Africa/Casablanca",  # shifts for a month a year, back and forth
    "America/St_Johns",  # shifted at 00:01
    "Pacific/Apia",  # left out a whole day
    "America/Caracas",  # changed for good by 30 minutes
    "Asia/Gaza",  # shifts at midnight, at dates of its own
]

zones = st.sampled_from(ZONES).map(lambda name: Calendar(ZoneInfo(name)))
instants = st.integers(
    int(datetime(2005, 1, 1, tzinfo=UTC).timestamp()),
    int(datetime(2035, 1, 1, tzinfo=UTC).timestamp()),
)
intervals = st.one_of(
    st.sampled_from(
        [7, MINUTE, 5 * MINUTE, 25 * MINUTE, HOUR, 90 * MINUTE, 2 * HOUR, 6 * HOUR, DAY, 7 * DAY]
    ),
    st.integers(1, 40 * DAY),
)


def unix(zone: str, text: str, *, fold: int = 0) -> float:
    """The instant at which the wall in this zone shows this."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def changes(calendar: Calendar, start: float, end: float) -> list[int]:
    """When the offset changes, found hour by hour and without the calendar's help."""
    found = []
    hours = range(int(start) // HOUR * HOUR, int(end) + HOUR, HOUR)
    for before, after in pairwise(hours):
        old = calendar.local(before).utcoffset()
        if calendar.local(after).utcoffset() != old:
            found.append(
                next(t for t in range(before, after + 1) if calendar.local(t).utcoffset() != old)
            )
    return found


def chain(calendar: Calendar, interval: int, phase: int, start: float, count: int) -> list[float]:
    """That many releases, one after another, as a scheduler asks for them."""
    found = [calendar.next_release(interval, phase, start)]
    while len(found) < count:
        found.append(calendar.next_release(interval, phase, found[-1], found[-1]))
    return found


def walls(calendar: Calendar, releases: list[float]) -> list[str]:
    return [calendar.local(release).strftime("%d %H:%M") for release in releases]


@st.composite
def near_changes(draw: st.DrawFn) -> tuple[Calendar, float]:
    """A calendar and an instant near a change of its offset, if it has any."""
    calendar = draw(zones)
    instant = draw(instants)
    found = changes_in(str(calendar.zone), datetime.fromtimestamp(instant, UTC).year)
    if found:
        instant = draw(st.sampled_from(found)) + draw(st.integers(-2 * DAY, 2 * DAY))
    return calendar, float(instant)


@cache
def changes_in(zone: str, year: int) -> list[int]:
    start, end = (datetime(y, 1, 1, tzinfo=UTC).timestamp() for y in (year, year + 1))
    return changes(Calendar(ZoneInfo(zone)), start, end)


def test_the_epoch_is_a_monday_midnight_on_the_wall() -> None:
    """Phase 0 of a weekly job is Monday 00:00 of the configured zone."""
    for name in ZONES:
        calendar = Calendar(ZoneInfo(name))
        release = calendar.next_release(7 * DAY, 0, unix(name, "2026-06-03T12:00"))
        assert calendar.local(release).strftime("%a %H:%M") == "Mon 00:00"
        assert calendar.to_unix(0) == EPOCH.replace(tzinfo=ZoneInfo(name)).timestamp()


@pytest.mark.parametrize("zone", ZONES)
def test_a_phase_is_the_time_on_the_wall(zone: str) -> None:
    """Phase 15m of a 60m job is :15 past on the wall, half-hour offsets notwithstanding."""
    calendar = Calendar(ZoneInfo(zone))
    for release in chain(calendar, HOUR, 15 * MINUTE, unix(zone, "2026-02-03T00:00"), 30):
        assert calendar.local(release).minute == 15


@given(near_changes(), intervals, st.data())
@settings(max_examples=60, deadline=None)
def test_releases_ascend_and_keep_their_distance(
    near: tuple[Calendar, float], interval: int, data: st.DataObject
) -> None:
    """Each release is more than T/2 and at most 3T/2 after the one before; none is skipped."""
    calendar, start = near
    phase = data.draw(st.integers(0, interval - 1))
    releases = chain(calendar, interval, phase, start, 12)
    assert releases[0] >= start
    for before, after in pairwise(releases):
        assert interval / 2 < after - before <= 1.5 * interval
        assert after == int(after)


@given(near_changes(), intervals, st.data())
@settings(max_examples=60, deadline=None)
def test_releases_lie_on_the_grid_of_the_wall(
    near: tuple[Calendar, float], interval: int, data: st.DataObject
) -> None:
    """A release is off the wall's grid only where the wall jumped: once a change at most."""
    calendar, start = near
    phase = data.draw(st.integers(0, interval - 1))
    releases = chain(calendar, interval, phase, start, 12)
    off = [r for r in releases if (calendar.to_timetable(r) - phase) % interval]
    for release in off:
        near_change = changes(calendar, release - interval, release)
        assert near_change, f"off the grid with no change near: {calendar.local(release)}"
    for before, after in pairwise(off):
        assert changes(calendar, before, after)


@given(near_changes(), st.sampled_from([MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE]))
@settings(max_examples=60, deadline=None)
def test_intervals_that_divide_the_shift_go_on(near: tuple[Calendar, float], interval: int) -> None:
    """A 5m job runs every five real minutes through every change, both ways."""
    calendar, start = near
    assume(all(_shift(calendar, c) % interval == 0 for c in changes(calendar, start, start + DAY)))
    for before, after in pairwise(chain(calendar, interval, 0, start, 100)):
        assert after - before == interval


def _shift(calendar: Calendar, change: int) -> int:
    before, after = calendar.local(change - 1).utcoffset(), calendar.local(change).utcoffset()
    assert before is not None
    assert after is not None
    return int((after - before).total_seconds())


@given(zones, instants, st.integers(0, DAY - 1))
@settings(max_examples=40, deadline=None)
@example(Calendar(ZoneInfo("Europe/Berlin")), int(unix("Europe/Berlin", "2026-03-27T00:00")), 9000)
@example(Calendar(ZoneInfo("Europe/Berlin")), int(unix("Europe/Berlin", "2026-10-23T00:00")), 9000)
def test_a_daily_job_runs_once_on_every_day_at_its_time(
    calendar: Calendar, start: int, phase: int
) -> None:
    """Exactly once on each date, at its time on the wall but where the wall left that out."""
    wanted = (EPOCH + timedelta(seconds=phase)).time()
    releases = chain(calendar, DAY, phase, start, 40)
    for before, after in pairwise(releases):
        a, b = calendar.local(before), calendar.local(after)
        if _has(calendar, a.date() + timedelta(days=1), wanted):
            assert b.date() == a.date() + timedelta(days=1)
            assert b.time() == wanted
        else:  # that time, or that whole day, did not exist: once all the same
            assert after - before <= 1.5 * DAY


def _has(calendar: Calendar, date, time) -> bool:
    wall = datetime.combine(date, time, tzinfo=calendar.zone)
    return calendar.local(wall.timestamp()).replace(tzinfo=None) == wall.replace(tzinfo=None)


BERLIN = Calendar(ZoneInfo("Europe/Berlin"))


def test_a_time_that_the_wall_leaves_out_is_an_hour_later_that_day() -> None:
    """A daily 02:30 runs at 03:30 on the day without a 02:30, and at 02:30 on the next."""
    releases = chain(BERLIN, DAY, 9000, unix("Europe/Berlin", "2026-03-28T00:00"), 3)
    assert walls(BERLIN, releases) == ["28 02:30", "29 03:30", "30 02:30"]


def test_so_it_is_when_the_job_is_new_or_muxd_starts_that_morning() -> None:
    """Also without a release before, and also when asked after the jump."""
    zone = "Europe/Berlin"
    for text in ("2026-03-29T00:10", "2026-03-29T01:59", "2026-03-29T03:10"):
        first = BERLIN.next_release(DAY, 9000, unix(zone, text))
        assert walls(BERLIN, [first]) == ["29 03:30"]
    yesterday = unix(zone, "2026-03-28T02:30")
    first = BERLIN.next_release(DAY, 9000, unix(zone, "2026-03-29T03:10"), yesterday)
    assert walls(BERLIN, [first]) == ["29 03:30"]


def test_a_time_that_the_wall_shows_twice_is_taken_once() -> None:
    """A daily 02:30 runs in the first pass of the repeated hour, and 25 hours later."""
    releases = chain(BERLIN, DAY, 9000, unix("Europe/Berlin", "2026-10-24T12:00"), 2)
    assert walls(BERLIN, releases) == ["25 02:30", "26 02:30"]
    assert releases[1] - releases[0] == 25 * HOUR


def test_a_two_hour_job_runs_once_for_each_of_its_times() -> None:
    """No 02:00 twice in autumn, and none at 03:00 in spring: the next is at 04:00."""
    autumn = chain(BERLIN, 2 * HOUR, 0, unix("Europe/Berlin", "2026-10-24T23:00"), 4)
    assert walls(BERLIN, autumn) == ["25 00:00", "25 02:00", "25 04:00", "25 06:00"]
    spring = chain(BERLIN, 2 * HOUR, 0, unix("Europe/Berlin", "2026-03-28T23:00"), 3)
    assert walls(BERLIN, spring) == ["29 00:00", "29 04:00", "29 06:00"]


def test_an_hourly_job_runs_in_both_passes_of_a_repeated_hour() -> None:
    """:15 comes twice on the wall and twice the job runs: an hour apart in truth."""
    releases = chain(BERLIN, HOUR, 900, unix("Europe/Berlin", "2026-10-25T01:00"), 4)
    assert walls(BERLIN, releases) == ["25 01:15", "25 02:15", "25 02:15", "25 03:15"]
    assert {b - a for a, b in pairwise(releases)} == {HOUR}


@given(near_changes(), st.data())
@settings(max_examples=40, deadline=None)
def test_what_the_pair_rule_promises_holds_between_changes(
    near: tuple[Calendar, float], data: st.DataObject
) -> None:
    """Two slots that never collide on the timetable never do in a stretch with one offset."""
    calendar, start = near
    pair = []
    for name in "ab":
        interval = data.draw(st.sampled_from([10 * MINUTE, 25 * MINUTE, HOUR, 2 * HOUR, DAY]))
        phase = data.draw(st.integers(0, interval - 1))
        duration = data.draw(st.integers(1, 5 * MINUTE))
        pair.append(Slot(name=name, interval=interval, phase=phase, duration=duration))
    assume(pair_gap(*pair) >= 0)
    borders = [start - DAY, *changes(calendar, start - DAY, start + 3 * DAY), start + 3 * DAY]
    for begin, end in pairwise(borders):
        if end - begin < HOUR:
            continue
        runs = sorted(
            (release, release + slot.duration)
            for slot in pair
            for release in chain(calendar, slot.interval, slot.phase, begin, 40)
            # What landed off the grid belongs to the change, not to the stretch after it.
            if release < end and (calendar.to_timetable(release) - slot.phase) % slot.interval == 0
        )
        for (_, over), (starts, _) in pairwise(runs):
            assert over <= starts


@given(near_changes(), intervals, st.data())
@settings(max_examples=60, deadline=None)
def test_passed_tells_all_releases_of_a_time(
    near: tuple[Calendar, float], interval: int, data: st.DataObject
) -> None:
    """The ranges hold the very releases that would have come one by one."""
    calendar, start = near
    phase = data.draw(st.integers(0, interval - 1))
    releases = chain(calendar, interval, phase, start, data.draw(st.integers(1, 60)))
    until = releases[-1] + data.draw(st.floats(0, interval / 2))
    passed = calendar.passed(interval, phase, releases[0], until)
    assert [float(r) for stretch in passed for r in stretch] == releases


def test_a_century_of_a_job_of_every_second_is_counted_at_once() -> None:
    """However long muxd was down, what passed costs no memory."""
    start = unix("Europe/Berlin", "1970-01-01T01:00")
    passed = BERLIN.passed(1, 0, start, start + 100 * 365 * DAY)
    assert sum(map(len, passed)) == 100 * 365 * DAY + 1
    assert len(passed) < 1000


@given(near_changes(), intervals, st.data())
@settings(max_examples=60, deadline=None)
def test_a_job_that_got_another_slot_neither_stalls_nor_runs_twice(
    near: tuple[Calendar, float], interval: int, data: st.DataObject
) -> None:
    """Wherever its newest release was: the next is T/2 to 3T/2 later."""
    calendar, previous = near
    phase = data.draw(st.integers(0, interval - 1))
    following = calendar.next_release(interval, phase, previous, previous)
    assert interval // 2 < following - previous <= 1.5 * interval


@given(near_changes(), st.floats(-2 * DAY, 2 * DAY))
@settings(max_examples=60, deadline=None)
def test_timetable_time_and_back(near: tuple[Calendar, float], offset: float) -> None:
    """To the timetable's time and back is the same instant, given where to look."""
    calendar, instant = near
    instant += offset
    back = calendar.to_unix(calendar.to_timetable(instant), not_before=instant - 1e-3)
    assert back == pytest.approx(instant, abs=1e-3)


def test_an_hour_that_the_wall_shows_twice_has_two_instants() -> None:
    """The first, unless that is too early."""
    first, second = (unix("Europe/Berlin", "2026-10-25T02:30", fold=f) for f in (0, 1))
    seconds = BERLIN.to_timetable(first)
    assert seconds == BERLIN.to_timetable(second)
    assert BERLIN.to_unix(seconds) == first
    assert BERLIN.to_unix(seconds, not_before=first + 1) == second
