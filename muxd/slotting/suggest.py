"""What to change so that an impossible set fits: few, small changes, each checked by packing."""

from __future__ import annotations

from math import gcd, log
from typing import TYPE_CHECKING

import attrs

from muxd.units import format_duration

from .pack import Packer
from .problem import Problem
from .squeeze import culprits
from .why import gap_ceiling, utilisation

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from .demand import Demand
    from .steps import Steps

__all__ = ["Change", "fits", "suggest", "suggestion"]

_DAY = 86_400
# Divisors of a day that people use: whole minutes, below ten minutes halves too.
_NICE = [d for d in range(30, _DAY + 1, 30) if _DAY % d == 0 and (d < 600 or d % 60 == 0)]
_FEWEST = 24
"""More changes than this are no suggestion any more."""


@attrs.frozen(kw_only=True)
class Change:
    """One job with another interval, or a shorter duration."""

    name: str
    interval: int | None = None
    """The interval to give it, seconds; None: as it is."""
    duration: int | None = None
    """The duration to bring it down to, seconds; None: as it is."""

    def apply(self, demand: Demand) -> Demand:
        """The demand as it would be."""
        if self.interval is not None:
            demand = attrs.evolve(demand, interval=self.interval)
        if self.duration is not None:
            demand = attrs.evolve(demand, duration=self.duration)
        return demand

    def words(self, demand: Demand) -> str:
        """For people: the job and what to change."""
        if self.interval is not None:
            new, old = format_duration(self.interval), format_duration(demand.interval)
            return f"{demand.name} every {new} instead of {old}"
        new, old = format_duration(self.duration or 0), format_duration(demand.duration)
        return f"{demand.name} in {new} instead of {old}"


def fits(demands: Sequence[Demand], steps: Steps, *, attempts: int = 8) -> bool:
    """Whether a timetable without collisions was found; False may also mean: not in time."""
    if gap_ceiling(demands) < 0:
        return False
    problem = Problem.of(demands)
    packer = Packer(problem.periods, problem.pinned)
    return any(
        steps.left > 0 and packer.attempt(problem.durations, steps, number) is not None
        for number in range(attempts)
    )


def suggest(demands: Sequence[Demand], steps: Steps) -> list[Change]:
    """Changes that together make the set fit, or none if no short list was found.

    Intervals are changed to near ones that share large divisors with the others: the divisors of
    a day, and intervals that other jobs have. First the jobs that can't avoid some other job get
    one; then, where it is still too full, jobs are slowed down, the least important and heaviest
    first. Changes that prove unnecessary are taken back.
    """
    changes: dict[int, Change] = {}
    current = list(demands)
    open_cases = culprits(demands)
    for slot in sorted(open_cases, key=lambda i: (current[i].interval, i)):
        if len(changes) >= _FEWEST or steps.left <= 0:
            return []
        for change in _candidates(current, slot):
            trial = change.apply(current[slot])
            if not _meets_impossibly(trial, current, open_cases):
                current[slot], changes[slot] = trial, change
                open_cases.discard(slot)
                break
        steps.spend(len(demands) * 10)
    while not fits(current, steps):
        if len(changes) >= _FEWEST or steps.left <= 0 or not _slow_down(current, changes, steps):
            return []
    for slot in sorted(changes):
        without = [*current]
        without[slot] = demands[slot]
        if fits(without, steps, attempts=4):
            current = without
            del changes[slot]
    return [changes[slot] for slot in sorted(changes)]


def suggestion(demands: Sequence[Demand], steps: Steps) -> str | None:
    """`suggest` as one sentence."""
    changes = suggest(demands, steps)
    if not changes:
        return None
    by_name = {d.name: d for d in demands}
    words = [change.words(by_name[change.name]) for change in changes]
    return f"Checked: with {_listed(words)}, nothing collides."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _candidates(demands: Sequence[Demand], slot: int) -> Iterator[Change]:
    """Other intervals for one job, the nearest first; slower before faster at the same distance."""
    demand = demands[slot]
    own = demand.interval
    known = {d.interval for d in demands} | set(_NICE) | {k * _DAY for k in range(2, 31)}
    near = [t for t in known if own / 2 <= t <= 2 * own and t != own and t >= demand.duration]
    near.sort(key=lambda t: (abs(log(t / own)) + (0.05 if t < own else 0.0), t))
    for interval in near:
        yield Change(name=demand.name, interval=interval)


def _meets_impossibly(trial: Demand, demands: Sequence[Demand], but: Container[int]) -> bool:
    return any(
        trial.duration + other.duration > gcd(trial.interval, other.interval)
        for i, other in enumerate(demands)
        if i not in but
    )


def _slow_down(current: list[Demand], changes: dict[int, Change], steps: Steps) -> bool:
    """Give one more job a longer interval: one that makes it fit if there is one."""
    order = sorted(
        range(len(current)),
        key=lambda i: (current[i].priority, -current[i].duration / current[i].interval, i),
    )
    best: tuple[float, int, Change] | None = None
    for slot in order:
        longer = [
            c
            for c in _candidates(current, slot)
            if c.interval and c.interval > current[slot].interval
        ]
        for number, change in enumerate(longer):
            trial = change.apply(current[slot])
            if _meets_impossibly(trial, current, (slot,)):
                continue
            relieved = current[slot].duration / current[slot].interval
            relieved -= trial.duration / trial.interval
            rank = relieved / max(1, current[slot].weight)
            if best is None or rank > best[0]:
                best = rank, slot, change
            rest = [*current[:slot], trial, *current[slot + 1 :]]
            if number < 4 and utilisation(rest) <= 1 and fits(rest, steps, attempts=2):
                current[slot], changes[slot] = trial, change
                return True
            if steps.left <= 0:
                return False
    if best is None:
        return False
    _, slot, change = best
    current[slot] = change.apply(current[slot])
    changes[slot] = change
    return True
