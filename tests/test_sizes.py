"""Sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("given_value", "size"),
    [
        ("512 MB", 512_000_000),
        ("512MB", 512_000_000),
        ("512m", 512_000_000),
        (" 1 GiB ", 2**30),
        ("1.5 gib", 3 * 2**29),
        ("200k", 200_000),
        ("64 KiB", 65_536),
        ("2 Ti", 2**41),
        ("7 B", 7),
        ("7", 7),
        ("0", 0),
        (7, 7),
        (0, 0),
        (1.0, 1),
    ],
)
def test_sizes_are_read_in_all_their_forms(given_value, size):
    """Powers of 1000 and of 1024, with and without a B, and numbers stand for bytes."""
    assert parse_size(given_value) == size


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "MB", "much", "5 XB", "-5 MB", "1,5 GB", "1 MB 2 kB", "1e3", "5 MB x", "9" * 20),
        *(-1, True, None, [], float("nan"), float("inf"), 2.0**63),
    ],
)
def test_what_is_no_size_is_refused_in_words(wrong):
    """The message has the value and what would be right."""
    with pytest.raises(ValueError, match="512 MB") as caught:
        parse_size(wrong)
    assert repr(wrong) in str(caught.value)


@given(st.integers(0, 10**15))
def test_what_is_shown_is_read_as_nearly_the_same(size):
    """To the third digit; and reading and showing again changes nothing any more."""
    text = format_size(size)
    again = parse_size(text)
    assert abs(again - size) <= size * 0.0051
    assert format_size(again) == text
    assert len(text) <= len("999.9 MB") or size >= 10**15


@given(st.integers(0, 2**63 - 1), st.sampled_from(["", " B", "b"]))
def test_every_byte_of_a_whole_number_counts(size, unit):
    """Large numbers lose nothing."""
    assert parse_size(f"{size}{unit}") == size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (512_000_000, "512 MB"),
        (99_960_000, "100 MB"),
        (999_960_000, "1 GB"),
        (1_288_490_189, "1.29 GB"),
        (12_340_000_000, "12.3 GB"),
    ],
)
def test_sizes_are_shown_short(size, text):
    """About three digits, no zeros at the end."""
    assert format_size(size) == text
