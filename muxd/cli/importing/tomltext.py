"""TOML, as a person would have written it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["comment", "keys", "table"]


def table(*path: str, many: bool = False) -> str:
    """The head of a table; of one more of an array of them."""
    dotted = ".".join(
        part if re.fullmatch(r"[\w-]+", part, re.ASCII) else text(part) for part in path
    )
    return f"[[{dotted}]]" if many else f"[{dotted}]"


def keys(values: Mapping[str, bool | float | str | Sequence[str]]) -> Iterable[str]:
    """A line for each key."""
    for key, value in values.items():
        yield f"{key} = {_value(value)}"


def comment(words: str) -> str:
    """A line that says something to people, whatever is in it."""
    return "# " + "".join(char if char.isprintable() else " " for char in words).rstrip()


def text(value: str) -> str:
    """A basic string. It is JSON's, but for one character that JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: bool | float | str | Sequence[str]) -> str:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    return "[" + ", ".join(map(text, value)) + "]"
