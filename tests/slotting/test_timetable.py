"""The questions that a scheduler asks of a timetable."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets import planted

from muxd.slotting import Slot, Timetable, solve


def table(*rows):
    return Timetable(
        slots=tuple(
            Slot(name=name, interval=t, phase=p, duration=d, priority=priority)
            for name, t, p, d, priority in rows
        )
    )


AB = table(("a", 60, 10, 5, 1), ("b", 120, 40, 20, 2))


def test_releases_in_order_of_time():
    """All releases of the span, its start included and its end not."""
    assert [(t, s.name) for t, s in AB.releases(10, 130)] == [(10, "a"), (40, "b"), (70, "a")]
    assert [t for t, _ in AB.releases(-60, 10)] == [-50]
    assert list(AB.releases(11, 11)) == []


def test_equal_instants_most_important_first():
    """What is released at one instant comes by priority, then in the order of the slots."""
    same = table(("low", 60, 0, 1, 1), ("high", 60, 0, 1, 9), ("last", 60, 0, 1, 1))
    assert [s.name for _, s in same.releases(0, 1)] == ["high", "low", "last"]


def test_releases_are_made_as_they_are_asked_for():
    """An endless span costs nothing until it is walked."""
    assert [t for t, _ in islice(AB.releases(0, 10**15), 3)] == [10, 40, 70]


def test_next_release():
    """The first at or after an instant, fractions and times before the epoch included."""
    assert AB.next_release("a", 10) == 10
    assert AB.next_release("a", 10.001) == 70
    assert AB.next_release("b", -1000) == -920
    with pytest.raises(KeyError):
        AB.next_release("nobody", 0)


@given(st.integers(0, 30), st.integers(-500, 5000), st.integers(1, 120), st.integers(0, 10))
@settings(max_examples=60, deadline=None)
def test_next_free_is_the_first_hole(seed, after, length, margin):
    """The instant found is free for as long as asked; no earlier one is."""
    timetable = solve(planted(seed % 4, count=5), budget=5_000)
    busy = set()
    for t, s in timetable.releases(after - 200, after + 9000):
        busy.update(range(t - margin, t + s.duration + margin))
    found = timetable.next_free(after, length, horizon=8000, margin=margin)
    free = (t for t in range(after, after + 8000) if busy.isdisjoint(range(t, t + length)))
    assert found == next(free, None)


def test_next_free_gives_up_at_the_horizon():
    """Where no hole is long enough the answer is None, soon."""
    assert AB.next_free(0, 100) is None
    assert AB.next_free(0, 24) == 15
    assert table(("a", 60, 0, 60, 1)).next_free(0, 1) is None


def test_next_free_can_ignore_the_job_itself():
    """A job that runs late may use its own next slot."""
    assert AB.next_free(10, 20, ignore="a") == 10
    assert AB.next_free(10, 20) == 15


def test_what_is_told():
    """Utilisation, hyperperiod, phases, gap."""
    assert AB.utilisation == pytest.approx(5 / 60 + 20 / 120)
    assert AB.hyperperiod == 120
    assert AB.phases == {"a": 10, "b": 40}
    assert AB.min_gap == 10
    assert AB.feasible
