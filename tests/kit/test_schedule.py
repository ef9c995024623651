"""``muxd_clock``: a week of the real core in virtual time."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
import trio

from muxd import Job
from muxd.errors import UserError


async def never(_run):
    raise AssertionError("the bodies of jobs are not run")


def job(name="prices", **fields):
    return Job(name, never, **({"interval": "1h", "duration": "20s"} | fields))


def test_a_week(muxd_clock):
    """Each release of a week is there, ok, an interval from the last, and no two runs overlap."""
    hourly, other = job(preferred_phase="7m"), job("other", interval="30m")
    week = muxd_clock.run(hourly, other)
    assert len(week.of(hourly, "ok")) == 7 * 24
    assert len(week.of("other", "ok")) == len(week.of("other")) == 7 * 48
    times = week.times(hourly)
    assert {time.minute for time in times} == {7}
    assert {b - a for a, b in pairwise(times)} == {timedelta(hours=1)}
    runs = sorted(week.records, key=lambda record: record.started_at)
    assert all(a.ended_at <= b.started_at for a, b in pairwise(runs))


def test_bodies_of_the_test(muxd_clock):
    """A body that fails is tried again as the job says, in virtual time."""

    async def third_time_lucky(run):
        await trio.sleep(10)
        if run.attempt < 3:
            raise ConnectionError("not yet")
        return "done"

    prices = job(retries=2)
    day = muxd_clock.run(prices, days=1, bodies={"prices": third_time_lucky})
    assert [r.outcome.value for r in day.of(prices)] == ["failed", "failed", "ok"] * 24
    first, second, third = day.of(prices)[:3]
    assert (third.attempt, third.first_id, third.result) == (3, first.id, "done")
    assert second.released_at - first.ended_at >= 20
    assert first.duration == pytest.approx(10, abs=0.1)


def test_a_timeout(muxd_clock):
    """The deadline of a run is kept: what sleeps for ever is timed out."""

    async def stuck(_run):
        await trio.sleep_forever()

    hour = muxd_clock.run(job(timeout="90s"), days=1 / 24, bodies={"prices": stuck})
    (record,) = hour.of("prices")
    assert record.outcome == "timed_out"
    assert 90 <= record.duration <= 100


def test_summer_time(muxd_clock):
    """A daily job keeps its hour on the day when the clocks change."""
    daily = job(interval="1d", preferred_phase="7h")
    days = muxd_clock.run(daily, days=3, start="2024-03-30", timezone="Europe/Berlin").times(daily)
    assert [(time.date(), time.hour) for time in days] == [
        (date(2024, 3, day), 7) for day in (30, 31)
    ] + [(date(2024, 4, 1), 7)]


async def test_within_trio(muxd_clock):
    """It can be used in a test that trio runs, and gives the same each time."""
    assert muxd_clock.run(job(), days=1) == muxd_clock.run(job(), days=1)


def test_what_is_wrong_is_told(muxd_clock):
    """Mistakes in a test are told with their remedy, and so is a timetable that can't be."""
    with pytest.raises(ValueError, match="at least one job"):
        muxd_clock.run()
    with pytest.raises(ValueError, match="there is no job 'price'; did you mean 'prices'"):
        muxd_clock.run(job(), bodies={"price": never})
    with pytest.raises(ValueError, match="days=0 is not possible"):
        muxd_clock.run(job(), days=0)
    with pytest.raises(ValueError, match="'prices' is no job: give what"):
        muxd_clock.run("prices")
    for start in ("yesterday", "2024-03-31T00:00+02:00"):
        with pytest.raises(ValueError, match="is not possible: give a day, '2024-03-31'"):
            muxd_clock.run(job(), start=start)
    with pytest.raises(ValueError, match="there is no time zone 'Berlin'"):
        muxd_clock.run(job(), timezone="Berlin")
    with pytest.raises(UserError, match="ask for"):
        muxd_clock.run(job(interval="30s"), job("other", interval="30s"), days=1)
    with pytest.raises(KeyError, match="there is no run of 'pries'; did you mean 'prices'"):
        muxd_clock.run(job(), days=1).of("pries")
