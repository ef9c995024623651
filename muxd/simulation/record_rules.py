"""What must hold of records, seen from what reaches the store: each release once, and for good."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, final

import attrs

from muxd.release import Cause
from muxd.simulation.rules import clock_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from muxd.civil import Calendar
    from muxd.job import Job
    from muxd.record import Record
    from muxd.simulation.rules import Notes
    from muxd.simulation.run_rules import RunRules
    from muxd.simulation.world import Stamp

__all__ = ["RecordRules"]

DAY = 86_400
STEP = 3600.0
SECOND = 1.0
DECISION = 20.0
"""How long it may take at most to find out what is due, and to write it down, seconds."""
_SHARED = re.compile(r": (\d+) releases, from .* share this record$")


@attrs.define
class _Row:
    """The releases of one job by its slot, one after another."""

    newest: float
    """The last in the order in which they were made, Unix seconds."""
    latest: float
    """The one with the highest instant."""
    stamp: Stamp
    """Of the newest."""


@final
class RecordRules:
    """Holds all that is written to the rules, through all lives."""

    def __init__(self, notes: Notes, jobs: Mapping[str, Job], calendar: Calendar) -> None:
        """Nothing is written yet."""
        self._notes, self._world = notes, notes.world
        self._jobs, self._calendar = jobs, calendar
        self.records: dict[str, Record] = {}
        """All records by their ids, as they were written last."""
        self._rows: dict[str, _Row] = {}
        # {plan number: phases}
        self._plans: dict[int, Mapping[str, int]] = {}
        # {life: what the wall clock showed when its scheduler began, Unix seconds}
        self._began: dict[int, float] = {}

    def planned(self, phases: Mapping[str, int]) -> None:
        """A timetable comes into force."""
        self._plans[self._world.plans] = phases

    def began(self, wall: float) -> None:
        """The scheduler of this life begins."""
        self._began[self._world.life] = wall

    def written(self, records: Iterable[Record], runs: RunRules) -> None:
        """These have reached the store."""
        new: dict[str, list[Record]] = {}
        for record in records:
            before = self.records.get(record.id)
            if before is None:
                if record.cause in (Cause.slot, Cause.catch_up):
                    new.setdefault(record.job, []).append(record)
                elif record.cause is Cause.retry:
                    self._check_retry(record)
            elif before.outcome is not None and before != record:
                self._notes.breaks(
                    "final", f"run {record.id}, {before.outcome}, is written as {record.outcome}"
                )
            self.records[record.id] = record
        for name, rows in new.items():
            self._check_row(self._jobs[name], rows)
            for record in rows:
                if record.cause is Cause.catch_up and record.outcome is None:
                    runs.owes(record)

    def finish(self, kept: Sequence[Record], until: float) -> None:
        """All is over.

        Args:
          kept: all records that are in the store.
          until: what the wall clock shows, Unix seconds.
        """
        notes = self._notes
        found = {record.id: _exact(record) for record in kept}
        notes.holds("one record", len(found) == len(kept), "two records have one id")
        for run_id, record in self.records.items():
            notes.holds(
                "final" if record.outcome else "one record",
                found.get(run_id) == _exact(record),
                f"run {run_id} of {record.job} is kept as {found.get(run_id)}, not as {record}",
            )
            if record.outcome is None:
                notes.holds(
                    "nothing left",
                    record.cause in (Cause.catch_up, Cause.in_gap) and record.started_at is None,
                    f"run {run_id} of {record.job} has no outcome",
                )
        for name, job in self._jobs.items():
            row = self._rows.get(name)
            silent = until - (row.latest if row else self._began.get(1, until))
            notes.holds(
                "one record",
                silent <= 1.5 * job.interval + 60,
                f"{name} had no release for {silent:.0f} s at the end",
            )

    # One after another

    def _check_row(self, job: Job, records: list[Record]) -> None:
        stamps = self._world.stamps
        records.sort(key=lambda r: (stamps[r.id].life, stamps[r.id].era, r.released_at))
        for record in records:
            instant, stamp = record.released_at, stamps[record.id]
            if instant > stamp.wall + SECOND:  # the clock was set back while it was being recorded
                stamp = attrs.evolve(stamp, era=stamp.era - 1)
            row = self._rows.get(job.name)
            phase = self._plans[stamp.plan].get(job.name)
            if phase is None:
                continue
            if row is not None:
                problem = self._follows(job, phase, row, instant, stamp)
                if problem is not None:
                    self._notes.breaks(
                        "one record",
                        f"{job.name} ({job.interval} s, phase {phase}): after "
                        f"{clock_text(row.newest)} run {record.id} is of {clock_text(instant)}: "
                        f"{problem}",
                    )
            self._check_wall_clock(
                job, phase, instant, stepped=row is not None and row.stamp.era != stamp.era
            )
            last = instant
            for _ in range(_shared(record) - 1):
                last = self._calendar.next_release(job.interval, phase, last, last)
            latest = max(last, row.latest) if row else last
            self._rows[job.name] = _Row(last, latest, stamp)

    def _follows(self, job: Job, phase: int, row: _Row, instant: float, stamp: Stamp) -> str | None:
        """Why a release can't come next; None if it can."""
        interval, before, newest = job.interval, row.stamp, row.newest
        if stamp.life != before.life:
            # A new scheduler knows the release with the highest instant, and no steps before it.
            newest = row.latest
            start = self._began.get(stamp.life, stamp.wall)
            if newest > start - SECOND:
                back = (stamp.era - before.era) * STEP
                first, last = start - back - SECOND, start + 1.5 * interval + SECOND
                return None if first <= instant <= last else f"it started at {clock_text(start)}"
        # A step in the middle of a decision: the instant was found before it, the id made after it.
        set_back = self._world.steps_back[: before.era]
        steps = stamp.era - before.era + sum(at >= before.at - DECISION for at, _ in set_back)
        if not steps and stamp.plan == before.plan:
            expected = self._calendar.next_release(interval, phase, newest, newest)
            return None if instant == expected else f"{clock_text(expected)} comes next"
        gaps = [instant - (newest - back * STEP) for back in range(steps + 1)]
        if any(interval / 2 - SECOND < gap <= 1.5 * interval + SECOND for gap in gaps):
            return None
        return f"that is {min(gaps):.0f} s by the time that passed"

    def _check_wall_clock(self, job: Job, phase: int, instant: float, *, stepped: bool) -> None:
        if job.interval % DAY:
            return
        local = self._calendar.local(instant)
        around = [self._calendar.local(instant + days * DAY).utcoffset() for days in (-1, 0, 1)]
        shown = local.hour * 3600 + local.minute * 60 + local.second
        if len(set(around)) == 1:
            self._notes.holds(
                "wall clock", shown == phase % DAY, f"{job.name} is released at {local}"
            )
        elif not stepped:  # the wall clock jumped over its time, or showed it twice
            late = shown - phase % DAY
            self._notes.holds(
                "wall clock", late in (0, 1800, 3600), f"{job.name} is released at {local}"
            )

    # Policies

    def _check_retry(self, record: Record) -> None:
        job, first = self._jobs[record.job], self.records.get(record.first_id or "")
        self._notes.holds(
            "retries",
            first is not None and first.job == record.job and first.first_id is None,
            f"run {record.id} of {record.job} is a retry of {record.first_id}, which is {first}",
        )
        self._notes.holds(
            "retries",
            1 < record.attempt <= max(job.retries, 1) + 1,
            f"run {record.id} of {record.job} is attempt {record.attempt}; it has {job.retries}",
        )


def _exact(record: Record) -> Record:
    """As a store keeps it: to the microsecond."""
    instants: dict[str, Any] = {
        name: value if value is None else round(value * 1e6) / 1e6
        for name in ("released_at", "started_at", "ended_at")
        for value in (getattr(record, name),)
    }
    return attrs.evolve(record, **instants)


def _shared(record: Record) -> int:
    """How many releases a record stands for."""
    found = _SHARED.search(record.error or "")
    return int(found[1]) if found else 1
