"""Sets that can't fit: why, and what would help."""

from __future__ import annotations

from math import gcd

import pytest
from hypothesis import given, settings
from sets import any_set, demand, oracle_fits

from muxd.slotting import solve
from muxd.slotting.simulate import simulate
from muxd.slotting.steps import Steps
from muxd.slotting.suggest import suggest
from muxd.slotting.why import gap_ceiling, impossible_pairs, reasons


def warned(*demands):
    table = solve(demands)
    assert not table.feasible
    return " ".join(table.warnings)


def test_the_pair_that_cannot_coexist_is_named():
    """Two jobs whose intervals bring them together are told, with the arithmetic."""
    text = warned(demand("seven", 420, 50), demand("ten", 600, 20))
    assert "seven (every 7m, 50s) and ten (every 10m, 20s) can't avoid each other" in text
    assert "within 1m of each other" in text
    assert "1m10s" in text


def test_the_overfull_class_is_named():
    """A class of intervals whose runs don't fit into it is told."""
    text = warned(*(demand(f"j{i}", 600, 210) for i in range(3)))
    assert "The 10m class is overfull" in text


def test_too_much_for_one_browser():
    """Jobs that ask for more than all time are told by how much, heaviest first."""
    text = warned(demand("big", 600, 400), demand("mid", 600, 300), demand("low", 3600, 60))
    assert "118 % of the time" in text
    assert "big (67 %), mid (50 %)" in text


def test_a_run_longer_than_its_interval():
    """A job that can't keep up with itself is told."""
    assert "x takes 1m30s but is wanted every 1m" in warned(demand("x", 60, 90))


def test_pins_on_top_of_each_other():
    """Two pins that collide are named; they stay where they are pinned."""
    x = demand("x", 600, 90, preferred_phase=0, pinned=True)
    y = demand("y", 3600, 10, preferred_phase=1230, pinned=True)
    assert "x and y are pinned where they overlap" in warned(x, y, demand("z", 900, 5))
    assert solve([x, y]).phases == {"x": 0, "y": 1230}


def test_a_suggestion_fits():
    """The nearest friendly interval is suggested, and was checked."""
    jobs = [demand("seven", 420, 50), demand("ten", 600, 20), demand("hour", 3600, 200)]
    text = warned(*jobs)
    assert "Checked: with seven every 7m30s instead of 7m, nothing collides." in text
    assert solve([demand("seven", 450, 50), *jobs[1:]]).feasible


@pytest.mark.parametrize(
    "jobs",
    [
        [demand(f"j{i}", 600, 100, priority=i) for i in range(8)],
        [demand("q", 300, 200), demand("r", 600, 90), demand("s", 3600, 150)],
        [demand("a", 660, 40), demand("b", 420, 40), demand("c", 3000, 30), demand("d", 900, 30)],
        [demand("x", 60, 90), demand("y", 3600, 10)],
    ],
    ids=["full", "crowded", "odd", "overlong"],
)
def test_suggestions_are_true(jobs):
    """What is suggested makes the set fit when it is done."""
    changes = {change.name: change for change in suggest(jobs, Steps(400_000))}
    assert changes
    assert solve([changes[d.name].apply(d) if d.name in changes else d for d in jobs]).feasible


def test_what_must_overlap_overlaps_little():
    """Jobs that can't avoid each other are placed far better than all at once."""
    jobs = [demand("seven", 420, 50), demand("eleven", 660, 40)]
    jobs += [demand(f"h{i}", 3600, 60) for i in range(8)]
    table = solve(jobs)
    placed = simulate(jobs, table.phases)
    at_once = simulate(jobs, {d.name: 0 for d in jobs})
    assert placed.mean < at_once.mean / 4
    names = {name for pair in table.collisions for name in pair if name.startswith("h")}
    for a in names:
        assert not any({a, b} <= names for b in names - {a} if (a, b) in table.collisions)


@given(any_set(most=8))
@settings(max_examples=60, deadline=None)
def test_proofs_are_proofs(demands):
    """Whatever is said to be impossible, no phases could do."""
    for i, j in impossible_pairs(demands):
        a, b = demands[i], demands[j]
        g = gcd(a.interval, b.interval)
        assert not any(a.duration <= x <= g - b.duration for x in range(g))
    if reasons(demands):
        assert not solve(demands, budget=20_000).feasible


@given(any_set(most=4))
@settings(max_examples=40, deadline=None)
def test_the_ceiling_is_never_exceeded(demands):
    """The bound that ends the search for headroom is a bound."""
    table = solve(demands, headroom=1, budget=20_000)
    if table.feasible:
        assert table.min_gap <= gap_ceiling(demands)


def test_the_ceiling_is_reached_where_it_is_exact():
    """Jobs of one interval share it evenly."""
    jobs = [demand(f"j{i}", 600, 50) for i in range(4)]
    assert gap_ceiling(jobs) == 100
    assert solve(jobs, headroom=1).min_gap == 100
    assert oracle_fits([demand(f"j{i}", 12, 1) for i in range(4)], 2)
