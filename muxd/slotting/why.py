"""Why a set of jobs can't fit: bounds that no choice of phases can beat."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import islice
from math import floor, gcd
from typing import TYPE_CHECKING

import attrs

from muxd.units import format_duration

from .rule import MOST_PAIRS, certify
from .slot import Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .demand import Demand

__all__ = ["gap_ceiling", "impossible_pairs", "reasons", "utilisation"]

_EXACT = 200
"""So many intervals are summed up exactly."""
_COMPARED = 1_000
"""More intervals than this aren't compared with each other, to see which are overfull."""
_FINE = 10**15
"""What is not is rounded down to this part of a second's share."""


def utilisation(demands: Iterable[Demand]) -> Fraction:
    """Share of all time asked for: exactly, or, with very many intervals, rounded down a little."""
    by_interval: dict[int, int] = defaultdict(int)
    for d in demands:
        by_interval[d.interval] += d.duration
    return _sum(by_interval)


def _sum(parts: Mapping[int, int]) -> Fraction:
    """The sum of value / key. Many different keys would make fractions of thousands of digits."""
    if len(parts) > _EXACT:
        return Fraction(sum(value * _FINE // key for key, value in parts.items()), _FINE)
    return sum((Fraction(value, key) for key, value in parts.items()), Fraction(0))


def impossible_pairs(demands: Sequence[Demand]) -> list[tuple[int, int]]:
    """Pairs (positions) that overlap at some time whatever their phases are; at most `MOST_PAIRS`.

    Their intervals' greatest common divisor is too short to hold both durations side by side.
    """
    return sorted(islice(_impossible_pairs(demands), MOST_PAIRS))


def _impossible_pairs(demands: Sequence[Demand]) -> Iterator[tuple[int, int]]:
    # {interval: (duration, position), longest first}
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for i, demand in enumerate(demands):
        groups[demand.interval].append((demand.duration, i))
    for group in groups.values():
        group.sort(reverse=True)
    for a, b in _ordered_pairs(sorted(groups)):
        g = gcd(a, b)
        for number, (duration, i) in enumerate(groups[a]):
            others = groups[b]
            if duration + others[0][0] <= g:
                break
            for other, j in others if a != b else others[number + 1 :]:
                if duration + other <= g:
                    break
                yield min(i, j), max(i, j)


def _ordered_pairs(values: Sequence[int]) -> Iterable[tuple[int, int]]:
    for k, a in enumerate(values):
        for b in values[k:]:
            yield a, b


def gap_ceiling(demands: Sequence[Demand]) -> int:
    """A gap that no timetable can exceed, seconds; negative if none is free of collisions.

    The least of three bounds: each pair must fit side by side into the greatest common divisor of
    their intervals; each class of short intervals must leave room for the longest run beside it;
    and all durations together must fit into all time.
    """
    if not demands:
        return 0
    longest: dict[int, list[int]] = defaultdict(list)  # {interval: its two longest durations}
    for d in demands:
        longest[d.interval] = sorted([*longest[d.interval], d.duration])[-2:]
    twice = 2 * min(d.interval - d.duration for d in demands)
    for a, b in _ordered_pairs(sorted(longest)):
        if a != b:
            twice = min(twice, gcd(a, b) - longest[a][-1] - longest[b][-1])
        elif len(longest[a]) == 2:
            twice = min(twice, a - sum(longest[a]))
        if twice < 0:
            return floor(Fraction(twice, 2))
    best = Fraction(twice, 2)
    classes = _classes(demands)
    for t in classes:
        inside, beyond = _in_and_beyond(classes, t)
        rate = sum(t // c.interval * len(c.names) for c in inside) + (1 if beyond else 0)
        need = sum(t // c.interval * c.need for c in inside)
        need += max((c.longest.duration for c in beyond), default=0)
        best = min(best, Fraction(t - need, rate))
    releases = _sum({t: len(c.names) for t, c in classes.items()})
    return floor(min(best, (1 - utilisation(demands)) / releases))


@attrs.frozen
class _Class:
    """The jobs of one interval."""

    interval: int
    names: list[str]
    need: int
    """Seconds of all their runs together."""
    longest: Demand


def _classes(demands: Iterable[Demand]) -> dict[int, _Class]:
    """The classes by interval, ascending."""
    groups: dict[int, list[Demand]] = defaultdict(list)
    for d in demands:
        groups[d.interval].append(d)
    return {
        t: _Class(
            t,
            [d.name for d in groups[t]],
            sum(d.duration for d in groups[t]),
            max(groups[t], key=lambda d: d.duration),
        )
        for t in sorted(groups)
    }


def _in_and_beyond(classes: Mapping[int, _Class], t: int) -> tuple[list[_Class], list[_Class]]:
    """The classes that come a whole number of times in t seconds, and those that t does in theirs."""
    return (
        [c for c in classes.values() if t % c.interval == 0],
        [c for c in classes.values() if c.interval % t == 0 and c.interval > t],
    )


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
    found += _few(_pinned_clashes(demands), limit, "more pins that overlap")
    pairs = impossible_pairs(demands)
    found += _few(
        [_pair_sentence(demands[i], demands[j]) for i, j in pairs],
        limit,
        "more pairs that can't avoid each other",
    )
    found += _overfull(demands)
    return found


def _few(sentences: Sequence[str], limit: int, more: str) -> Iterator[str]:
    """The first of them, and how many more there are."""
    yield from sentences[:limit]
    if len(sentences) > limit:
        least = "at least " if len(sentences) >= MOST_PAIRS else ""
        yield f"... and {least}{len(sentences) - limit} {more}."


def _pair_sentence(a: Demand, b: Demand) -> str:
    g = gcd(a.interval, b.interval)
    return (
        f"{a.name} (every {format_duration(a.interval)}, {format_duration(a.duration)}) and {b.name} "
        f"(every {format_duration(b.interval)}, {format_duration(b.duration)}) can't avoid each other: their intervals "
        f"bring them within {format_duration(g)} of each other whatever their phases, and together they "
        f"take {format_duration(a.duration + b.duration)}."
    )


def _pinned_clashes(demands: Sequence[Demand]) -> list[str]:
    pinned = {d.name: d for d in demands if d.pinned}
    pairs = certify([Slot.of(d, d.wish or 0) for d in pinned.values()]).collisions
    return [
        f"{a.name} and {b.name} are pinned where they overlap "
        f"(at {format_duration(a.wish or 0)} and {format_duration(b.wish or 0)} of their intervals): "
        f"move one pin."
        for a, b in ((pinned[one], pinned[other]) for one, other in pairs)
        if a.duration + b.duration <= gcd(a.interval, b.interval)
    ]


def _overfull(demands: Sequence[Demand]) -> list[str]:
    found = []
    classes = _classes(demands)
    for t in classes if len(classes) <= _COMPARED else ():
        inside, beyond = _in_and_beyond(classes, t)
        count = sum(len(c.names) for c in inside)
        need = sum(t // c.interval * c.need for c in inside)
        if need > t or count < 2:
            if need > t and count > 1:
                members = {c.interval for c in inside}
                first = islice((d.name for d in demands if d.interval in members), 5)
                names = ", ".join(first)
                found.append(
                    f"The {format_duration(t)} class is overfull: {count} jobs ({names}"
                    f"{', ...' if count > 5 else ''}) need {format_duration(need)} of every {format_duration(t)}."
                )
                break
            continue
        long = max((c.longest for c in beyond), key=lambda d: d.duration, default=None)
        if long is not None and need + long.duration > t:
            found.append(
                f"The {format_duration(t)} class is overfull: its jobs need {format_duration(need)} of every {format_duration(t)}, "
                f"and {long.name} (every {format_duration(long.interval)}) needs {format_duration(long.duration)} in one "
                f"piece beside them."
            )
            break
    return found
