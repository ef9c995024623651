"""Thousands of jobs: placed rather than arranged, and no less true."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sets import demand

from muxd.slotting import certify, solve
from muxd.slotting.cover import cover
from muxd.slotting.problem import MANY
from muxd.slotting.rule import MOST_PAIRS

HOUR, DAY = 3600, 86_400


def many(count=MANY + 200, seed=1):
    """Jobs of five intervals, which take a third of the time, some with a wish."""
    random = Random(seed)
    found = []
    for number in range(count):
        interval = random.choices((HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY), (0.5, 5, 20, 60, 15))[
            0
        ]
        wish = random.randrange(interval) if number % 5 == 0 else None
        seconds = random.choice((2, 3, 5))
        found.append(demand(f"j{number:05}", interval, seconds, preferred_phase=wish))
    return found


@pytest.fixture(scope="module")
def planned():
    demands = many()
    return demands, solve(demands)


def test_thousands_of_jobs_do_not_collide(planned):
    """Each has a slot, there is a gap between all, and half of the wishes come true."""
    demands, table = planned
    assert table.feasible
    assert table.min_gap > 0
    assert not table.warnings
    assert [slot.name for slot in table.slots] == [d.name for d in demands]
    off = sorted(slot.moved for slot in table.slots if slot.preferred_phase is not None)
    assert off[len(off) // 2] <= 10


def test_newcomers_move_nobody(planned):
    """A restart with ten jobs more keeps every phase, and finds the ten a place."""
    demands, table = planned
    more = [*demands, *(demand(f"new{number}", DAY, 5) for number in range(10))]
    after = solve(more, fixed=table.phases)
    assert after.feasible
    assert after.moved == ()
    assert {d.name: after.phases[d.name] for d in demands} == table.phases


def test_few_move_where_runs_have_become_longer(planned):
    """Jobs whose slots collide now find another place; the others stay."""
    demands, table = planned
    outgrown = [d.name for d in demands if d.interval == DAY][:3]
    longer = [
        demand(d.name, d.interval, d.duration + (60 if d.name in outgrown else 0)) for d in demands
    ]
    after = solve(longer, fixed=table.phases)
    assert after.feasible
    assert 1 <= len(after.moved) <= 30


def test_many_intervals_that_share_no_divisor_are_told(planned):
    """Every job has a phase, and what is said of collisions is bounded and true."""
    random = Random(3)
    demands = [demand(f"j{n:05}", random.randrange(HOUR, 2 * DAY), 2) for n in range(MANY + 1)]
    table = solve(demands)
    assert len(table.slots) == len(demands)
    assert len(table.collisions) == MOST_PAIRS
    assert table.certificate.more
    assert "can't avoid each other" in table.warnings[0]
    assert "at least" in table.warnings[-1]


def test_more_than_all_of_the_time_is_told():
    """A hundred times too much has its warning; every job has a phase all the same."""
    table = solve([demand(f"j{n:05}", HOUR, 150) for n in range(MANY + 1)])
    assert len(table.slots) == MANY + 1
    assert not table.feasible
    assert "All jobs together ask for" in table.warnings[0]


def test_a_plan_for_thousands_is_the_same_each_time(planned):
    """Same jobs, same phases."""
    demands, table = planned
    assert solve(list(demands)).phases == table.phases


pairs = st.sets(
    st.tuples(st.integers(0, 12), st.integers(0, 12))
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: (min(pair), max(pair)))
)


@given(pairs)
def test_a_cover_leaves_no_pair_and_takes_the_worst_first(given):
    """As taking the one of most pairs, of equals the lowest, again and again does."""
    left, expected = set(given), set()
    while left:
        members = [i for pair in left for i in pair]
        worst = min(members, key=lambda i: (-members.count(i), i))
        expected.add(worst)
        left = {pair for pair in left if worst not in pair}
    assert cover(given, lambda i, count: (-count, i)) == expected


@given(pairs)
def test_what_is_not_to_be_taken_stays(given):
    """A pair of two such is left."""
    found = cover(given, lambda i, count: None if i % 2 else (-count, i))
    assert all(i % 2 == 0 for i in found)
    assert all(found & set(pair) for pair in given if not (pair[0] % 2 and pair[1] % 2))


def test_the_certificate_names_a_tightest_pair():
    """The pair with the least time between its runs; none where there is one slot alone."""
    table = solve([demand("a", HOUR, 10), demand("b", HOUR, 10), demand("c", DAY, 10)])
    closest = certify(table.slots).tightest
    assert closest is not None
    rest = [slot for slot in table.slots if slot.name in closest]
    assert certify(rest).min_gap == table.min_gap
    assert certify(table.slots[:1]).tightest is None
