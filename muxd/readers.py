"""Readers of single values of `muxd.toml`, muxd's own and those of plugins: what may be given, in which limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from muxd.sizes import SIZE_HELP, format_size, parse_size
from muxd.units import DURATION_HELP, format_duration, parse_duration

__all__ = [
    "Limits",
    "limits_of",
    "number",
    "page_url",
    "page_urls",
    "seconds",
    "size",
    "texts",
    "whole",
]

_Reader = TypeVar("_Reader", bound=Callable[[object], Any])
Limits = tuple[str, dict[str, float]]
"""``number``, ``integer``, ``duration`` or ``size``, and the limits as JSON Schema has them."""


def limits_of(read: Callable[[object], Any]) -> Limits | None:
    """What a reader that was made here takes; None of one that has no limits."""
    found: Limits | None = getattr(read, "limits", None)
    return found


def _within(read: _Reader, kind: str, **limits: float) -> _Reader:
    vars(read)["limits"] = (kind, limits)
    return read


def number(low: float, high: float, *, above: bool = False) -> Callable[[object], float]:
    """A number from `low` (or, with `above`, from just above it) to `high`."""
    words = (
        f"give a number {'above' if above else 'from'} {low:g} {'up ' if above else ''}to {high:g}"
    )

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise ValueError(words)
        if not low <= value <= high or (above and value == low):
            raise ValueError(words)
        return float(value)

    bound = "exclusiveMinimum" if above else "minimum"
    return _within(read, "number", **{bound: low}, maximum=high)


def whole(low: int, high: int) -> Callable[[object], int]:
    """A whole number within these limits."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return value

    return _within(read, "integer", minimum=low, maximum=high)


def seconds(low: float, high: float) -> Callable[[object], float]:
    """A duration within these limits, as seconds."""
    limits = f"from {format_duration(low)} to {format_duration(high)}"

    def read(value: object) -> float:
        try:
            found = parse_duration(value)
        except ValueError:
            raise ValueError(f"give {DURATION_HELP}, {limits}") from None
        if not low <= found <= high:
            raise ValueError(f"give {limits}")
        return found

    return _within(read, "duration", minimum=low, maximum=high)


def size(low: int = 0, high: int | None = None) -> Callable[[object], int]:
    """A size within these limits, as bytes."""
    limits = f"{format_size(low)} or more"
    if high is not None:
        limits = f"from {format_size(low)} to {format_size(high)}"

    def read(value: object) -> int:
        try:
            found = parse_size(value)
        except ValueError:
            raise ValueError(f"give {SIZE_HELP}, {limits}") from None
        if found < low or (high is not None and found > high):
            raise ValueError(f"give {limits}")
        return found

    most = {} if high is None else {"maximum": high}
    return _within(read, "size", minimum=low, **most)


def texts(value: object) -> tuple[str, ...]:
    """One text, or several."""
    found = (value,) if isinstance(value, str) else value
    if not isinstance(found, (list, tuple)) or not all(isinstance(each, str) for each in found):
        raise ValueError("give a text, or a list of texts")
    return tuple(found)


def page_url(value: object) -> str:
    """The address of a page that a browser can open: of the web, or of a file."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        on_web = parts is not None and parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        on_web = False
    if not isinstance(value, str) or not (on_web or value.startswith("file:///")):
        raise ValueError('give the address of a page, such as "https://example.org/news"')
    return value


def page_urls(value: object) -> tuple[str, ...]:
    """One such address, or several."""
    return tuple(map(page_url, (value,) if isinstance(value, str) else texts(value)))
