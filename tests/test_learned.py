"""What is learned from durations, and what does not fool it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd.learned import Learned


def test_percentiles_are_nearest_rank():
    """p50 and p95 are durations that were seen."""
    learned = Learned.of(range(100, 0, -1))
    assert (learned.runs, learned.p50, learned.p95) == (100, 50, 95)


@given(st.lists(st.floats(1, 2), min_size=2, max_size=50))
def test_one_outlier_changes_nothing_much(durations):
    """One run of an hour among others neither moves p95 beyond them, nor the spread."""
    learned = Learned.of([3600.0, *durations])
    assert learned.p95 <= max(durations)
    if learned.spread is not None:
        assert learned.spread <= 1.5


def test_the_spread_is_the_coefficient_of_variation():
    """For many normal durations it is near what they were drawn with; with few it is unknown."""
    rng = random.Random(1)
    durations = [rng.gauss(100, 20) for _ in range(1000)]
    assert Learned.of(durations).spread == pytest.approx(0.2, abs=0.03)
    assert Learned.of([1.0, 2.0, 3.0]).spread is None
    assert Learned.of([5.0] * 10).spread == 0


def test_drift_tells_the_direction():
    """The newest quarter against the rest: half as long again is 0.5; too few runs say nothing."""
    assert Learned.of([15.0] * 5 + [10.0] * 15).drift == pytest.approx(0.5)
    assert Learned.of([10.0] * 20).drift == 0
    assert Learned.of([15.0, 10.0]).drift is None


def test_durations_of_nothing():
    """Virtual time measures 0 s: no division by it."""
    learned = Learned.of([0.0] * 20)
    assert (learned.p95, learned.spread, learned.drift) == (0, 0, 0)
