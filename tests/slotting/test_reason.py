"""Why a job is where it is."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from sets import any_set, demand, statement

from muxd.slotting import Slot, Timetable, solve
from muxd.slotting.reason import reason
from muxd.slotting.rule import pair_gap


def slot(name, phase, wish=None, pinned=False, duration=20):
    return Slot.of(demand(name, 600, duration, preferred_phase=wish, pinned=pinned), phase)


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        ([slot("a", 100)], ""),
        ([slot("a", 100, 100)], "as wished"),
        ([slot("a", 100, 100, pinned=True)], "pinned"),
        ([slot("a", 200, 100), slot("b", 110)], "its wish is taken by b"),
        (
            [slot("a", 200, 100), slot("c", 118), slot("b", 90), slot("d", 82)],
            "its wish is taken by b and 2 more",
        ),
        (
            [slot("a", 200, 100), slot("b", 125), slot("c", 300)],
            "its wish is 5s from b, less than the gap of 55s",
        ),
        (
            [slot("a", 200, 100), slot("b", 125), slot("c", 300), slot("d", 320)],
            "has 55s around it, at its wish 5s to b",
        ),
        ([slot("a", 200, 300), slot("b", 150)], "makes room for the others"),
    ],
)
def test_why_a_slot_is_where_it_is(slots, words):
    """The one in the way is named; else what the place has that the wish has not."""
    assert reason(Timetable(slots=tuple(slots)), "a") == words


def test_what_was_in_force_says_so():
    """A slot that stays though its wish is free says that it was in force, not that it had to."""
    table = Timetable(slots=(slot("a", 200, 100), slot("b", 300), slot("c", 400, 410)))
    assert reason(table, "a", in_force={"a", "b"}) == "in force: its wish is free"
    assert reason(table, "b", in_force={"a", "b"}) == "in force"
    crowded = Timetable(slots=(slot("a", 200, 100), slot("b", 100)))
    assert reason(crowded, "a", in_force={"a"}) == "its wish is taken by b"


@given(any_set(most=8))
@settings(max_examples=40, deadline=None)
def test_a_reason_is_true(demands):
    """Whatever the set: all who were moved get a reason, and who is named is in the way."""
    table = solve(demands, budget=2000)
    for one in table.slots:
        words = reason(table, one.name)
        assert bool(words) == (one.preferred_phase is not None)
        if one.moved and not one.pinned and "taken by" in words:
            named = words.removeprefix("its wish is taken by ").split()[0]
            there = attrs.evolve(one, phase=one.preferred_phase)
            assert pair_gap(there, table.slot(named)) < 0


def test_a_real_deployment_has_reasons_for_every_move():
    """Each of the sixteen that was moved is told why in words that name a job or a gap."""
    table = solve(statement())
    moved = [s.name for s in table.slots if s.moved]
    assert moved
    assert {reason(table, name) for name in moved}.isdisjoint({"", "as wished", "pinned"})
