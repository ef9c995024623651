"""What pages need not load: the words for it, and what a wrong one is told."""

from __future__ import annotations

import pytest

from muxd.blocklist import KINDS, parse_blocklist


def test_kinds_and_hosts_are_taken_each_once():
    """In lower case and in their order, whatever mixture it is."""
    given = ["Image", "ADS.example.com", "*.tracker.net", "image", "localhost", "10.0.0.1"]
    assert parse_blocklist(given) == (
        "image", "ads.example.com", "*.tracker.net", "localhost", "10.0.0.1"
    )  # fmt: skip
    assert parse_blocklist(parse_blocklist(given)) == parse_blocklist(given)
    assert parse_blocklist(KINDS) == KINDS
    assert parse_blocklist([]) == ()


@pytest.mark.parametrize(
    "item", ["images", "", "*", "a/b.example", "https://a.example", "a.example:80", "-a.example"]
)
def test_what_is_neither_is_named(item):
    """The message names the item and all that is allowed."""
    with pytest.raises(ValueError, match=r"image, font, media, stylesheet.*hosts") as caught:
        parse_blocklist(["font", item])
    assert f"{item!r} is neither" in str(caught.value)


def test_a_misspelt_kind_gets_a_guess():
    """A kind with an s too many is what people write."""
    with pytest.raises(ValueError, match="did you mean 'image'"):
        parse_blocklist(["images"])
