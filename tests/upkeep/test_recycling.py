"""Browsers are replaced in time, in gaps; no run waits for it where that can be helped."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from town import MB, MONDAY, Town, a_job

from muxd.civil import Calendar
from muxd.events import BrowserDown
from muxd.gaps import first_free
from muxd.record import Outcome
from muxd.recycling import LEAST_RELAUNCH, MEASURED_EVERY, Limits, relaunch_time

HOUR, DAY = 3600, 86_400
UTC = Calendar(ZoneInfo("UTC"))


# What is due


@pytest.mark.parametrize(
    ("facts", "reason", "overdue"),
    [
        ({"runs": 99}, None, None),
        ({"runs": 100}, "100 runs", False),
        ({"runs": 199}, "199 runs", False),
        ({"runs": 200}, "200 runs", True),
        ({"age": 3599.0}, None, None),
        ({"age": 3600.0}, "1h old", False),
        ({"age": 7200.0}, "2h old", True),
        ({"memory": 999 * MB}, None, None),
        ({"memory": 1000 * MB}, "1 GB", False),
        ({"memory": 2000 * MB}, "2 GB", True),
        ({"memory": None}, None, None),
        ({"memory": 1100 * MB, "new": 740 * MB}, None, None),
        ({"memory": 1100 * MB, "new": 730 * MB}, "1.1 GB", False),
        ({"age": 3600.0, "memory": 1500 * MB}, "1.5 GB", False),
        ({"runs": 0, "age": 1e6, "memory": 9000 * MB}, None, None),
    ],
)
def test_what_makes_a_browser_due(facts, reason, overdue):
    """Runs, age or memory, whichever is passed by most; one that has run nothing never is."""
    limits = Limits(runs=100, age=3600.0, memory=1000 * MB)
    ripe = limits.ripe(**({"runs": 1, "age": 1.0, "memory": 1, "new": None} | facts))
    if reason is None:
        assert ripe is None
    else:
        assert (ripe.reason, ripe.overdue) == (reason, overdue)


def test_without_limits_a_browser_is_used_for_ever():
    """0 is never."""
    assert Limits().ripe(runs=10**9, age=1e12, memory=10**15, new=1) is None
    assert Limits().next_change(5.0) == math.inf


def test_age_changes_things_twice():
    """When it makes the browser due, and when it makes it overdue."""
    limits = Limits(age=100.0)
    assert [limits.next_change(age) for age in (0.0, 99.0, 100.0, 150.0, 200.0)] == [
        *(100.0, 1.0, 100.0, 50.0, math.inf)
    ]


def test_a_relaunch_is_taken_to_need_what_the_slow_ones_needed():
    """p95 of both parts, and never less than the least."""
    assert relaunch_time([], []) == LEAST_RELAUNCH
    assert relaunch_time([1.0], [0.2]) == LEAST_RELAUNCH
    assert relaunch_time([6.0] * 19 + [30.0], [2.0]) == 8.0
    assert relaunch_time([4.0, 8.0], [1.0, 2.0]) == 10.0


# Gaps


async def test_it_is_recycled_in_the_first_gap_that_is_long_enough(autojump_clock):
    """Not at once, not in the gap of 4 s: in the one of more than 5 s after it."""
    town = Town(
        a_job("a", "60s", "0s", duration="10s"),
        a_job("b", "60s", "14s", duration="10s"),
        limits=Limits(runs=3),
    )
    await town.live(119)
    (relaunch,) = town.relaunches()
    # a's run at 60 is the third: the gap of 4 s follows it, the long one follows b's
    assert relaunch == (pytest.approx(84, abs=1.1), pytest.approx(85.5, abs=1.1))
    (down, *_) = town.told(BrowserDown)
    assert (down.reason, down.retry_in) == ("recycled: 4 runs", 0)


async def test_a_gap_begins_where_the_run_has_ended_not_where_it_might(autojump_clock):
    """A short run ends within its slot: the timetable's gap is what can be relied on."""
    town = Town(a_job("a", "60s", "10s", duration="20s"), limits=Limits(runs=1))
    town.took["a"] = 1
    await town.live(59)
    ((since, until),) = town.relaunches()
    assert 30 <= since <= 31
    assert until <= 33


