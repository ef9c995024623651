"""The pair rule, and the certificate that says that it holds for every pair.

Two slots never overlap exactly when, with g the greatest common divisor of their intervals,
``d_i <= (phase_j - phase_i) mod g <= g - d_j`` (Korst, Aarts, Lenstra & Wessels 1991).

This module is the judge of what the solver makes, so it imports none of it and uses another
method: sorted intervals on a circle instead of bit masks.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations, pairwise, product
from math import gcd
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .slot import Slot

__all__ = ["Certificate", "certify", "pair_gap"]


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
    """Names of the pairs that overlap, in the order of the slots."""
    overlong: tuple[str, ...]
    """Slots whose duration exceeds their own interval."""
    broken_pins: tuple[str, ...]
    """Pinned slots that are not where they were pinned."""


def certify(slots: Sequence[Slot]) -> Certificate:
    """Check the pair rule for all pairs of ``slots``.

    Slots of equal interval are taken together, so that n slots of k intervals cost about
    k * n * log(n) steps instead of n * n; colliding groups are then looked at pair by pair.
    """
    # {interval: positions in `slots`}
    groups: dict[int, list[int]] = defaultdict(list)
    for i, slot in enumerate(slots):
        groups[slot.interval].append(i)
    gap = min((slot.interval - slot.duration for slot in slots), default=0)
    bad: list[tuple[int, int]] = []
    intervals = sorted(groups)
    for k, interval in enumerate(intervals):
        group = groups[interval]
        found = _gap_within(slots, group, interval)
        pairs: Iterable[tuple[int, int]] = combinations(group, 2)
        for other in [None, *intervals[k + 1 :]]:
            if other is not None:
                found = _gap_between(slots, group, groups[other], gcd(interval, other))
                pairs = product(group, groups[other])
            if found < 0:
                # An overlap hides others behind it: only all pairs tell which, and by how much.
                found = 0
                for i, j in (sorted(pair) for pair in pairs):
                    pair = pair_gap(slots[i], slots[j])
                    if pair < 0:
                        bad.append((i, j))
                        found = min(found, pair)
            gap = min(gap, found)
    overlong = tuple(slot.name for slot in slots if slot.duration > slot.interval)
    broken = tuple(slot.name for slot in slots if slot.pinned and slot.moved)
    n = len(slots)
    return Certificate(
        valid=not bad and not overlong and not broken,
        min_gap=gap,
        pairs=n * (n - 1) // 2,
        collisions=tuple((slots[i].name, slots[j].name) for i, j in sorted(bad)),
        overlong=overlong,
        broken_pins=broken,
    )


def _gap_within(slots: Sequence[Slot], group: list[int], interval: int) -> int:
    """The least gap among slots of one interval: between neighbours on the circle."""
    if len(group) < 2:
        return interval
    phases = sorted((slots[i].phase, slots[i].duration) for i in group)
    gap = phases[0][0] + interval - phases[-1][0] - phases[-1][1]
    for (start, duration), (following, _) in pairwise(phases):
        gap = min(gap, following - start - duration)
    return gap


def _gap_between(slots: Sequence[Slot], ones: list[int], others: list[int], g: int) -> int:
    """The least gap between any of ``ones`` and any of ``others``, both folded onto g seconds."""
    return min(_gap_after(slots, ones, others, g), _gap_after(slots, others, ones, g))


def _gap_after(slots: Sequence[Slot], firsts: list[int], seconds: list[int], g: int) -> int:
    """The least time from the end of one of ``firsts`` to the next start among ``seconds``."""
    # Each run is laid down on the lap before and on this one, so that every start finds all
    # those that began in the g seconds before it.
    laid = sorted((slots[i].phase % g + lap, slots[i].duration) for i in firsts for lap in (-g, 0))
    gap = g
    k = 0
    latest_end = laid[0][0]
    for start in sorted(slots[j].phase % g for j in seconds):
        while k < len(laid) and laid[k][0] <= start:
            latest_end = max(latest_end, laid[k][0] + laid[k][1])
            k += 1
        gap = min(gap, start - latest_end)
    return gap
