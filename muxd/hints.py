"""Remedies for misspelt words."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "is_slip", "shown", "slip_of"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to say after "there is no `word`": the likeliest of `known`, else all of them (20 at most).

    >>> did_you_mean("intervall", ["interval", "timeout"])
    "did you mean 'interval'?"
    >>> did_you_mean("x", ["interval", "timeout"])
    'there are: interval, timeout'
    """
    words = sorted(known)
    near = slip_of(word, words) or next(iter(difflib.get_close_matches(word, words, n=1)), None)
    if near is not None:
        return f"did you mean {near!r}?"
    if not words:
        return "there are none"
    more = f" and {len(words) - 20} more" if len(words) > 20 else ""
    return "there are: " + ", ".join(words[:20]) + more


def is_slip(word: str, meant: str, *, most: int | None = None) -> bool:
    """Whether `word` is `meant` with a slip: a letter too many, too few, another, or two exchanged.

    At most so many slips, by default two in a word of more than six letters; other capitals count for
    nothing.

    >>> is_slip("mudx", "muxd"), is_slip("muxd_jbos", "muxd_jobs"), is_slip("muxd_jobs_of", "muxd_jobs")
    (True, True, False)
    """
    if word == meant:
        return False
    one, other = word.lower(), meant.lower()
    if abs(len(one) - len(other)) > 2:
        return False
    if most is None:
        most = 2 if len(meant) > 6 else 1
    return _distance(one, other) <= most


def slip_of(word: str, known: Iterable[str], *, most: int | None = None) -> str | None:
    """Which of `known` it is with a slip; None if it is none, or cannot be told."""
    near = [each for each in known if is_slip(word, each, most=most)]
    return min(near, key=lambda each: (_distance(word, each), each)) if near else None


def _distance(one: str, other: str) -> int:
    """How many slips are between them."""
    before: list[int] = []
    row = [*range(len(other) + 1)]
    for i, a in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return int(row[-1])


def shown(value: object, *, at_most: int = 120) -> str:
    """`value` as it stands in a message: its repr, cut after `at_most` characters.

    Never raises: what a body or a plugin gives may have no repr.
    """
    try:
        text = repr(value)
    except (Exception, SystemExit, KeyboardInterrupt):
        text = f"<{type(value).__name__} that can't be shown>"
    return text if len(text) <= at_most else text[: at_most - 3] + "..."
