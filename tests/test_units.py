"""Durations as people write them."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muxd.units import format_duration, parse_duration


@pytest.mark.parametrize(
    ("given_value", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 2d ", 172800),
        ("1w", 604800),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("0s", 0),
        ("PT15M", 900),
        ("pt1h30m", 5400),
        ("P1D", 86400),
        ("P1DT12H", 129600),
        ("P2W", 1209600),
        ("PT0.5S", 0.5),
        ("90", 90),
        ("1e3", 1000),
        (90, 90),
        (0.5, 0.5),
        (0, 0),
        (timedelta(minutes=15), 900),
    ],
)
def test_durations_are_read_in_all_their_forms(given_value, seconds):
    """Units, ISO 8601, timedelta, numbers and numbers as texts stand for seconds."""
    assert parse_duration(given_value) == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "soon",
        "5 parsecs",
        "m",
        "15m ago",
        "30m1h",
        "1m1m",
        "1h-5m",
        "-5m",
        "P",
        "PT",
        "P1DT",
        "P1M",
        "P1Y",
        "nan",
        "inf",
        -1,
        math.nan,
        math.inf,
        timedelta(seconds=-1),
        True,
        None,
        [],
        b"5m",
    ],
)
def test_what_is_no_duration_is_refused_with_what_is(wrong):
    """The message shows the value and what is allowed; nothing is guessed."""
    with pytest.raises(ValueError, match="a duration such as '90s'") as caught:
        parse_duration(wrong)
    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0004, "0s"),
        (0.25, "250ms"),
        (1.5, "1s500ms"),
        (90, "1m30s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (86400, "1d"),
        (90061.001, "1d1h1m1s1ms"),
        (-90, "-1m30s"),
    ],
)
def test_durations_are_written_with_the_largest_units_first(seconds, text):
    """What people read has no zero parts and no fractions."""
    assert format_duration(seconds) == text


@given(st.integers(0, 400 * 86_400_000))
@example(1)
@example(59_999)
@example(86_400_000)
def test_what_is_written_is_read_back(milliseconds):
    """Any duration of whole milliseconds survives writing and reading."""
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@given(st.integers(0, 10**6))
def test_whole_seconds_survive_exactly(seconds):
    """Intervals and phases, which are whole, lose nothing on the way through text."""
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=12))
def test_reading_any_text_gives_seconds_or_a_clear_refusal(text):
    """No text makes `parse_duration` fail in another way, or gives something unusable."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        with pytest.raises(ValueError, match="a duration such as"):
            parse_duration(text)
    else:
        assert math.isfinite(seconds)
        assert seconds >= 0
