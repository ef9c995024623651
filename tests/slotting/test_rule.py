"""The pair rule and the certificate."""

from __future__ import annotations

from itertools import combinations
from math import gcd

from hypothesis import given, settings
from hypothesis import strategies as st
from sets import any_set, clash, demand

from muxd.slotting import Slot, certify, pair_gap

small = st.builds(
    lambda t, p, d: (t, p % t, d), st.integers(1, 40), st.integers(0, 39), st.integers(1, 12)
)


def slot(name, interval, phase, duration, **fields):
    return Slot(name=name, interval=interval, phase=phase, duration=duration, **fields)


@given(small, small)
def test_the_pair_rule_is_what_a_timeline_shows(first, second):
    """The gap of the rule is negative exactly when some second belongs to both."""
    a, b = slot("a", *first), slot("b", *second)
    whole = a.interval * b.interval // gcd(a.interval, b.interval)
    busy = []
    for one in (a, b):
        seconds = set()
        for start in range(one.phase - 20 * one.interval, whole + one.interval, one.interval):
            seconds.update(range(max(0, start), min(whole, start + one.duration)))
        busy.append(seconds)
    assert (pair_gap(a, b) < 0) == bool(busy[0] & busy[1])


@given(small, small)
def test_the_gap_is_the_least_distance_between_runs(first, second):
    """Where two slots never meet, the gap is the least time from an end to the next start."""
    a, b = slot("a", *first), slot("b", *second)
    gap = pair_gap(a, b)
    if gap < 0:
        return
    assert not clash(a, a.phase, b, b.phase, gap)
    assert clash(a, a.phase, b, b.phase, gap + 1)


@given(any_set(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_certificate_agrees_with_every_pair(demands, random):
    """Taking slots by classes finds the same collisions and gap as all pairs one by one."""
    slots = [Slot.of(d, d.wish if d.pinned else random.randrange(d.interval)) for d in demands]
    proof = certify(slots)
    pairs = [(a, b, pair_gap(a, b)) for a, b in combinations(slots, 2)]
    assert proof.collisions == tuple((a.name, b.name) for a, b, gap in pairs if gap < 0)
    own = [s.interval - s.duration for s in slots]
    assert proof.min_gap == min(own + [gap for *_, gap in pairs])
    assert proof.pairs == len(pairs)
    assert proof.valid == (not proof.collisions and min(own) >= 0)


def test_a_run_longer_than_its_interval_is_no_valid_plan():
    """A job that can't end before its next release is named, even all alone."""
    proof = certify([slot("long", 60, 0, 61)])
    assert not proof.valid
    assert proof.overlong == ("long",)
    assert proof.min_gap == -1


def test_a_pin_that_is_not_kept_is_found():
    """The certificate does not take the solver's word for pins."""
    where = slot("a", 600, 5, 10, preferred_phase=6, pinned=True)
    assert certify([where]).broken_pins == ("a",)
    assert not certify([where]).valid


def test_touching_runs_do_not_collide():
    """A run may start in the very second in which another ends."""
    proof = certify([slot("a", 60, 0, 30), slot("b", 60, 30, 30)])
    assert proof.valid
    assert proof.min_gap == 0


def test_equal_phases_collide():
    """Three slots at one second are three pairs."""
    proof = certify([slot(n, 60, 7, 5) for n in "abc"])
    assert proof.collisions == (("a", "b"), ("a", "c"), ("b", "c"))


def test_nothing_is_valid():
    """No slots, no collision."""
    assert certify([]).valid


def test_a_slot_keeps_what_was_asked():
    """A slot of a demand carries its wish, and knows how far it is from it the shorter way."""
    made = Slot.of(demand(interval=600, preferred_phase=590, priority=7), 605)
    assert (made.phase, made.preferred_phase, made.moved, made.priority) == (5, 590, 15, 7)
