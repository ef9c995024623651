"""The law of `muxd.abc.Store.statistics`, as tests: a part of `StoreContract`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import trio

from muxd.record import CUT_OFF, Outcome, Record
from muxd.statistics import Stretch, Summary, row_of
from muxd.testing.prune_contract import NOON, ended, record

if TYPE_CHECKING:
    from muxd.abc import Store

__all__ = ["StatisticsContract"]


def _run(number: int, job: str, took: float, late: float = 0.5, **fields: Any) -> Record:
    """A run that ended so many minutes after noon."""
    end = NOON + 60 * number
    own = {"released_at": end - took - late, "started_at": end - took, "ended_at": end}
    return ended(f"{job}{number:04}", job=job, **(own | fields))


class StatisticsContract:
    """What the records of a time say together."""

    deadline: float

    @pytest.mark.trio
    async def test_what_the_records_say_of_each_job(self, store: Store) -> None:
        """Counts by outcome, and percentiles of what took time; what did not run is told apart."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    *(_run(n, "a", took=float(n), late=n / 10) for n in range(1, 101)),
                    _run(101, "a", 1.0, outcome=Outcome.failed),
                    record("m", job="a", released_at=NOON, outcome=Outcome.missed),
                    _run(7, "b", 2.0, outcome=Outcome.timed_out),
                    _run(8, "b", 900.0, outcome=Outcome.interrupted, error_type=CUT_OFF),
                    _run(9, "b", -3.0),
                    record("c", job="c", released_at=NOON, outcome=Outcome.coalesced),
                    record("w", job="d"),
                )
                found = await opened.statistics()
        assert list(found.jobs) == ["a", "b", "c"]
        a, b, c = found.jobs.values()
        assert dict(a.by_outcome) == {Outcome.ok: 100, Outcome.failed: 1, Outcome.missed: 1}
        assert (a.runs, a.passed_over) == (101, 1)
        assert a.ok_share == pytest.approx(100 / 101)
        assert (a.first_at, a.last_at, a.last) == (NOON, NOON + 6060, Outcome.failed)
        assert a.duration is not None
        assert (a.duration.p50, a.duration.p95) == (50, 95)
        assert a.lateness is not None
        assert a.lateness.p50 == pytest.approx(5.0)
        assert a.lateness.p95 == pytest.approx(9.5)
        # Nobody saw the end of the second, and in the third time ran backwards.
        assert b.duration is not None
        assert (b.duration.p50, b.duration.p95) == (2, 2)
        assert b.lateness is not None
        assert b.runs == 3
        assert b.lateness.p95 == pytest.approx(0.5)
        assert (c.runs, c.passed_over, c.ok_share) == (0, 1, None)
        assert c.duration is c.lateness is None

    @pytest.mark.trio
    async def test_statistics_of_a_time_and_a_job(self, store: Store) -> None:
        """From an instant on, up to one and without it, as in `history`; of nothing, nothing."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                assert (await opened.statistics()).jobs == {}
                await opened.write(*(_run(n, "ab"[n % 2], 1.0) for n in range(10)))

                async def runs(**given: Any) -> dict[str, int]:
                    told = await opened.statistics(**given)
                    return {name: job.runs for name, job in told.jobs.items()}

                assert await runs() == {"a": 5, "b": 5}
                assert await runs(since=NOON + 120, until=NOON + 300) == {"a": 2, "b": 1}
                assert await runs(job="b", since=NOON + 120) == {"b": 4}
                assert await runs(job="nobody") == {}
                assert await runs(since=-math.inf, until=math.inf, job="a") == {"a": 5}
                with pytest.raises(ValueError, match="nan"):
                    await opened.statistics(since=math.nan)

    @pytest.mark.trio
    async def test_a_trend_has_the_same_stretches_for_all(self, store: Store) -> None:
        """One after another up to the newest run; each has its runs, the good ones and their mean."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    _run(0, "a", 9.0),
                    _run(3, "a", 1.0, outcome=Outcome.failed),
                    _run(3, "b", 7.0),
                    _run(4, "a", 2.0),
                    _run(4, "c", 4.0, ended_at=NOON + 239),
                )
                short = await opened.statistics()
                await opened.write(_run(2000, "b", 1.0))
                long = await opened.statistics()
        nothing = Stretch(runs=0, ok=0, duration=None)
        one = Stretch(runs=1, ok=1, duration=9.0)
        assert short.width == 60
        assert short.until == pytest.approx(NOON + 240)
        a = short.jobs["a"].trend
        assert a == (one, nothing, nothing, Stretch(1, 0, 1.0), Stretch(1, 1, 2.0))
        assert short.jobs["c"].trend[-1].runs == 1
        assert {len(job.trend) for job in short.jobs.values()} == {5}
        assert long.width == 60 * 128
        assert len(long.jobs["a"].trend) == 16
        assert long.jobs["a"].trend[0] == Stretch(3, 2, 4.0)
        assert long.jobs["b"].trend[-1] == Stretch(1, 1, 1.0)

    @pytest.mark.trio
    async def test_statistics_of_many_records(self, store: Store) -> None:
        """Each counts once, however they are read: also those that ended at the same instant."""
        records = [_run(n // 9, f"j{n % 9}", took=1 + n % 13) for n in range(3000)]
        summary = Summary()
        summary.add(list(map(row_of, sorted(records, key=_age, reverse=True))))
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(*records)
                assert await opened.statistics() == summary.result()

    @pytest.mark.trio
    async def test_others_get_in_between(self, store: Store) -> None:
        """While a store reads what is asked for, runs are written."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(*(_run(n, "a", 1.0) for n in range(2000)))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(opened.statistics)
                    await opened.write(_run(5000, "a", 1.0))
                assert (await opened.statistics()).jobs["a"].runs == 2001


def _age(each: Record) -> tuple[float, str]:
    assert each.ended_at is not None
    return each.ended_at, each.id
