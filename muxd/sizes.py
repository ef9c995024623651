"""Sizes of memory and files as people write them, and back: ``"512 MB"`` is 512,000,000 bytes."""

from __future__ import annotations

import math
import re

__all__ = ["SIZE_HELP", "format_size", "parse_size"]

SIZE_HELP = "a size such as '512 MB', '1.5 GiB', '200k' or a number of bytes"
"""What is allowed where a size is asked for, in words for error messages."""

_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}{tail}": 1000**n for n, letter in enumerate("kmgt", 1) for tail in ("", "b")},
    **{f"{letter}i{tail}": 1024**n for n, letter in enumerate("kmgt", 1) for tail in ("", "b")},
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_LARGEST = 2**63 - 1


def parse_size(value: object) -> int:
    """The bytes that `value` stands for: 0 or more.

    Args:
      value: a number and a unit (``"512 MB"``, ``"1.5GiB"``, ``"200k"``): k, M, G and T are powers
        of 1000, Ki, Mi, Gi and Ti of 1024, each with or without a B, in upper or lower case; or a
        number of bytes (also as a text). A fraction of a byte is rounded.

    Raises:
      ValueError: it is none of these, negative, infinite, not a number, or 2**63 or more.
    """
    size = math.nan
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        unit = _UNITS.get(found[2].lower()) if found else None
        if found and unit:
            whole = found[1].isdecimal()  # a large one keeps every byte
            size = int(found[1]) * unit if whole else float(found[1]) * unit
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        size = value
    if not 0 <= size <= _LARGEST:
        raise ValueError(f"{value!r} is not {SIZE_HELP}")
    return round(size)


def format_size(size: int) -> str:
    """`size` in bytes as `parse_size` reads it, rounded to three digits or so, for people.

    >>> format_size(512_000_000)
    '512 MB'
    >>> format_size(1_288_490_189)
    '1.29 GB'
    """
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if size >= factor - factor // 2000:  # what would be rounded to 1000 of the next smaller
            number = size / factor
            digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
            text = f"{number:.{digits}f}"
            return f"{text.rstrip('0').rstrip('.') if digits else text} {unit}"
    return f"{size} B"
