"""Gaps of the timetable, compared with a search second by second."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from muxd.civil import Calendar
from muxd.gaps import first_free, first_gap, longest_free
from muxd.slotting import Slot, Timetable

UTC = Calendar(ZoneInfo("UTC"))
BERLIN = Calendar(ZoneInfo("Europe/Berlin"))
MONDAY = 1_704_067_200
HORIZON = 600


@st.composite
def timetables(draw: st.DrawFn) -> Timetable:
    """Up to four short slots; they may collide."""
    slots = []
    for name in draw(st.sampled_from(["a", "ab", "abc", "abcd"])):
        interval = draw(st.sampled_from([30, 40, 60, 90, 120]))
        slots.append(
            Slot(
                name=name,
                interval=interval,
                phase=draw(st.integers(0, interval - 1)),
                duration=draw(st.integers(1, 30)),
            )
        )
    return Timetable(slots=tuple(slots))


takens = st.lists(
    st.tuples(st.integers(0, HORIZON), st.integers(1, 60)).map(
        lambda pair: (MONDAY + pair[0], MONDAY + pair[0] + pair[1])
    ),
    max_size=4,
)


@settings(deadline=None)  # the machine may be busy
@given(timetables(), st.integers(0, 200), st.integers(0, HORIZON), takens)
def test_the_first_gap_is_the_first(
    timetable: Timetable, start: int, room: int, taken: list[tuple[int, int]]
) -> None:
    """It meets no other slot and nothing that is promised, it is over in time, none is earlier."""
    own = timetable.slots[0]
    earliest, until = MONDAY + start, MONDAY + start + room
    epoch = int(UTC.to_unix(0))
    busy = [
        (epoch + at, epoch + at + slot.duration)
        for at, slot in timetable.releases(MONDAY - 300 - epoch, MONDAY + 2 * HORIZON - epoch)
        if slot is not own
    ] + taken

    def free(at: int) -> bool:
        return all(end <= at or at + own.duration <= begin for begin, end in busy)

    wanted = next((float(at) for at in range(earliest, until - own.duration + 1) if free(at)), None)
    found = first_gap(timetable, UTC, own, earliest=earliest, until=until, taken=taken)
    assert found == wanted


def test_in_an_hour_that_the_wall_shows_twice_the_gap_is_not_in_the_past() -> None:
    """In the second pass the first has gone by."""
    slot = Slot(name="a", interval=86_400, phase=0, duration=20)
    timetable = Timetable(slots=(slot,))
    second_pass = 1_792_891_800  # 2026-10-25 02:30 by winter time
    assert BERLIN.local(second_pass).strftime("%F %H:%M %Z") == "2026-10-25 02:30 CET"
    assert first_gap(timetable, BERLIN, slot, earliest=second_pass) == second_pass


def test_a_timetable_without_a_gap_has_none() -> None:
    """The search ends."""
    slots = (
        Slot(name="a", interval=60, phase=0, duration=30),
        Slot(name="b", interval=60, phase=30, duration=31),
    )
    found = first_gap(Timetable(slots=slots), UTC, slots[0], earliest=MONDAY, until=math.inf)
    assert found is None


def stretches(
    timetable: Timetable, earliest: int, until: int, taken: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The free stretches, second by second: from when, how long."""
    epoch = int(UTC.to_unix(0))
    busy = [
        (epoch + at, epoch + at + slot.duration)
        for at, slot in timetable.releases(MONDAY - 300 - epoch, MONDAY + 2 * HORIZON - epoch)
    ] + taken
    found: list[tuple[int, int]] = []
    begin = None
    for second in range(earliest, until + 1):
        if second < until and all(not start <= second < end for start, end in busy):
            begin = second if begin is None else begin
        elif begin is not None:
            found.append((begin, second - begin))
            begin = None
    return found


@settings(deadline=None)  # the machine may be busy
@given(timetables(), st.integers(0, 200), st.integers(1, HORIZON), takens, st.integers(1, 60))
def test_free_stretches_are_found(
    timetable: Timetable, start: int, room: int, taken: list[tuple[int, int]], length: int
) -> None:
    """The first that is long enough, and the longest, as a search second by second finds them."""
    earliest, until = MONDAY + start, MONDAY + start + room
    free = stretches(timetable, earliest, until, taken)
    first = next((float(at) for at, long in free if long >= length), None)
    found = first_free(timetable, UTC, length, earliest=earliest, until=until, taken=taken)
    assert found == first
    longest = max(free, key=lambda stretch: (stretch[1], -stretch[0]), default=None)
    assert longest_free(timetable, UTC, earliest=earliest, until=until, taken=taken) == longest


def test_without_slots_all_is_free() -> None:
    """The longest gap of nothing is everything."""
    empty = Timetable(slots=())
    assert longest_free(empty, UTC, earliest=MONDAY, until=MONDAY + 50) == (MONDAY, 50)
