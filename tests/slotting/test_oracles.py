"""What the solver finds beside what there is: all phases tried, and a constraint solver's proof."""

from __future__ import annotations

from random import Random

import attrs
import pytest
from cpsat import optimal_gap
from sets import demand, oracle_gap

from muxd.slotting import solve

pytestmark = pytest.mark.long

FAMILIES = {
    "tiny": (4, 6, 8, 12, 16, 24),
    "minutes": (60, 90, 120, 180, 240, 360),
    "usual": (300, 600, 900, 1200, 1800, 3600),
    "odd": (70, 84, 105, 140, 210, 420),
}
SEEDS = range(24)
QUICK = 30_000
"""Steps; what isn't the optimum with so few is solved with as many as a plan really gets."""


def random_set(family, seed):
    """Two to eight jobs, some pinned, that ask for a tenth to nine tenths of the time."""
    random = Random(f"{family} {seed}")
    intervals = [random.choice(FAMILIES[family]) for _ in range(random.randint(2, 8))]
    shares = [random.random() + 0.1 for _ in intervals]
    load = random.uniform(0.1, 0.9) / sum(shares)
    found = []
    for number, (interval, share) in enumerate(zip(intervals, shares, strict=True)):
        found.append(
            demand(
                f"j{number}",
                interval,
                max(1, min(interval, round(load * share * interval))),
                preferred_phase=random.choice((None, random.randrange(10_000))),
            )
        )
    pin = random.randrange(2 * len(found))
    if pin < len(found) and found[pin].wish is not None:
        found[pin] = attrs.evolve(found[pin], pinned=True)
    return found


def gap_of(table):
    return table.min_gap if table.feasible else -1


@attrs.frozen
class Case:
    """One set, the best gap that there is, and the one that was found; -1: collisions."""

    seed: int
    best: int
    found: int


@pytest.fixture(scope="module", params=FAMILIES)
def cases(request):
    found = []
    for seed in SEEDS:
        demands = random_set(request.param, seed)
        best = optimal_gap(demands)
        gap = gap_of(solve(demands, headroom=1, budget=QUICK))
        if gap != best:
            gap = gap_of(solve(demands, headroom=1))
        found.append(Case(seed, best, gap))
    return found


def test_feasible_exactly_when_there_is_a_proof(cases):
    """On all sets tried there is a timetable without collisions just when there can be one."""
    assert [case for case in cases if (case.best < 0) != (case.found < 0)] == []
    fit = sum(case.best >= 0 for case in cases)
    assert 0.2 < fit / len(cases) < 0.8, "the sets should be of both kinds"


def test_the_gap_is_within_a_second_of_the_proven_optimum(cases):
    """With all headroom asked for, in at least nine of ten sets; and never above it."""
    fit = [case for case in cases if case.best >= 0]
    assert [case for case in fit if case.found > case.best] == []
    off = [case for case in fit if case.found < case.best - 1]
    assert len(off) <= len(fit) / 10, off


@pytest.mark.parametrize("seed", range(20))
def test_the_oracles_agree(seed):
    """The constraint model says what trying every phase says, pins included."""
    demands = random_set("tiny", seed)
    assert optimal_gap(demands) == oracle_gap(demands)
