"""Amounts as people write them: ``"1.234,56 €"`` is 1234.56."""

from __future__ import annotations

import math
import re
import unicodedata

__all__ = ["LONGEST", "parse_amount"]

LONGEST = 10_000
"""How much of a text is looked through, characters: a page may have any, and who asks must not wait."""
_SPACES = " \u00a0\u2009\u202f'\u2019"
_NUMBER = re.compile(rf"\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*|[.,]\d+")
_TIMES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9}
_SUFFIX = re.compile(r"[kKMB](?!\w)")


def parse_amount(text: str, *, decimal: str = "") -> float:
    """The first number in a text, or in its first `LONGEST` characters: a price, a count, a share.

    Args:
      text: such as ``"$1,299.00"``, ``"1 234,50 €"``, ``"-5 %"``, ``"12.3K"`` (a K, M or B right
        behind it counts).
      decimal: what stands before the decimals, ``.`` or ``,``. Empty: what is likelier. Of two kinds
        of mark it is the last, and a mark that comes twice is none; a lone point is one, and a lone
        comma too, unless three digits follow it.

    Raises:
      ValueError: there is no number in it.
    """
    text = text.strip()[:LONGEST]
    found = _NUMBER.search(text)
    if found is None:
        raise ValueError(f"there is no number in {_shown(text)}")
    whole = re.sub(rf"[{_SPACES}]", "", found[0])
    point = decimal or _decimal_of(whole)
    digits = re.sub("[.,]" if not point else "[,]" if point == "." else "[.]", "", whole)
    if point:
        head, *tail = digits.split(point)
        if len(tail) > 1:
            raise ValueError(f"{_shown(found[0])} has {len(tail)} decimal marks {point!r}")
        digits = f"{head or '0'}.{tail[0] if tail else '0'}"
    value = float(digits)
    if suffix := _SUFFIX.match(text, found.end()):
        value *= _TIMES[suffix[0]]
    if math.isinf(value):
        raise ValueError(f"{_shown(found[0])} is too large a number")
    return -value if _is_negative(text[: found.start()]) else value


def _decimal_of(number: str) -> str:
    """What stands before its decimals; empty if it has none, and then its marks are all groups."""
    points, commas = number.count("."), number.count(",")
    if points and commas:
        last = max(".,", key=number.rfind)
        return last if number.count(last) == 1 else ""
    if points == 1:
        return "."
    if commas == 1 and (number.startswith(("0,", ",")) or len(number) - number.index(",") != 4):
        return ","
    return ""


def _is_negative(before: str) -> bool:
    """Whether what stands before a number ends with a minus, perhaps with a currency after it."""
    rest = before
    while rest and (rest[-1].isspace() or unicodedata.category(rest[-1]) == "Sc"):
        rest = rest[:-1]
    if not rest.endswith(("-", "\u2212")):
        return False
    # In "2-5" and "no-5" it is a hyphen, and so is one with a space after it.
    return not rest[:-1][-1:].isalnum() and before[len(rest) : len(rest) + 1] != " "


def _shown(text: str) -> str:
    short = " ".join(text.split())
    return repr(short if len(short) <= 60 else short[:57] + "...")
