"""What becomes of releases whose time passed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from muxd import Job, Misfire
from muxd.misfire import MOST_CATCH_UPS, MOST_RECORDS, Backlog, Overdue, sort_out
from muxd.release import Cause, Release


async def body(run):
    """Do nothing."""


@st.composite
def stretches(draw: st.DrawFn) -> list[range]:
    """One or more ascending ranges, none empty."""
    interval = draw(st.integers(1, 1000))
    found, start = [], draw(st.integers(0, 10_000))
    for length in draw(st.lists(st.integers(1, 200), min_size=1, max_size=4)):
        found.append(range(start, start + length * interval, interval))
        start = found[-1].stop + draw(st.integers(0, interval))
    return found


@given(st.sampled_from(Misfire), stretches(), st.integers(0, 100_000))
def test_every_release_goes_one_way(
    policy: Misfire, passed: list[range], on_time_from: int
) -> None:
    """On time, caught up with, missed, or counted: each in one of them, the newest first served."""
    verdict = sort_out(policy, passed, on_time_from=on_time_from)
    every = [instant for stretch in passed for instant in stretch]
    assert verdict.newest == every[-1]
    on_time = [] if verdict.on_time is None else [verdict.on_time]
    assert on_time == ([every[-1]] if every[-1] >= on_time_from else [])
    listed = [*verdict.missed, *verdict.catch_up, *on_time]
    unlisted = 0 if verdict.unlisted is None else len(verdict.unlisted)
    assert listed == every[unlisted:]
    if verdict.unlisted is not None:
        assert verdict.unlisted.start == every[0]
        assert len(verdict.missed) == MOST_RECORDS


@given(stretches())
def test_how_many_are_caught_up_with(passed: list[range]) -> None:
    """One for ``run_once``, none for ``skip``, a day's worth of hourly ones for ``all``."""
    total = sum(map(len, passed))
    late = passed[-1][-1] + 1
    counts = {p: len(sort_out(p, passed, on_time_from=late).catch_up) for p in Misfire}
    assert counts == {"run_once": 1, "skip": 0, "all": min(total, MOST_CATCH_UPS)}


@given(stretches())
def test_a_newest_that_is_on_time_stands_for_the_late_ones(passed: list[range]) -> None:
    """``run_once`` runs once."""
    verdict = sort_out(Misfire.run_once, passed, on_time_from=passed[-1][-1])
    assert (verdict.on_time, verdict.catch_up) == (passed[-1][-1], ())


def overdue(name: str, interval: str, since: float, **fields) -> Overdue:
    job = Job(name, body, interval=interval, **fields)
    release = Release(id=f"{name} {since}", job=job, released_at=since, cause=Cause.catch_up)
    return Overdue(release=release, instant=since, since=since)


def test_the_most_overdue_for_its_interval_comes_first() -> None:
    """An hourly job of two hours ago before a daily one of yesterday, at any time of asking."""
    backlog = Backlog()
    backlog.add(
        overdue("daily", "1d", -86_400.0),
        overdue("hourly", "1h", -7200.0),
        overdue("often", "1m", -600.0),
    )
    assert [backlog.take(0).job.name for _ in range(3)] == ["often", "hourly", "daily"]
    assert len(backlog) == 0
    assert backlog.take(0) is None


def test_of_equally_overdue_ones_the_higher_priority_comes_first() -> None:
    """Then the name, so that the order is the same each time."""
    backlog = Backlog()
    backlog.add(
        overdue("c", "1h", 0.0),
        overdue("b", "1h", 0.0),
        overdue("d", "1h", 0.0, priority="high"),
    )
    assert [backlog.take(50).job.name for _ in range(3)] == ["d", "b", "c"]


def test_of_one_job_the_oldest_comes_first() -> None:
    """``all`` is caught up with in the order of time; a job can be taken out as a whole."""
    backlog = Backlog()
    backlog.add(*(overdue("a", "1h", n * 3600.0) for n in (2, 0, 1)), overdue("b", "1h", 0.0))
    assert len(backlog.withdraw("b")) == 1
    instants = [backlog.take(9999).instant for _ in range(3)]
    assert all(earlier < later for earlier, later in pairwise(instants))
