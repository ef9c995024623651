"""Seconds of a circle as bits, against sets of seconds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from muxd.slotting import bitset

circles = st.integers(1, 60)


def seconds(mask):
    return {s for s in range(mask.bit_length()) if mask >> s & 1}


@given(circles, st.integers(0, 59), st.integers(1, 80))
def test_run(period, start, length):
    """A run wraps round the circle and never exceeds it."""
    start %= period
    expected = {(start + k) % period for k in range(min(length, period))}
    assert seconds(bitset.run(start, length, period)) == expected


@given(st.integers(1, 30), st.integers(1, 9), st.data())
def test_fold_and_tile(g, laps, data):
    """Folding is "at any lap", tiling is "at every lap"."""
    period = g * laps
    mask = data.draw(st.integers(0, (1 << period) - 1))
    folded = bitset.fold(mask, period, g)
    assert seconds(folded) == {s % g for s in seconds(mask)}
    assert seconds(bitset.tile(folded, g, period)) == {
        s for s in range(period) if s % g in seconds(folded)
    }


@given(circles, st.integers(1, 70), st.data())
def test_erode(period, length, data):
    """A start survives exactly when all the seconds from it on are free, round the circle."""
    free = data.draw(st.integers(0, (1 << period) - 1))
    expected = {
        s
        for s in range(period)
        if length <= period and all((s + k) % period in seconds(free) for k in range(length))
    }
    assert seconds(bitset.erode(free, length, period)) == expected


@given(circles, st.data())
def test_holes(period, data):
    """Holes are maximal, disjoint, and together all that is set."""
    mask = data.draw(st.integers(0, (1 << period) - 1))
    found = list(bitset.holes(mask, period))
    covered = [(start + k) % period for start, length in found for k in range(length)]
    assert sorted(covered) == sorted(seconds(mask))
    if mask != bitset.full(period):
        for start, length in found:
            assert (start - 1) % period not in seconds(mask)
            assert (start + length) % period not in seconds(mask)


@given(circles, st.integers(0, 59), st.data())
def test_nearest(period, wish, data):
    """The nearest either way, the wish itself included upwards."""
    wish %= period
    mask = data.draw(st.integers(1, (1 << period) - 1))
    up, down = bitset.nearest(mask, wish, period)
    assert up == min(seconds(mask), key=lambda s: (s - wish) % period)
    assert down == min(seconds(mask), key=lambda s: (wish - s - 1) % period)
