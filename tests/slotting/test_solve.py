"""What `solve` promises of any set."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets import any_set, demand, oracle_fits, oracle_gap, planted, statement

from muxd.slotting import Demand, Timetable, solve

pytestmark = pytest.mark.long

QUICK = 30_000
"""Steps enough for sets this small."""


@given(any_set())
@settings(max_examples=60, deadline=None)
def test_every_job_gets_a_phase_and_pins_are_kept(demands):
    """Whatever is asked, the timetable is complete, in order, within range, and honest."""
    table = solve(demands, budget=QUICK)
    assert [s.name for s in table.slots] == [d.name for d in demands]
    for d, s in zip(demands, table.slots, strict=True):
        assert (s.interval, s.duration, s.preferred_phase) == (d.interval, d.duration, d.wish)
        assert 0 <= s.phase < s.interval
        if d.pinned:
            assert s.phase == d.wish
    assert table.feasible == (not table.collisions and table.min_gap >= 0)
    if not table.feasible:
        assert table.warnings


@given(any_set())
@settings(max_examples=15, deadline=None)
def test_same_input_same_plan(demands):
    """A plan depends on nothing but what is asked."""
    assert solve(demands, budget=QUICK) == solve(demands, budget=QUICK)


@pytest.mark.parametrize("seed", range(12))
def test_sets_that_fit_are_fitted(seed):
    """Sets cut out of free time, at most four fifths full, come out without collision."""
    table = solve(planted(seed), budget=200_000)
    assert table.feasible, table.warnings


tiny = st.lists(
    st.tuples(st.sampled_from((4, 6, 8, 12, 16, 24)), st.integers(1, 5)), min_size=2, max_size=6
)


@given(tiny)
@settings(max_examples=50, deadline=None)
def test_feasible_exactly_when_trying_everything_says_so(rows):
    """On small sets the solver finds phases exactly when there are any."""
    demands = [demand(f"j{i}", t, d) for i, (t, d) in enumerate(rows)]
    assert solve(demands, budget=QUICK).feasible == oracle_fits(demands)


@given(tiny)
@settings(max_examples=60, deadline=None)
def test_the_gap_is_the_widest_there_is(rows):
    """With all headroom asked for, the gap of small sets is within a second of the optimum."""
    demands = [demand(f"j{i}", t, d) for i, (t, d) in enumerate(rows)]
    best = oracle_gap(demands)
    if best >= 0:
        found = solve(demands, headroom=1, budget=QUICK).min_gap
        assert best - 1 <= found <= best


def test_the_sixteen_jobs_of_the_statement():
    """The set that muxd was made for: no collision, and half a minute between any two runs."""
    table = solve(statement())
    assert table.feasible
    assert table.min_gap >= 29
    assert table.collisions == ()
    assert table.warnings == ()


def test_less_headroom_comes_nearer_to_preferences():
    """Headroom is what preferences are weighed against."""
    near, far = (solve(statement(), headroom=share) for share in (0.1, 1))
    assert near.feasible
    assert far.feasible
    assert near.min_gap < far.min_gap
    assert sum(s.moved for s in near.slots) < sum(s.moved for s in far.slots)


def test_preferences_are_met_where_nothing_is_in_the_way():
    """With time enough between the wishes, every job is where it asked to be."""
    wishes = [demand(f"j{i}", 3600, 20, preferred_phase=600 * i) for i in range(6)]
    assert [s.moved for s in solve(wishes).slots] == [0] * 6


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.8, 1])
def test_the_stated_share_of_the_gap_is_kept(share):
    """However strong the wishes, the gap is at least the stated share of the best one."""
    wishes = [demand(f"j{i}", 3600, 20, preferred_phase=(7 * i) % 60) for i in range(8)]
    best = solve(wishes, headroom=1).min_gap
    assert solve(wishes, headroom=share).min_gap >= share * best - 1


def test_long_intervals_cost_no_memory():
    """Intervals of months and of a leap year are planned exactly, among short ones."""
    day = 86_400
    jobs = [demand(f"y{i}", 366 * day, 200, preferred_phase=i * 40 * day + 7200) for i in range(6)]
    jobs += [demand(f"w{i}", 7 * day, 200) for i in range(4)]
    jobs += [demand("often", 300, 30), demand("odd", 31_536_000, 60), demand("hour", 3600, 90)]
    table = solve(jobs)
    assert table.feasible
    # The year is drawn short on the board, so the wish of each is met to within a fraction of it.
    assert all(s.moved < day for s in table.slots)


def test_long_runs_get_more_room_than_short_ones():
    """Of two runs, the long and uneven one is followed by the wider gap."""
    jobs = [demand("long", 1000, 200, spread=1.0), demand("short", 1000, 200, spread=0.01)]
    table = solve(jobs, headroom=0)
    after = (table.slot("short").phase - table.slot("long").phase) % 1000
    assert after > 500


def test_no_jobs():
    """Nothing asked, nothing planned."""
    assert solve([]) == Timetable(slots=())


def test_wrong_input_is_refused():
    """Names are unique, headroom is a share, and a pin needs a place."""
    with pytest.raises(ValueError, match="two jobs are called 'a'"):
        solve([demand("a"), demand("a")])
    with pytest.raises(ValueError, match="headroom must be between 0 and 1"):
        solve([demand()], headroom=1.5)
    with pytest.raises(ValueError, match="pinned but names no preferred_phase"):
        demand(pinned=True)
    with pytest.raises(ValueError, match="interval"):
        Demand(name="a", interval=0, duration=1)
