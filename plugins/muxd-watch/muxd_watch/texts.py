"""Texts of pages: made comparable, and what differs between two of them."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

__all__ = ["TextDifference", "normal", "text_difference"]

LONGEST = 200_000
"""How much of a text is compared, characters."""
LONGEST_LINE = 300
"""A line longer than that is cut into several, so that the difference shows where it is."""
MOST_LINES = 5_000
"""How many lines are compared one by one: of more, such as those of a hostile page, it would take minutes."""
CONTEXT = 2
"""How many lines round a change are shown."""
LONGEST_SHOWN = 20_000
"""How much of a difference is kept to be shown, characters."""


def normal(text: str, ignore: Iterable[re.Pattern[str]] = ()) -> str:
    """The text without what doesn't count: blank space, and what the patterns match in its lines."""
    lines = []
    # Half a surrogate pair, which pages may have, could not be kept as it is.
    text = text[:LONGEST].encode("utf-8", "backslashreplace").decode()
    for line in text.splitlines():
        line = " ".join(line.split())
        for pattern in ignore:
            line = pattern.sub("", line)
        if line := " ".join(line.split()):
            lines.append(line)
    return "\n".join(lines)


@attrs.frozen
class TextDifference:
    """What differs between two texts."""

    added: int
    """Lines that are new, or other now."""
    removed: int
    unified: str
    """As `diff -u` shows it, without file names."""

    @property
    def summary(self) -> str:
        """In a few words."""
        counts = [(self.added, "added"), (self.removed, "removed")]
        told = [f"{n} line{'s' * (n != 1)} {what}" for n, what in counts if n]
        return ", ".join(told) or "changed"


def text_difference(before: str, after: str) -> TextDifference:
    """What differs between two texts that `normal` has made."""
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MOST_LINES:
        old, new = _from_the_first_difference(old, new)
    more = max(len(old), len(new)) > MOST_LINES
    parts = difflib.unified_diff(old[:MOST_LINES], new[:MOST_LINES], n=CONTEXT, lineterm="")
    lines = list(parts)[2:]
    if more:  # how often each line is there now, and was
        added, removed = (
            (Counter(new) - Counter(old)).total(),
            (Counter(old) - Counter(new)).total(),
        )
    else:
        added = sum(line.startswith("+") for line in lines)
        removed = sum(line.startswith("-") for line in lines)
    unified = "\n".join([*lines, "..."] if more else lines)
    if len(unified) > LONGEST_SHOWN:
        unified = unified[:LONGEST_SHOWN].rpartition("\n")[0] + "\n..."
    return TextDifference(added, removed, unified)


def _from_the_first_difference(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Without what is the same at the beginning and the end: lines are counted from there."""
    least = min(len(old), len(new))
    head = next((n for n in range(least) if old[n] != new[n]), least)
    tail = next((n for n in range(least - head) if old[-1 - n] != new[-1 - n]), least - head)
    head, tail = max(head - CONTEXT, 0), max(tail - CONTEXT, 0)
    return old[head : len(old) - tail], new[head : len(new) - tail]


def _lines(text: str) -> list[str]:
    return [
        line[at : at + LONGEST_LINE]
        for line in text.split("\n")
        for at in range(0, max(len(line), 1), LONGEST_LINE)
    ]
