"""What the records say together, of however many."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from muxd import statistics
from muxd.record import Outcome
from muxd.statistics import Summary

NOON = 1_795_521_600_000_000


def rows(count, jobs=1, spread=1e7):
    """Newest first: each run takes another time, evenly up to `spread` microseconds."""
    rng = random.Random(1)
    for number in range(count):
        took = 100_000 + int(rng.random() * spread)
        yield f"job{number % jobs}", "ok", NOON - number * 1_000_000, took, took // 7, str(number)


def test_percentiles_stay_near_the_truth_when_there_are_many(monkeypatch):
    """Where there is no room for each value, they are within 1 %."""
    monkeypatch.setattr(statistics, "TOLD_APART", 4000)
    summary, told = Summary(), list(rows(20_000))
    for at in range(0, len(told), 500):
        summary.add(told[at : at + 500])
    (job,) = summary.result().jobs.values()
    taken = sorted(took / 1e6 for *_, took, _, _ in told)
    assert job.duration.p50 == pytest.approx(taken[9999], rel=0.01)
    assert job.duration.p95 == pytest.approx(taken[18999], rel=0.01)
    assert job.lateness.p95 == pytest.approx(taken[18999] / 7, rel=0.01)
    assert job.runs == 20_000


def test_memory_does_not_grow_with_the_records(monkeypatch):
    """Ten times as many records take no more room than a tenth more, of any number of jobs."""
    monkeypatch.setattr(statistics, "TOLD_APART", 2000)

    def peak(count):
        summary = Summary()
        tracemalloc.start()
        batch = []
        for row in rows(count, jobs=20):
            batch.append(row)
            if len(batch) == 250:
                summary.add(batch)
                batch.clear()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sum(job.runs for job in summary.result().jobs.values()) == count
        return most

    assert peak(20_000) < 1.3 * peak(4000) + 200_000


def test_very_many_jobs_are_no_endless_search_for_room(monkeypatch):
    """Where even the coarsest steps are too many, they are kept all the same."""
    monkeypatch.setattr(statistics, "TOLD_APART", 100)
    summary = Summary()
    for number in range(1000):
        summary.add([(f"job{number}", "ok", NOON - number, 2_000_000, 0, str(number))])
    found = summary.result()
    assert len(found.jobs) == 1000
    assert all(1 < job.duration.p50 < 4 for job in found.jobs.values())
    assert all(job.lateness.p50 == 0 for job in found.jobs.values())


def test_a_trend_covers_any_time():
    """From a minute to centuries it has 24 stretches at most, and loses no run."""
    summary, at = Summary(), NOON
    for number in range(40):
        summary.add([("a", "ok", at, 1, 1, str(number))])
        at -= 60_000_000 * 2**number
    (job,) = summary.result().jobs.values()
    assert 12 <= len(job.trend) <= 24
    assert sum(part.runs for part in job.trend) == 40
    assert job.trend[0].runs == 1


def test_for_programs():
    """The keys of the JSON document, seconds and instants."""
    summary = Summary()
    summary.add(
        [
            ("a", "failed", NOON, 2_500_000, 250_000, "2"),
            ("a", "missed", NOON - 1_000_000, None, None, "1"),
        ]
    )
    assert summary.result().as_dict() == {
        "since": "2026-11-24T11:59:00.000001Z",
        "until": "2026-11-24T12:00:00.000001Z",
        "width": 60.0,
        "jobs": [
            {
                "job": "a",
                "runs": 1,
                "passed_over": 1,
                "ok_share": 0.0,
                "by_outcome": {"failed": 1, "missed": 1},
                "first_at": "2026-11-24T11:59:59.000000Z",
                "last_at": "2026-11-24T12:00:00.000000Z",
                "last": Outcome.failed.value,
                "duration": {"p50": 2.5, "p95": 2.5},
                "lateness": {"p50": 0.25, "p95": 0.25},
                "trend": [{"runs": 1, "ok": 0, "duration": 2.5}],
            }
        ],
    }
    nothing = Summary().result()
    assert nothing.as_dict() == {"since": None, "until": None, "width": 60.0, "jobs": []}
