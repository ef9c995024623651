"""What is known of the runs that ended: those of this start, and those of before."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from muxd.ended import EndedRuns
from muxd.record import Outcome, Record

NOON = 1_704_110_400.0  # 2024-01-01T12:00:00Z


def ended(run_id, at, outcome=Outcome.ok, job="a"):
    times = {"released_at": at, "started_at": at - 1, "ended_at": at}
    return Record(id=run_id, job=job, outcome=outcome, **times)


def test_what_was_before_may_be_known_late():
    """Runs that ended meanwhile count once, are newer than all before them, and stay the newest."""
    past = EndedRuns()
    past.add(ended("9", NOON + 5, Outcome.failed))
    past.before(
        NOON,
        today={Outcome.ok: 3, Outcome.failed: 1},
        failures=[ended("2", NOON - 5, Outcome.crashed), ended("1", NOON - 9, Outcome.empty)],
        newest=[
            ended("4", NOON - 1),
            ended("3", NOON - 2, job="b"),
            ended("0", NOON - 9, Outcome.failed, "b"),
        ],
    )
    assert {k: v for k, v in past.today(NOON + 6).items() if v} == {"ok": 3, "failed": 2}
    assert [run.id for run in past.failures] == ["9", "2", "1"]
    assert (past.last_of("a").id, past.last_of("b").id) == ("9", "3")
    assert past.last_of("nobody") is None
    assert past.counts[Outcome.failed] == 1


def test_a_day_that_is_over_is_not_today():
    """What is known too late, after midnight, counts for nothing today."""
    past = EndedRuns()
    past.add(ended("9", NOON + 86_400))
    past.before(NOON, today={Outcome.ok: 3}, failures=[], newest=[])
    assert past.today(NOON + 86_400)[Outcome.ok] == 1


def test_a_day_is_that_of_the_wall_clock():
    """It begins at midnight of the zone, on a day of 23 hours too."""
    zone = ZoneInfo("Europe/Berlin")
    past = EndedRuns()
    past.local = lambda instant: datetime.fromtimestamp(instant, zone)
    spring = datetime(2024, 3, 31, 12, tzinfo=zone).timestamp()
    assert past.midnight(spring) == datetime(2024, 3, 31, tzinfo=zone).timestamp()
    assert spring - past.midnight(spring) == 11 * 3600
    past.add(ended("1", past.midnight(spring) - 1))
    past.add(ended("2", past.midnight(spring)))
    assert past.today(spring)[Outcome.ok] == 1


def test_only_the_last_failures_are_kept():
    """Five, the newest first; what was cancelled, cut off or passed over is none."""
    past = EndedRuns()
    for number, outcome in enumerate([*Outcome, *[Outcome.timed_out] * 4]):
        past.add(ended(str(number), NOON + number, outcome))
    assert [run.outcome for run in past.failures] == [Outcome.timed_out] * 4 + [Outcome.crashed]
