"""A job's way along the timetable, whatever the clock does."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from muxd import Job
from muxd.civil import Calendar
from muxd.course import Course
from muxd.slotting import Slot

CALENDAR = Calendar(ZoneInfo("UTC"))
MONDAY = 1_704_067_200.0


async def body(run):
    """Do nothing."""


def a_course(interval: int, *, now: float = MONDAY, newest: float | None = None) -> Course:
    job = Job("a", body, interval=interval)
    slot = Slot(name="a", interval=interval, phase=0, duration=1)
    return Course(CALENDAR, job, slot, now=now, newest=newest)


intervals = st.sampled_from([60, 300, 3600, 7200, 86_400])


@given(intervals, st.floats(0, 0.5), st.floats(0, 0.99))
def test_after_a_short_step_back_no_instant_comes_twice(
    interval: int, step: float, waited: float
) -> None:
    """A step of up to half the interval, at any time after a release: the next is a new one."""
    course = a_course(interval)
    newest = course.next
    course.advance(newest)
    course.step_back(step * interval, newest + (waited - step) * interval)
    assert course.next == newest + interval


@given(intervals, st.floats(0, 1000), st.floats(0, 0.99))
def test_after_any_step_back_the_job_goes_on_by_the_time_that_passed(
    interval: int, step: float, waited: float
) -> None:
    """The next release is half an interval to one and a half after the newest, in truth."""
    course = a_course(interval)
    newest = course.next
    course.advance(newest)
    course.step_back(step * interval, newest + (waited - step) * interval)
    passed = course.next - (newest - step * interval)
    assert 0.499 * interval <= passed <= 1.501 * interval


@given(intervals, st.floats(-1000, 1000))
def test_a_restart_neither_repeats_nor_stalls(interval: int, ago: float) -> None:
    """The newest release may lie behind, then the next is the one after it; or absurdly ahead."""
    newest = CALENDAR.next_release(interval, 0, MONDAY - ago * interval)
    course = a_course(interval, now=MONDAY, newest=newest)
    if newest <= MONDAY:
        assert course.next == newest + interval
    else:
        assert MONDAY <= course.next <= MONDAY + interval


def test_a_job_without_a_past_starts_at_its_next_place() -> None:
    """Which may be now; nothing of before is overdue."""
    assert a_course(3600).next == MONDAY
    assert a_course(3600, now=MONDAY + 1).next == MONDAY + 3600


@given(intervals, st.integers(0, 59))
def test_a_job_that_is_moved_keeps_its_distance(interval: int, phase: int) -> None:
    """Its next is on the new slot, more than half an interval after its newest."""
    course = a_course(interval)
    course.advance(course.next)
    slot = Slot(name="a", interval=interval, phase=phase, duration=1)
    moved = course.move(course.job, slot, MONDAY + 1)
    assert (CALENDAR.to_timetable(moved.next) - phase) % interval == 0
    assert interval / 2 < moved.next - MONDAY <= 1.5 * interval


def test_a_slot_that_only_became_longer_comes_when_it_would_have_come() -> None:
    """What is overdue, and what was begun after a clock that was wrong, isn't forgotten for it."""
    longer = Slot(name="a", interval=3600, phase=0, duration=60)
    never, wrong = a_course(3600), a_course(3600, newest=MONDAY + 7200)
    for course in (never, wrong):
        moved = course.move(course.job, longer, MONDAY + 5400)
        assert (moved.slot, moved.next) == (longer, course.next)
        assert moved.newest == course.newest