async def test_no_run_waits_for_it(autojump_clock):
    """Over three days with a recycling every five runs, every run is on time."""
    town = Town(
        a_job("a", "5m", "0s", duration="60s"),
        a_job("b", "5m", "2m", duration="100s"),
        a_job("c", "1h", "4m", duration="30s"),
        limits=Limits(runs=5),
        launch=8,
    )
    await town.live(3 * DAY)
    assert len(town.lives) > 300
    assert town.most_up == town.core.supervisor.most_at_once == 1
    records = [record for record in town.records() if record.lateness is not None]
    assert {record.outcome for record in records} == {Outcome.ok}
    assert max(record.lateness for record in records[1:]) < 0.1
    assert town.core.supervisor.recycled == len(town.lives) - 1


async def test_a_run_that_somebody_asks_for_is_not_in_the_way_of_the_next_gap(autojump_clock):
    """Nothing is recycled under a run; once it is over, the next gap is taken."""
    town = Town(a_job("a", "10m", "0s", duration="10s"), limits=Limits(runs=2))
    town.took["a"] = 5
    async with town.alive():
        await trio.sleep(606)  # a has run twice, the gap begins at 610
        town.took["a"] = 50
        release = await town.core.request("a")
        record = await town.core.book.wait_ended(release.id)
        assert record.outcome is Outcome.ok
        assert len(town.lives) == 1
        await trio.sleep(60)
        assert len(town.lives) == 2


async def test_what_comes_during_a_relaunch_runs_on_the_next_browser(autojump_clock):
    """Somebody asks in that very second: nothing is lost, and it runs once there is a browser."""
    town = Town(a_job("a", "10m", "0s", duration="10s"), limits=Limits(runs=1), launch=20)
    async with town.alive():
        while not (town.lives and town.lives[0].gone_from):  # noqa: ASYNC110 - in virtual time
            await trio.sleep(1)
        release = await town.core.request("a")
        record = await town.core.book.wait_ended(release.id)
    assert record.outcome is Outcome.ok
    assert record.browser_generation == 2
    assert 10 < record.lateness < 21


async def test_where_no_gap_is_long_enough_the_longest_is_taken(autojump_clock):
    """Runs are late by less than a relaunch, once a recycling."""
    town = Town(
        a_job("a", "60s", "0s", duration="27s"),
        a_job("b", "60s", "28s", duration="29s"),  # gaps of 1 s and of 3 s
        limits=Limits(runs=20),
        launch=7,
        close=1,
    )
    await town.live(2 * HOUR)
    assert len(town.lives) >= 8
    assert all(57 <= since % 60 <= 58.1 for since, _ in town.relaunches())


async def test_a_browser_long_overdue_waits_for_no_gap(autojump_clock):
    """Without any gap it is replaced between two runs, at twice its limit."""
    town = Town(
        a_job("a", "60s", "0s", duration="30s"),
        a_job("b", "60s", "30s", duration="30s"),
        limits=Limits(runs=10),
    )
    await town.live(HOUR)
    assert len(town.lives) >= 5
    assert all(record.outcome in (Outcome.ok, Outcome.interrupted) for record in town.records())
    downs = [event.reason for event in town.told(BrowserDown)]
    assert set(downs[:-1]) == {"recycled: 20 runs"}


async def test_it_is_recycled_for_its_memory(autojump_clock):
    """It is read after runs, at most once a minute; the reason says how much it was."""
    town = Town(
        a_job("a", "30s", "0s", duration="5s"),
        limits=Limits(memory=700 * MB),
    )
    town.growth = 40 * MB
    await town.live(HOUR)
    assert len(town.lives) > 5
    reasons = {event.reason for event in town.told(BrowserDown)[:-1]}
    assert reasons <= {f"recycled: {400 + 40 * n} MB" for n in (8, 9, 10)}
    assert town.readings <= HOUR / MEASURED_EVERY + 2 * len(town.lives)


async def test_a_limit_below_what_a_new_browser_takes_is_no_reason(autojump_clock):
    """It would be recycled for ever; it is recycled when it has grown by half."""
    town = Town(a_job("a", "60s", "0s", duration="5s"), limits=Limits(memory=100 * MB))
    await town.live(HOUR)
    assert len(town.lives) == 1
    assert town.core.recycler.memory == 400 * MB


