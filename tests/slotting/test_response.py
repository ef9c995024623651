"""Bounds on response times, against servers that are played through."""

from __future__ import annotations

from math import inf, lcm
from time import process_time

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets import any_set, demand, statement

from muxd.ageing import AgeingQueue
from muxd.slotting import Slot, Timetable, solve
from muxd.slotting.response import response_bounds, uneven
from muxd.slotting.simulate import simulate


def slot(name, interval, phase, duration, priority=1):
    return Slot(name=name, interval=interval, phase=phase, duration=duration, priority=priority)


def played(slots, durations, overtakes, random=None):
    """The longest response of each slot, second by second over two hyperperiods.

    The queue is the daemon's own. Each run takes its full duration, or a random part of it.
    """
    queue = AgeingQueue(overtakes)
    there, worst = set(), [0] * len(slots)
    running, ends = None, 0
    for now in range(2 * lcm(*(s.interval for s in slots)) + 1):
        if running is not None and ends == now:
            worst[running[0]] = max(worst[running[0]], now - running[1])
            there.discard(running[0])
            running = None
        due = [i for i, s in enumerate(slots) if (now - s.phase) % s.interval == 0]
        if random is not None:
            random.shuffle(due)
        for i in due:
            if i not in there:
                there.add(i)
                queue.push((i, now), slots[i].priority)
        if running is None and len(queue):
            running = queue.pop().value
            longest = durations[running[0]]
            ends = now + (random.randint(1, longest) if random is not None else longest)
    return worst


rows = st.lists(
    st.tuples(
        st.sampled_from((6, 8, 12, 24, 36)),
        st.integers(0, 35),
        st.integers(1, 5),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=6,
)


@given(rows, st.sampled_from((inf, 0, 1, 3)), st.one_of(st.none(), st.randoms()), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_no_run_takes_longer_than_its_bound(rows, overtakes, random, more):
    """Whatever collides, however late: no response exceeds the bound; by any limit of overtaking,
    with durations as they are said to be at most, or shorter, and ties in any order."""
    slots = [slot(f"j{i}", t, x % t, min(d, t), p) for i, (t, x, d, p) in enumerate(rows)]
    durations = [s.duration + more for s in slots]
    worst = played(slots, durations, overtakes, random)
    bounds = response_bounds(slots, durations, overtakes=overtakes)
    for found, bound, duration in zip(worst, bounds, durations, strict=True):
        assert bound is None or max(found, duration) <= bound


@given(any_set(most=6))
@settings(max_examples=60, deadline=None)
def test_the_simulator_keeps_the_bounds(demands):
    """On timetables that the solver makes, of any sets at all, the simulated waits are in bounds."""
    table = solve(demands, budget=2000)
    bounds = response_bounds(table.slots)
    if None not in bounds:
        waits = [bound - s.duration for bound, s in zip(bounds, table.slots, strict=True)]
        assert simulate(demands, table.phases, horizon=86_400).worst <= max(waits)


def test_where_nothing_collides_the_bound_is_the_duration():
    """A proven timetable makes nobody wait; with long runs it says who may wait for whom."""
    demands = statement()
    table = solve(demands)
    assert table.feasible
    assert response_bounds(table.slots) == [d.duration for d in demands]
    long = response_bounds(table.slots, [uneven(d) for d in demands])
    assert all(bound is None or bound >= uneven(d) for bound, d in zip(long, demands, strict=True))


@pytest.mark.parametrize(
    ("slots", "bounds"),
    [
        # The less important one is 5 s under way, and can't be taken off.
        ([slot("a", 60, 5, 10, 2), slot("b", 60, 0, 20, 1)], [25, 20]),
        # Released together: nobody says who of them arrives first.
        ([slot("a", 60, 0, 10, 2), slot("b", 60, 0, 20, 1)], [30, 30]),
        # Never at once: one interval divides the other, and the phases are apart.
        ([slot("a", 60, 30, 10, 2), slot("b", 120, 0, 30, 1)], [10, 30]),
        # Intervals without a common divisor meet in every way, and are done in 7 s.
        ([slot("a", 7, 0, 2, 2), slot("b", 60, 3, 5, 1)], [7, 7]),
        # The important one leaves no time to anybody.
        ([slot("a", 10, 0, 10, 2), slot("b", 7, 3, 2, 1)], [12, None]),
    ],
)
def test_small_cases_by_hand(slots, bounds):
    """Blocking by one run, interference by several, phases that keep apart, starvation."""
    assert response_bounds(slots) == bounds


def test_overtaking_that_is_limited_bounds_everybody():
    """Where strict priority starves a job, a limit of overtaking gives it a bound."""
    slots = [slot("a", 10, 0, 10, 2), slot("b", 7, 3, 2, 1)]
    assert response_bounds(slots, overtakes=3)[1] == 2 + 10 + 3 * 10


def test_hundreds_of_colliding_jobs_are_bounded_in_seconds():
    """Three hundred jobs, all at once: the bound takes no time worth speaking of."""
    demands = [demand(f"j{i}", 3600, 10, priority=i % 5) for i in range(300)]
    table = Timetable(slots=tuple(Slot.of(d, 0) for d in demands))
    before = process_time()
    bounds = response_bounds(table.slots)
    assert process_time() - before < 5
    assert bounds[4] == 3000 - 240 * 10 + 10
    assert bounds[0] == 3000


def test_a_long_run_is_longer_by_its_spread():
    """One run in twenty takes so long."""
    assert uneven(attrs.evolve(demand(duration=100), spread=0.2)) == 133
    assert uneven(attrs.evolve(demand(duration=100), spread=0)) == 100
