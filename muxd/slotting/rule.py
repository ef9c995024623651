"""The pair rule, and the certificate that says that it holds for every pair.

Two slots never overlap exactly when, with g the greatest common divisor of their intervals,
``d_i <= (phase_j - phase_i) mod g <= g - d_j`` (Korst, Aarts, Lenstra & Wessels 1991).

This module is the judge of what the solver makes, so it imports none of it and uses another
method: sorted intervals on a circle instead of bit masks.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import heappop, heappush
from itertools import pairwise
from math import gcd
from operator import itemgetter
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .slot import Slot

    _Gap = tuple[int, tuple[int, int] | None]

__all__ = ["MOST_PAIRS", "Certificate", "certify", "pair_gap"]

MOST_PAIRS = 10_000
"""More pairs than this that collide are not counted."""


def pair_gap(a: Slot, b: Slot) -> int:
    """The least idle time, in seconds, between any run of one and any run of the other.

    Negative when they overlap somewhere: by that many seconds at the worst place.
    """
    g = gcd(a.interval, b.interval)
    x = (b.phase - a.phase) % g
    return min(x - a.duration, g - x - b.duration)


@attrs.frozen(kw_only=True)
class Certificate:
    """What was checked about a timetable, over every pair of its slots."""

    valid: bool
    """No two slots ever overlap, and every slot's run ends before its next release."""
    min_gap: int
    """The least idle time between two runs, seconds; negative means overlap."""
    pairs: int
    """How many pairs the statement covers: all of them."""
    collisions: tuple[tuple[str, str], ...]
    """Names of the pairs that overlap, in the order of the slots; at most `MOST_PAIRS`."""
    overlong: tuple[str, ...]
    """Slots whose duration exceeds their own interval."""
    broken_pins: tuple[str, ...]
    """Pinned slots that are not where they were pinned."""
    tightest: tuple[str, str] | None = None
    """Names of a pair with the least idle time between them; None: there is no pair."""
    more: bool = False
    """There may be more pairs that overlap than `collisions` names, and worse ones."""

    @property
    def count(self) -> str:
        """How many pairs overlap, for people."""
        return f"{'at least ' if self.more else ''}{len(self.collisions)}"


def certify(slots: Sequence[Slot]) -> Certificate:
    """Check the pair rule for all pairs of ``slots``.

    Slots of equal interval are taken together, so that n slots of k intervals cost about
    k * n * log(n) steps instead of n * n, and as much again as there are pairs that collide. Where
    these are more than `MOST_PAIRS`, the check ends: the timetable isn't valid anyway.
    """
    # {interval: positions in `slots`}
    groups: dict[int, list[int]] = defaultdict(list)
    for i, slot in enumerate(slots):
        groups[slot.interval].append(i)
    alone = min((slot.interval - slot.duration for slot in slots), default=0)
    tightest: _Gap = (alone, None)
    bad: set[tuple[int, int]] = set()
    intervals = sorted(groups)
    for k, interval in enumerate(intervals):
        for other in intervals[k:]:
            ones, others, g = groups[interval], groups[other], gcd(interval, other)
            found = _gap_within(slots, ones, g) if ones is others else None
            found = found or _gap_between(slots, ones, others, g)
            if found[0] < 0:
                # An overlap hides others behind it: only all pairs tell which, and by how much.
                pairs = set[tuple[int, int]]()
                for pair in _overlaps(slots, ones, others, g):
                    pairs.add(pair)
                    if len(pairs) >= MOST_PAIRS:
                        break
                bad |= pairs
                found = min((pair_gap(slots[i], slots[j]), (i, j)) for i, j in pairs)
            tightest = min(tightest, found, key=itemgetter(0))
        if len(bad) >= MOST_PAIRS:
            break
    overlong = tuple(slot.name for slot in slots if slot.duration > slot.interval)
    broken = tuple(slot.name for slot in slots if slot.pinned and slot.moved)
    n = len(slots)
    gap, closest = tightest
    return Certificate(
        valid=not bad and not overlong and not broken,
        min_gap=gap,
        pairs=n * (n - 1) // 2,
        collisions=tuple((slots[i].name, slots[j].name) for i, j in sorted(bad)[:MOST_PAIRS]),
        overlong=overlong,
        broken_pins=broken,
        tightest=None if closest is None else (slots[closest[0]].name, slots[closest[1]].name),
        more=len(bad) >= MOST_PAIRS,
    )


def _gap_within(slots: Sequence[Slot], group: list[int], interval: int) -> _Gap:
    """The least gap among slots of one interval: between neighbours on the circle."""
    if len(group) < 2:
        return interval, None
    circle = sorted((slots[i].phase, slots[i].duration, i) for i in group)
    start, duration, last = circle[-1]
    first = circle[0]
    found = first[0] + interval - start - duration, (last, first[2])
    for (start, duration, i), (following, _, j) in pairwise(circle):
        found = min(found, (following - start - duration, (i, j)))
    return found


def _gap_between(slots: Sequence[Slot], ones: list[int], others: list[int], g: int) -> _Gap:
    """The least gap between any of ``ones`` and any of ``others``, both folded onto g seconds."""
    return min(
        _gap_after(slots, ones, others, g), _gap_after(slots, others, ones, g), key=itemgetter(0)
    )


def _laid(slots: Sequence[Slot], group: Iterable[int], g: int) -> list[tuple[int, int, int]]:
    """Start, end and position of each run on a circle of g, on the lap before and on this one.

    So every start finds all those that began in the g seconds before it.
    """
    return sorted(
        (start, start + slots[i].duration, i)
        for i in group
        for start in (slots[i].phase % g - g, slots[i].phase % g)
    )


def _gap_after(slots: Sequence[Slot], firsts: list[int], seconds: list[int], g: int) -> _Gap:
    """The least time from the end of one of ``firsts`` to the next start among ``seconds``."""
    laid = _laid(slots, firsts, g)
    found: _Gap = (g, None)
    k = 0
    latest_end, latest = laid[0][0], laid[0][2]
    for start, j in sorted((slots[j].phase % g, j) for j in seconds):
        while k < len(laid) and laid[k][0] <= start:
            latest_end, latest = max((latest_end, latest), laid[k][1:])
            k += 1
        if start - latest_end < found[0]:
            found = start - latest_end, (latest, j)
    return found


def _overlaps(
    slots: Sequence[Slot], ones: list[int], others: list[int], g: int
) -> Iterator[tuple[int, int]]:
    """Every pair of one of ``ones`` and one of ``others`` that overlaps, once or more often."""
    for firsts, seconds in ((ones, others), (others, ones)):
        laid = _laid(slots, firsts, g)
        running: list[tuple[int, int]] = []  # a heap: (end, position)
        k = 0
        for start, j in sorted((slots[j].phase % g, j) for j in seconds):
            while k < len(laid) and laid[k][0] <= start:
                heappush(running, laid[k][1:])
                k += 1
            while running and running[0][0] <= start:
                heappop(running)
            yield from ((min(i, j), max(i, j)) for _, i in running if i != j)
