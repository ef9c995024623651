"""Amounts as people write them."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd.amounts import LONGEST, parse_amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("19", 19),
        ("$1,299.00", 1299),
        ("1.234,56 €", 1234.56),
        ("1 234,50 €", 1234.5),
        ("1\u00a0234\u202f567", 1234567),
        ("CHF 1'299.95", 1299.95),
        ("1,234", 1234),
        ("0,234", 0.234),
        ("12,5 %", 12.5),
        ("1.5", 1.5),
        ("1.234.567", 1234567),
        ("1,234,567.8", 1234567.8),
        (".99", 0.99),
        ("-5 %", -5),
        ("\u2212$5.20", -5.2),
        ("- 5", 5),
        ("pages 2-5", 2),
        ("no-5", 5),
        ("12.3K followers", 12300),
        ("4M", 4e6),
        ("4 Mb", 4),
        ("5Mb", 5),
        ("from 3 to 4", 3),
        ("\u0663", 3),
    ],
)
def test_an_amount_is_read_as_people_mean_it(text, amount):
    """Currencies, groups of digits of either kind, signs and suffixes are understood."""
    assert parse_amount(text) == amount


def test_the_decimal_mark_can_be_said():
    """Where a lone mark can mean either, the one that is said counts."""
    assert parse_amount("1.234", decimal=",") == 1234
    assert parse_amount("1,234", decimal=",") == 1.234
    assert parse_amount("1,234", decimal=".") == 1234


@pytest.mark.parametrize("text", ["", "sold out", "\u221e", "1.2.3"])
def test_what_is_no_amount_is_refused_in_words(text):
    """No number is an error that shows what was there, never a 0."""
    with pytest.raises(ValueError, match=r"number|marks"):
        parse_amount(text, decimal=".")


@given(st.integers(0, 10**12), st.integers(0, 99))
def test_both_ways_to_group_give_the_same(whole, cents):
    """English and German spelling of any price are the same amount."""
    english = f"{whole:,}.{cents:02}"
    german = english.translate(str.maketrans(".,", ",."))
    assert parse_amount(english) == parse_amount(german) == pytest.approx(whole + cents / 100)


@given(st.text())
def test_any_text_gives_a_number_or_a_clear_error(text):
    """Whatever a page shows, the answer is a finite number or a `ValueError`."""
    with contextlib.suppress(ValueError):
        assert math.isfinite(parse_amount(text))


def test_only_the_beginning_of_a_long_text_is_looked_through():
    """A page may have any text, and nobody waits for it: blank space at its beginning does not count."""
    assert parse_amount(" " * 1_000_000 + "5 EUR") == 5
    with pytest.raises(ValueError, match="there is no number in"):
        parse_amount("x" * LONGEST + " 5")
