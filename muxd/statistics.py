"""What the records of a time say about each job: counts, percentiles and a trend. No I/O.

Records are added one by one and forgotten: what is kept of a job are counts, however many there are.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias, final

import attrs

from muxd.record import CUT_OFF, Outcome, Record, utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["JobStatistics", "Percentiles", "Row", "Statistics", "Stretch", "Summary", "row_of"]

Row: TypeAlias = tuple[str, str, int, "int | None", "int | None", str]
"""What is looked at of a record: job, outcome, when it ended, how long it took and how late it was
(microseconds, None where there is no such thing), and its id."""

STRETCHES = 24
"""How many stretches of time a trend has, at most."""
FIRST_WIDTH = 60_000_000
"""How long a stretch is where that is enough, microseconds; else twice as long, and so on."""
TOLD_APART = 100_000
"""How many values are told apart, of all jobs together; if there are more, by steps only."""
STEP, FINEST = 0.01, 1_000
"""How far apart steps are at first: a share of the value, and at least so many microseconds."""
COARSEST = 0.5
"""Steps are not made larger than this share, however many jobs there are."""


@attrs.frozen(kw_only=True)
class Percentiles:
    """Of durations, seconds, by nearest rank.

    Exact where a hundred thousand values or fewer differ, of all jobs together; else to 1 %, or as
    much less as it takes.
    """

    p50: float
    p95: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"p50": round(self.p50, 6), "p95": round(self.p95, 6)}


@attrs.frozen
class Stretch:
    """The runs of a job that ended in one stretch of time."""

    runs: int
    ok: int
    duration: float | None
    """The mean, seconds; None if none has one."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        duration = None if self.duration is None else round(self.duration, 6)
        return {"runs": self.runs, "ok": self.ok, "duration": duration}


@attrs.frozen(kw_only=True)
class JobStatistics:
    """What the records of a job say together."""

    job: str
    by_outcome: Mapping[Outcome, int]
    """How many ended so; none of them is 0."""
    first_at: float
    """When the oldest ended, Unix seconds; here and below, one without an end by its release."""
    last_at: float
    """When the newest ended."""
    last: Outcome
    """How that was."""
    duration: Percentiles | None
    """Of all that started and ended; None if none did."""
    lateness: Percentiles | None
    """Of all that started."""
    trend: Sequence[Stretch]
    """From `Statistics.since` on, one after another; the same stretches for all jobs."""

    @property
    def runs(self) -> int:
        """How many ran: all but those that were missed or coalesced."""
        return sum(count for outcome, count in self.by_outcome.items() if outcome.ran)

    @property
    def passed_over(self) -> int:
        """How many did not: they were missed or coalesced."""
        return sum(count for outcome, count in self.by_outcome.items() if not outcome.ran)

    @property
    def ok_share(self) -> float | None:
        """The share of the runs that were ``ok``, 0 to 1; None if there was none."""
        return self.by_outcome.get(Outcome.ok, 0) / self.runs if self.runs else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: stable keys, seconds, instants in ISO 8601 UTC."""
        return {
            "job": self.job,
            "runs": self.runs,
            "passed_over": self.passed_over,
            "ok_share": None if self.ok_share is None else round(self.ok_share, 6),
            "by_outcome": {outcome.value: count for outcome, count in self.by_outcome.items()},
            "first_at": utc_text(self.first_at),
            "last_at": utc_text(self.last_at),
            "last": self.last.value,
            "duration": self.duration.as_dict() if self.duration else None,
            "lateness": self.lateness.as_dict() if self.lateness else None,
            "trend": [stretch.as_dict() for stretch in self.trend],
        }


@attrs.frozen(kw_only=True)
class Statistics:
    """What the records of a time say, job by job."""

    jobs: Mapping[str, JobStatistics]
    """By name, in the order of the names."""
    since: float | None
    """When the trends begin, Unix seconds; None if there are no records."""
    until: float | None
    """When they end: just after the end of the newest record."""
    width: float
    """How long a stretch of a trend is, seconds."""

    def __bool__(self) -> bool:
        """False if there are no records."""
        return bool(self.jobs)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: stable keys, seconds, instants in ISO 8601 UTC."""
        return {
            "since": utc_text(self.since),
            "until": utc_text(self.until),
            "width": self.width,
            "jobs": [job.as_dict() for job in self.jobs.values()],
        }


def row_of(record: Record) -> Row:
    """What is looked at of a record that has its outcome."""
    assert record.outcome is not None
    at = record.released_at if record.ended_at is None else record.ended_at
    began, ended = _microseconds(record.started_at), _microseconds(record.ended_at)
    took = None if began is None or ended is None else ended - began
    late = None if began is None else began - round(record.released_at * 1e6)
    cut_off = record.error_type == CUT_OFF
    took = None if cut_off else took
    return (record.job, record.outcome.value, round(at * 1e6), took, late, record.id)


def _microseconds(instant: float | None) -> int | None:
    return None if instant is None else round(instant * 1e6)


@attrs.define(eq=False)
class _OfJob:
    """What is counted of a job."""

    last_us: int
    last: str
    first_us: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    took: Counter[int] = attrs.field(factory=Counter)
    late: Counter[int] = attrs.field(factory=Counter)
    # {stretch, counted back from the end: [runs, of them ok, of them with a duration, their sum]}
    trend: dict[int, list[int]] = attrs.field(factory=dict)


