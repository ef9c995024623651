"""Why a set of jobs can't fit: bounds that no choice of phases can beat."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations
from math import floor, gcd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .demand import Demand

from muxd.units import format_duration

__all__ = ["gap_ceiling", "impossible_pairs", "reasons", "utilisation"]


def utilisation(demands: Iterable[Demand]) -> Fraction:
    """Share of all time asked for, exactly."""
    by_interval: dict[int, int] = defaultdict(int)
    for d in demands:
        by_interval[d.interval] += d.duration
    return sum((Fraction(need, t) for t, need in by_interval.items()), Fraction(0))


def impossible_pairs(demands: Sequence[Demand]) -> list[tuple[int, int]]:
    """Pairs (positions) that overlap at some time whatever their phases are.

    Their intervals' greatest common divisor is too short to hold both durations side by side.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for i, demand in enumerate(demands):
        groups[demand.interval].append(i)
    longest = {t: max(demands[i].duration for i in group) for t, group in groups.items()}
    found = []
    for a, b in _ordered_pairs(sorted(groups)):
        g = gcd(a, b)
        if longest[a] + longest[b] <= g:
            continue
        pairs = combinations(groups[a], 2) if a == b else _product(groups[a], groups[b])
        found += [
            (min(i, j), max(i, j))
            for i, j in pairs
            if demands[i].duration + demands[j].duration > g
        ]
    return sorted(found)


def _ordered_pairs(values: Sequence[int]) -> Iterable[tuple[int, int]]:
    for k, a in enumerate(values):
        for b in values[k:]:
            yield a, b


def _product(ones: Iterable[int], others: Sequence[int]) -> Iterable[tuple[int, int]]:
    for i in ones:
        for j in others:
            yield i, j


def gap_ceiling(demands: Sequence[Demand]) -> int:
    """A gap that no timetable can exceed, seconds; negative if none is free of collisions.

    The least of three bounds: each pair must fit side by side into the greatest common divisor of
    their intervals; each class of short intervals must leave room for the longest run beside it;
    and all durations together must fit into all time.
    """
    if not demands:
        return 0
    best: Fraction = Fraction(min(d.interval - d.duration for d in demands))
    longest: dict[int, list[int]] = defaultdict(list)  # {interval: its two longest durations}
    for d in demands:
        longest[d.interval] = sorted([*longest[d.interval], d.duration])[-2:]
    intervals = sorted(longest)
    for a, b in _ordered_pairs(intervals):
        if a == b:
            if len(longest[a]) == 2:
                best = min(best, Fraction(a - sum(longest[a]), 2))
        else:
            best = min(best, Fraction(gcd(a, b) - longest[a][-1] - longest[b][-1], 2))
    for t in intervals:
        inside = [d for d in demands if t % d.interval == 0]
        beyond = [d.duration for d in demands if d.interval % t == 0 and d.interval > t]
        rate = sum(t // d.interval for d in inside) + (1 if beyond else 0)
        need = sum(t // d.interval * d.duration for d in inside) + max(beyond, default=0)
        best = min(best, Fraction(t - need, rate))
    counts = Counter(d.interval for d in demands)
    releases = sum((Fraction(count, t) for t, count in counts.items()), Fraction(0))
    return floor(min(best, (1 - utilisation(demands)) / releases))


def reasons(demands: Sequence[Demand], limit: int = 6) -> list[str]:
    """The plainest proofs that a set can't be free of collisions; empty if none was found."""
    found = [
        f"{d.name} takes {format_duration(d.duration)} but is wanted every {format_duration(d.interval)}: "
        f"one run can't end before the next is due. Give it an interval above "
        f"{format_duration(d.duration)} or shorten it."
        for d in demands
        if d.duration > d.interval
    ]
    total = utilisation(demands)
    if total > 1:
        heavy = sorted(demands, key=lambda d: -d.duration / d.interval)[:3]
        names = ", ".join(f"{d.name} ({100 * d.duration / d.interval:.0f} %)" for d in heavy)
        found.append(
            f"All jobs together ask for {float(100 * total):.0f} % of the time. "
            f"Slow down or shorten the heaviest: {names}."
        )
    found += _pinned_clashes(demands)
    pairs = impossible_pairs(demands)
    found += [_pair_sentence(demands[i], demands[j]) for i, j in pairs[:limit]]
    if len(pairs) > limit:
        found.append(f"... and {len(pairs) - limit} more pairs that can't avoid each other.")
    found += _overfull(demands)
    return found


def _pair_sentence(a: Demand, b: Demand) -> str:
    g = gcd(a.interval, b.interval)
    return (
        f"{a.name} (every {format_duration(a.interval)}, {format_duration(a.duration)}) and {b.name} "
        f"(every {format_duration(b.interval)}, {format_duration(b.duration)}) can't avoid each other: their intervals "
        f"bring them within {format_duration(g)} of each other whatever their phases, and together they "
        f"take {format_duration(a.duration + b.duration)}."
    )


def _pinned_clashes(demands: Sequence[Demand]) -> list[str]:
    found = []
    for a, b in combinations([d for d in demands if d.pinned], 2):
        g = gcd(a.interval, b.interval)
        x = ((b.wish or 0) - (a.wish or 0)) % g
        if not a.duration <= x <= g - b.duration and a.duration + b.duration <= g:
            found.append(
                f"{a.name} and {b.name} are pinned where they overlap "
                f"(at {format_duration(a.wish or 0)} and {format_duration(b.wish or 0)} of their intervals): "
                f"move one pin."
            )
    return found


def _overfull(demands: Sequence[Demand]) -> list[str]:
    found = []
    for t in sorted({d.interval for d in demands}):
        inside = [d for d in demands if t % d.interval == 0]
        beyond = [d for d in demands if d.interval % t == 0 and d.interval > t]
        need = sum(t // d.interval * d.duration for d in inside)
        if need > t or len(inside) < 2:
            if need > t and len(inside) > 1:
                names = ", ".join(d.name for d in inside[:5])
                found.append(
                    f"The {format_duration(t)} class is overfull: {len(inside)} jobs ({names}"
                    f"{', ...' if len(inside) > 5 else ''}) need {format_duration(need)} of every {format_duration(t)}."
                )
                break
            continue
        long = max(beyond, key=lambda d: d.duration, default=None)
        if long is not None and need + long.duration > t:
            found.append(
                f"The {format_duration(t)} class is overfull: its jobs need {format_duration(need)} of every {format_duration(t)}, "
                f"and {long.name} (every {format_duration(long.interval)}) needs {format_duration(long.duration)} in one "
                f"piece beside them."
            )
            break
    return found
