"""Who starts in the same minute now."""

from __future__ import annotations

from collections import Counter
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from sets import demand, statement

from muxd.slotting.baselines import all_at_zero
from muxd.slotting.crontab import parse_crontab
from muxd.slotting.crowding import Crowd, crowding_of_crontab, crowding_of_jobs

MONDAY = date(2026, 11, 23)


def crowding(text, days=7, first=MONDAY):
    return crowding_of_crontab(parse_crontab(text, "tab", "user").entries, first, days)


def test_starts_that_share_their_minute_are_counted():
    """Each start in a minute with another's counts; the groups are told worst first."""
    found = crowding("0 * * * * a\n0 */12 * * * b\n0,30 0 * * 1 c\n5 5 * * 6,0 d\n")
    assert found.starts == 7 * 24 + 7 * 2 + 2 + 2
    # On Monday at 0:00 three meet, on the other days at 0:00 and on all at 12:00 two.
    assert found.sharing == 3 + 6 * 2 + 7 * 2
    assert found.share == found.sharing / found.starts
    assert found.peak == 3
    assert found.crowds == (
        Crowd(minute=0, names=("a", "b", "c"), days=1),
        Crowd(minute=720, names=("a", "b"), days=7),
        Crowd(minute=0, names=("a", "b"), days=6),
    )
    assert (found.most[0], found.most[30], found.most[305], 31 in found.most) == (3, 1, 1, False)


def test_one_job_alone_shares_with_nobody():
    """A job that starts every minute meets no other; nor does one by itself twice in a minute."""
    assert crowding("* * * * * a").sharing == 0
    found = crowding_of_jobs([demand("a", 20, 5)], {"a": 3}, 1)
    assert (found.starts, found.sharing, found.peak, found.crowds) == (4320, 0, 1, ())


def test_an_empty_crontab():
    """Nothing starts, nothing is shared."""
    found = crowding("")
    assert (found.starts, found.share, found.peak, found.crowds, found.most) == (0, 0, 0, (), {})


def test_the_sixteen_jobs_from_zero():
    """At the full hour all that are due meet, all sixteen at midnight."""
    found = crowding_of_jobs(statement(), all_at_zero(statement()), 1)
    assert found.peak == 16
    assert len(found.crowds[0].names) == 16
    assert found.crowds[0].minute == 0
    assert found.share > 0.8


jobs = st.lists(st.tuples(st.integers(30, 9000), st.integers(0, 9000)), min_size=1, max_size=6)


@given(jobs)
@settings(deadline=None, max_examples=30)
def test_it_is_the_same_as_counting(rows):
    """On any jobs the numbers are those of a plain list of all starts."""
    demands = [demand(f"j{i}", t, 1) for i, (t, _) in enumerate(rows)]
    phases = {f"j{i}": p % t for i, (t, p) in enumerate(rows)}
    found = crowding_of_jobs(demands, phases, 2)
    starts = [
        (instant // 60, d.name)
        for d in demands
        for instant in range(phases[d.name], 2 * 86_400, d.interval)
    ]
    jobs_in = Counter(minute for minute, _ in set(starts))
    assert found.starts == len(starts)
    assert found.sharing == sum(jobs_in[minute] > 1 for minute, _ in starts)
    assert found.peak == max(jobs_in.values())
    assert sum(crowd.days for crowd in found.crowds) == sum(n > 1 for n in jobs_in.values())
