"""Seconds of a circle as the bits of one big integer: bit s is second s, 0 <= s < period.

Python's integers shift and combine 64 and more seconds at a time, which makes "every legal start
within a day" a matter of microseconds. All functions are pure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["erode", "first", "fold", "full", "holes", "nearest", "run", "tile"]


@lru_cache(maxsize=256)
def full(period: int) -> int:
    """Every second of the circle."""
    return (1 << period) - 1


def run(start: int, length: int, period: int) -> int:
    """``length`` seconds from ``start`` on, wrapped round the circle."""
    if length >= period:
        return full(period)
    bits = ((1 << length) - 1) << start
    over = start + length - period
    if over > 0:
        bits = (bits & full(period)) | ((1 << over) - 1)
    return bits


def fold(mask: int, period: int, g: int) -> int:
    """What is set anywhere in ``mask``, seen modulo ``g``; ``g`` divides ``period``."""
    laps = period // g
    while laps > 1:
        # Lay the upper half of the laps on the lower.
        laps = (laps + 1) // 2
        mask = (mask & full(laps * g)) | (mask >> (laps * g))
    return mask


def tile(mask: int, g: int, period: int) -> int:
    """``mask`` of ``g`` seconds repeated all round a circle of ``period``; g divides period."""
    if not mask:
        return 0
    laps, done = period // g, 1
    while done < laps:
        more = min(done, laps - done)
        mask |= mask << (more * g)
        done += more
    return mask


def erode(free: int, length: int, period: int) -> int:
    """The seconds from which ``length`` seconds are free, round the circle."""
    if length > period:
        return 0
    free |= (free & full(min(length, period))) << period
    covered = 1
    while covered < length and free:
        step = min(covered, length - covered)
        free &= free >> step
        covered += step
    return free & full(period)


def first(mask: int) -> int:
    """The lowest second that is set, or -1."""
    return (mask & -mask).bit_length() - 1


def holes(mask: int, period: int) -> Iterator[tuple[int, int]]:
    """Maximal runs of set seconds as (start, length); one that wraps is given once, from its start.

    A full circle is (0, period).
    """
    if not mask:
        return
    if mask == full(period):
        yield 0, period
        return
    bits = f"{mask:0{period}b}"[::-1]
    begin = bits.index("0") if bits[0] == "1" and bits[-1] == "1" else 0
    bits = bits[begin:] + bits[:begin]
    at = bits.find("1")
    while at >= 0:
        end = bits.find("0", at)
        end = period if end < 0 else end
        yield (at + begin) % period, end - at
        at = bits.find("1", end)


def nearest(mask: int, wish: int, period: int) -> tuple[int, int]:
    """The first set second at or after the wish, and the last one before it, round the circle.

    The mask must not be empty.
    """
    after = mask >> wish
    up = wish + first(after) if after else first(mask)
    before = mask & full(wish) if wish else 0
    down = (before or mask).bit_length() - 1
    return up, down
