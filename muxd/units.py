"""Durations as people write them, and back: ``"15m"`` is 900 seconds."""

from __future__ import annotations

import math
import re
from datetime import timedelta

__all__ = ["DURATION_HELP", "format_duration", "format_share", "parse_duration"]

DURATION_HELP = "a duration such as '90s', '15m', '1h30m', '2d', 'PT15M', a timedelta or seconds"
"""What is allowed where a duration is asked for, in words for error messages."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")
_ISO = re.compile(
    r"P(?:(?P<w>\d+(?:\.\d+)?)W)?(?:(?P<d>\d+(?:\.\d+)?)D)?"
    r"(?P<time>T(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)


def parse_duration(value: object) -> float:
    """The seconds that `value` stands for: finite, 0 or more.

    Args:
      value: ``"90s"``, ``"15m"``, ``"1h30m"``, ``"2d"`` (units ms, s, m, h, d, w, each at most
        once, largest first), ISO 8601 (``"PT1H30M"``; no years or months: they have no fixed
        length), a `~datetime.timedelta`, or a number of seconds (also as a string).

    Raises:
      ValueError: it is none of these, negative, infinite or not a number.
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is not {DURATION_HELP}")
    elif isinstance(value, str):
        seconds = _parse_text(value)
    else:
        seconds = float(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{value!r} is not {DURATION_HELP}, 0 or more and finite")
    return seconds


def _parse_text(text: str) -> float:
    stripped = text.strip()
    try:
        return float(stripped)
    except ValueError:
        pass
    if (iso := _ISO.fullmatch(stripped)) and stripped[-1] not in "PTpt":
        parts = {unit: iso[unit] for unit in "wdhms" if iso[unit] is not None}
        return sum(float(number) * _UNITS[unit] for unit, number in parts.items())
    total, at, last = 0.0, 0, math.inf
    while at < len(stripped):
        part = _PART.match(stripped, at)
        if part is None or _UNITS[part[2]] >= last:
            break
        last = _UNITS[part[2]]
        total += float(part[1]) * last
        at = part.end()
    if at == 0 or at < len(stripped):
        raise ValueError(f"{text!r} is not {DURATION_HELP}")
    return total


def format_share(done: float, total: float | None) -> str:
    """How far something is, for people.

    >>> format_share(3, 12)
    '3 of 12 (25 %)'
    >>> format_share(1234.5, None)
    '1,234.5'
    """
    text = f"{done:,.15g}"
    return f"{text} of {total:,.15g} ({int(100 * done / total)} %)" if total else text


def format_duration(seconds: float) -> str:
    """`seconds` as `parse_duration` reads it, at most to the millisecond.

    >>> format_duration(5400)
    '1h30m'
    >>> format_duration(0.25)
    '250ms'
    """
    sign = "-" if seconds < 0 else ""
    rest = round(abs(seconds) * 1000)
    if rest == 0:
        return "0s"
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return sign + text
