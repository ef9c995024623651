"""Remedies for misspelt words."""

from __future__ import annotations

from muxd.hints import did_you_mean, shown


def test_the_likeliest_word_is_named_else_all():
    """A near miss gets one guess; anything else gets the words there are, 20 at most."""
    assert did_you_mean("intervall", ["timeout", "interval"]) == "did you mean 'interval'?"
    assert did_you_mean("x", ["timeout", "interval"]) == "there are: interval, timeout"
    assert did_you_mean("x", []) == "there are none"
    many = did_you_mean("x", [f"job{n:02}" for n in range(25)])
    assert many.endswith("job18, job19 and 5 more")


def test_a_value_is_shown_at_a_readable_length():
    """A message never carries a whole page."""
    assert shown("a") == "'a'"
    assert len(shown("x" * 1000)) == 120