@final
class Summary:
    """Adds records up. What it takes in memory grows with the jobs, not with the records."""

    def __init__(self) -> None:
        """No record was added yet."""
        self._jobs: dict[str, _OfJob] = {}
        self._end: int | None = None
        self._oldest = 0
        self._width = FIRST_WIDTH
        self._step: float | None = None
        self._unchecked = 0  # how many were added since it was seen how many values there are

    def add(self, rows: Sequence[Row]) -> None:
        """Add records: all that are added are in the order of `Store.history`, newest end first."""
        if not rows:
            return
        if self._end is None:
            self._end = rows[0][2] + 1
        self._oldest = rows[-1][2]
        self._widen()
        by_job: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_job[row[0]].append(row)
        for job, of_job in by_job.items():
            self._add(job, of_job)
        self._unchecked += len(rows)
        if self._unchecked > TOLD_APART / 4:
            self._unchecked = 0
            self._keep_bound()

    def _add(self, name: str, rows: Sequence[Row]) -> None:
        """Add records of one job. There may be millions: no Python for each that C can do for all."""
        job = self._jobs.get(name)
        if job is None:
            job = self._jobs[name] = _OfJob(last_us=rows[0][2], last=rows[0][1])
        job.first_us = rows[-1][2]
        _, outcomes, _, took, late, _ = zip(*rows, strict=True)
        job.outcomes.update(outcomes)
        job.late.update(self._values(value for value in late if value is not None))
        # Less than nothing where the clock was set back meanwhile.
        job.took.update(self._values(value for value in took if value is not None and value >= 0))
        if self._place(rows[0]) == self._place(rows[-1]):
            _count(job.trend, self._place(rows[0]), rows)
        else:
            for place, together in groupby(rows, self._place):
                _count(job.trend, place, list(together))

    def _place(self, row: Row) -> int:
        """In which stretch a record is, counted back from the end."""
        assert self._end is not None
        return (self._end - 1 - row[2]) // self._width

    def _widen(self) -> None:
        """Make the stretches so long that the oldest record is in one of them."""
        assert self._end is not None
        times = 1
        while (self._end - 1 - self._oldest) // (self._width * times) >= STRETCHES:
            times *= 2
        if times == 1:
            return
        self._width *= times
        for job in self._jobs.values():
            wider: dict[int, list[int]] = {}
            for place, part in job.trend.items():
                sums = wider.setdefault(place // times, [0, 0, 0, 0])
                sums[:] = map(sum, zip(sums, part, strict=True))
            job.trend = wider

    def result(self) -> Statistics:
        """What they say together."""
        if self._end is None:
            return Statistics(jobs={}, since=None, until=None, width=self._width / 1e6)
        count = (self._end - 1 - self._oldest) // self._width + 1
        return Statistics(
            jobs={name: self._of(name, count) for name in sorted(self._jobs)},
            since=(self._end - count * self._width) / 1e6,
            until=self._end / 1e6,
            width=self._width / 1e6,
        )

    def _of(self, name: str, count: int) -> JobStatistics:
        job = self._jobs[name]
        return JobStatistics(
            job=name,
            by_outcome={each: job.outcomes[each] for each in Outcome if job.outcomes[each]},
            first_at=job.first_us / 1e6,
            last_at=job.last_us / 1e6,
            last=Outcome(job.last),
            duration=self._percentiles(job.took),
            lateness=self._percentiles(job.late),
            trend=tuple(_stretch(job.trend.get(at)) for at in reversed(range(count))),
        )

    def _values(self, microseconds: Iterable[int]) -> Iterable[int]:
        """What durations are counted as."""
        if self._step is None:
            return microseconds
        # Even steps near 0, and growing ones, as of a logarithm, from there on.
        asinh, steps = math.asinh, 1 / self._step
        return [round(asinh(value / _ROUND) * steps) for value in microseconds]

    def _duration(self, value: int) -> float:
        """Seconds."""
        if self._step is None:
            return value / 1e6
        return math.sinh(value * self._step) * _ROUND / 1e6

    def _keep_bound(self) -> None:
        counts = [count for job in self._jobs.values() for count in (job.took, job.late)]
        while sum(map(len, counts)) > TOLD_APART and (self._step or 0) < COARSEST:
            fine = [[(self._duration(value), n) for value, n in c.items()] for c in counts]
            self._step = STEP if self._step is None else 2 * self._step
            for count, values in zip(counts, fine, strict=True):
                count.clear()
                coarse = self._values(round(seconds * 1e6) for seconds, _ in values)
                for value, (_, n) in zip(coarse, values, strict=True):
                    count[value] += n

    def _percentiles(self, counts: Counter[int]) -> Percentiles | None:
        if not counts:
            return None
        ordered, total = sorted(counts.items()), counts.total()
        p50, p95 = (self._duration(_ranked(ordered, percent, total)) for percent in (50, 95))
        return Percentiles(p50=p50, p95=p95)


_ROUND = FINEST / STEP
_OK = Outcome.ok.value
_DID_NOT_RUN = frozenset(outcome.value for outcome in Outcome if not outcome.ran)


def _ranked(ordered: Sequence[tuple[int, int]], percent: int, total: int) -> int:
    rank = -(-percent * total // 100)  # in whole numbers, as `Learned` does it
    for value, count in ordered:
        rank -= count
        if rank <= 0:
            return value
    raise AssertionError("unreachable")


def _count(trend: dict[int, list[int]], place: int, rows: Sequence[Row]) -> None:
    """Count the records of one stretch."""
    ran = [row for row in rows if row[1] not in _DID_NOT_RUN]
    taken = [row[3] for row in ran if row[3] is not None and row[3] >= 0]
    part = trend.setdefault(place, [0, 0, 0, 0])
    ok = [row[1] for row in ran].count(_OK)
    part[:] = map(sum, zip(part, (len(ran), ok, len(taken), sum(taken)), strict=True))


def _stretch(part: Sequence[int] | None) -> Stretch:
    runs, ok, timed, took = part or (0, 0, 0, 0)
    return Stretch(runs=runs, ok=ok, duration=took / timed / 1e6 if timed else None)
