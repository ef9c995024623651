"""Remedies for misspelt words."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "shown"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to say after "there is no `word`": the likeliest of `known`, else all of them (20 at most).

    >>> did_you_mean("intervall", ["interval", "timeout"])
    "did you mean 'interval'?"
    >>> did_you_mean("x", ["interval", "timeout"])
    'there are: interval, timeout'
    """
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    if not words:
        return "there are none"
    more = f" and {len(words) - 20} more" if len(words) > 20 else ""
    return "there are: " + ", ".join(words[:20]) + more


def shown(value: object, *, at_most: int = 120) -> str:
    """`value` as it stands in a message: its repr, cut after `at_most` characters."""
    text = repr(value)
    return text if len(text) <= at_most else text[: at_most - 3] + "..."
