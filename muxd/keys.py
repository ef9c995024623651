"""Dotted keys of `muxd.toml`, as messages have them: ``plugins.watch.page[news].url``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Step", "dotted", "key_within"]

Step = str | int
"""A key of a table, or the number of an item, from 0 on."""


def key_within(key: str, way: str, values: object) -> str:
    """The dotted key of ``page[2].url`` below `key`: an item that has a name is named by it."""
    steps: list[Step] = []
    for number, name in re.findall(r"\[(\d+)\]|([^.\[\]]+)", way):
        steps.append(int(number) if number else name)
    return dotted(key, tuple(steps), values)


def dotted(key: str, way: Iterable[Step], values: Any = None) -> str:
    """The key, and the way on from there through these values."""
    for step in way:
        try:
            values = values[step]
        except (LookupError, TypeError):
            values = None
        if isinstance(step, int):
            name = values.get("name") if isinstance(values, Mapping) else None
            key += f"[{name if isinstance(name, str) and name else step}]"
        else:
            plain = re.fullmatch(r"[\w-]+", step)
            key += "." * bool(key) + (step if plain else f'"{step}"')
    return key