async def test_it_is_recycled_for_its_age(autojump_clock):
    """Nothing has to happen for it to be noticed; and one that has run nothing is left alone."""
    town = Town(a_job("a", "1d", "1h", duration="5s"), limits=Limits(age=float(HOUR)))
    await town.live(DAY)
    # one run, at 1 h; then nothing for the rest of the day
    assert [round(life.up / HOUR, 1) for life in town.lives] == [0, 1]


async def test_after_a_sleep_of_the_machine_the_gap_is_looked_for_anew(autojump_clock):
    """The gap that was waited for is long over, and what is overdue goes first."""
    town = Town(
        a_job("a", "10m", "0s", duration="9m57s"),
        a_job("b", "1d", "12h", duration="1s"),
        limits=Limits(runs=1),
    )
    town.took["a"] = 30
    async with town.alive():
        await trio.sleep(700)
        town.clock.suspend(8 * HOUR + 17)
        await trio.sleep(DAY)
    late = [r.lateness for r in town.records("a") if r.cause == "slot" and r.lateness is not None]
    assert max(late[2:]) < 10


async def test_in_a_rehearsal_a_relaunch_is_as_long_as_it_really_is(autojump_clock):
    """At 60 times the speed 5 s are five minutes of the timetable."""
    town = Town(
        a_job("a", "30m", "0s", duration="10m"),
        a_job("b", "30m", "14m", duration="7m"),  # gaps of 4 and of 9 minutes
        limits=Limits(runs=2),
        speed=60,
    )  # its clock begins with the first browser, after a second
    town.took.update(a=5, b=3)
    await town.live(10 * 60)
    assert len(town.lives) > 5
    assert all(20.9 <= (since - 1) % 30 <= 22.2 for since, _ in town.relaunches())


async def test_stopping_stops_it(autojump_clock):
    """Told to stop while a gap is waited for, the core is down at once, the browser closed once."""
    town = Town(a_job("a", "10m", "0s", duration="9m"), limits=Limits(runs=2))
    with trio.fail_after(700):
        await town.live(650)
    assert len(town.lives) == 1
    assert town.up == 0


@st.composite
def timetables(draw):
    """A few pinned jobs that may collide, and seldom leave no gap at all."""
    jobs = []
    for name in draw(st.sampled_from(["a", "ab", "abc", "abcd"])):
        interval = draw(st.sampled_from([60, 90, 120, 300, 600]))
        jobs.append(
            a_job(
                name,
                interval,
                draw(st.integers(0, interval - 1)),
                duration=draw(st.integers(1, min(interval, 40))),
            )
        )
    return jobs


@pytest.mark.long
@settings(deadline=None, max_examples=8)
@given(timetables(), st.integers(1, 7), st.floats(0.5, 12), st.floats(0.1, 3), st.floats(0.05, 1.0))
def test_if_there_is_a_gap_no_release_falls_into_a_relaunch(jobs, runs, launch, close, share):
    """Whatever the timetable, while runs keep to their slots; and browsers are recycled at all."""
    town = Town(*jobs, limits=Limits(runs=runs), launch=launch, close=close)
    town.took.update({job["name"]: share * job["duration"] * 0.95 for job in jobs})

    async def main():
        with trio.fail_after(10 * HOUR):
            await town.live(2 * HOUR)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    supervisor, table = town.core.supervisor, town.first_timetable
    need = math.ceil(relaunch_time(supervisor.launches, supervisor.closes))
    gap = first_free(table, UTC, need, earliest=MONDAY + 60, until=MONDAY + HOUR)
    assert town.most_up == 1
    if gap is None or not table.feasible:
        return
    for since, until in town.relaunches()[1:]:  # the first knows not yet how long a close takes
        inside = [
            r.released_at - MONDAY
            for r in town.records()
            if since <= r.released_at - MONDAY < until - 0.001
        ]
        assert not inside, (since, until)
    made = sum(record.outcome is Outcome.ok for record in town.records())
    if made > 2 * runs + 20:
        assert supervisor.recycled >= 1
