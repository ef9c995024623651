"""Gives gaps of the timetable to what has no slot.

That is: further tries of runs that did not end well, releases that were overdue and are caught up
with, one after another, and runs that people want in a gap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import attrs
import structlog

from muxd.agenda import Due
from muxd.arrears import GONE, Arrears
from muxd.gaps import first_free, first_gap
from muxd.job import Misfire
from muxd.release import Cause
from muxd.retry import delay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.agenda import Agenda
    from muxd.book import RunBook
    from muxd.civil import Calendar
    from muxd.clock import Clock
    from muxd.course import Course
    from muxd.job import Job
    from muxd.pauses import Pauses
    from muxd.record import Record
    from muxd.release import Release
    from muxd.slotting import Timetable

__all__ = ["Placer"]


@final
class Placer:
    """The owner of what is to run in a gap: of one job one of each kind at a time."""

    def __init__(
        self, clock: Clock, calendar: Calendar, agenda: Agenda, book: RunBook, pauses: Pauses
    ) -> None:
        """Nothing is to be placed.

        Args:
          clock: the timetable's time.
          calendar: where the timetable stands in it.
          agenda: where places are put down.
          book: keeps the records.
          pauses: which jobs are paused.
        """
        self.arrears = Arrears(book, pauses)
        self._clock, self._calendar, self._agenda = clock, calendar, agenda
        self._book, self._pauses = book, pauses
        self._timetable: Timetable
        self._courses: Mapping[str, Course] = {}
        # {(job name, cause): what waits for the browser to be idle before it gets another gap}
        self._parked: dict[tuple[str, Cause], Due] = {}
        # ids of runs that wait for something else than the browser
        self._aside: set[str] = set()
        # {by whom: a stretch of timetable time, from when to when}
        self._reserved: dict[str, tuple[float, float]] = {}

    def follow(self, timetable: Timetable, courses: Mapping[str, Course]) -> None:
        """These are in force from now on."""
        self._timetable, self._courses = timetable, courses

    def reserve(self, who: str, stretch: tuple[float, float] | None) -> None:
        """Place nothing in a stretch of timetable time, or no longer reserve any."""
        self._reserved.pop(who, None)
        if stretch is not None:
            self._reserved[who] = stretch

    def promised(self, *, but: str = "") -> list[tuple[float, float]]:
        """What is promised in gaps, from when to when, timetable time.

        What has a place there, and what is reserved, but not by this one.
        """
        placed = [(due.instant, due.instant + self._length(due.job)) for due in self._agenda.placed]
        return placed + [stretch for who, stretch in self._reserved.items() if who != but]

    async def inherit(self, jobs: Mapping[str, Job]) -> None:
        """Take on what another daemon owed to these jobs; of others it is recorded as missed.

        For timetables on real time only.
        """
        owed = self._book.inherited
        slotted = {name: jobs[name] for name in self._courses if name in jobs}
        await self.arrears.inherit([r for r in owed if r.cause is not Cause.in_gap], slotted)
        for record in owed:
            if record.cause is not Cause.in_gap:
                continue
            if record.job not in jobs or self._asked_for(record.job) is not None:
                gone = record.job not in jobs
                reason = GONE if gone else "another one has a place already"
                await self._book.abandon(record, reason)
            else:
                self.ask(self._book.adopt(record, jobs[record.job]))

    # What is to be placed

    def plan_retry(self, job: Job, record: Record) -> bool:
        """This run is to be tried again. True if it got a place."""
        first_id = record.first_id or record.id
        seconds = delay(record.attempt, seed=first_id)
        earliest = self._clock.now() + seconds * self._clock.speed
        instant = self._retry_gap(job, earliest)
        if instant is None:
            structlog.get_logger().info(
                "not tried again: there is no free gap before its next release",
                job=job.name,
                run=record.id,
            )
            return False
        self._agenda.put(
            Due(
                job=job,
                instant=instant,
                cause=Cause.retry,
                attempt=record.attempt + 1,
                first_id=first_id,
                after=record.id,
            )
        )
        return True

    async def place_catch_up(self) -> None:
        """Give what is owed, and most overdue, a gap."""
        while not self.is_busy() and self._pauses.drain is None:
            item = await self.arrears.next(self._clock.now())
            if item is None:
                return
            course = self._courses.get(item.job.name)
            if course is None:  # a reload came while what it is owed was written
                await self.arrears.forgive(item, GONE)
                continue
            every = item.job.misfire is Misfire.all
            instant = self._gap(
                course, self._clock.now(), until=math.inf if every else course.next, own=every
            )
            if instant is None:
                await self.arrears.forgive(item, "there is no free gap before its next release")
            else:
                due = Due(job=item.job, instant=instant, cause=Cause.catch_up, overdue=item)
                self.arrears.placed(due)
                self._agenda.put(due)

    def ask(self, release: Release) -> float | None:
        """A person wants this run, which is owed, in a gap: which one, timetable time.

        None: there is none within a week; it is looked for again whenever a run has ended.
        """
        due = Due(job=release.job, instant=math.inf, cause=Cause.in_gap, release=release)
        return self._place_asked(due, self._clock.now())

    def asked(self, job: Job) -> float | None:
        """When the run that a person wants in a gap has its place, timetable time; None: it has none."""
        due = self._asked_for(job.name)
        return due.instant if due is not None and due.instant < math.inf else None

    def fits(self, job: Job) -> bool:
        """True if there is any gap for a run of this job."""
        return self._free(job, self._clock.now()) is not None

    # Its gap has come

    def comes(self, due: Due, *, on_time_from: float) -> bool:
        """The time of a place has come. True: it is to be released; False: it was seen to."""
        asked = due.cause is Cause.in_gap
        paused = not asked and self._pauses.in_the_way(due.job.name) is not None
        if paused and due.overdue is None:
            return False
        if self._pauses.drain is not None or self.is_busy():
            self._put_off(due)  # or it would run later than here, in somebody's slot
        elif paused or due.instant < on_time_from:  # its gap is over
            self.replan(due, self._clock.now())
        elif due.overdue is not None and self.arrears.must_wait(due.overdue):
            self.replan(due, due.instant)
        else:
            return True
        return False

    def is_busy(self) -> bool:
        """True while a run is in progress, or waits for the browser."""
        return self._book.running is not None or self._book.waits(but=self._aside)

    def replan(self, due: Due, earliest: float) -> None:
        """Something that was placed in a gap needs another one, not before this instant."""
        self._agenda.drop(due.job.name, due.cause)
        if due.overdue is not None:
            self.arrears.displaced(due)
        elif due.cause is Cause.in_gap:
            self._place_asked(due, earliest)
        else:
            instant = self._retry_gap(due.job, earliest)
            if instant is not None:
                self._agenda.put(attrs.evolve(due, instant=instant))

    def rest(self) -> bool:
        """The browser may be idle: what was put off gets another gap. True if there is any."""
        parked, self._parked = self._parked, {}
        for due in parked.values():
            self.replan(due, self._clock.now())
        return bool(parked)

    def ended(self, run_id: str) -> bool:
        """A run is over. True if something may be placed now."""
        self._aside.discard(run_id)
        parked = self.rest()
        return self.arrears.ended(run_id) or parked

    def set_aside(self, run_id: str) -> bool:
        """A run waits for something else than the browser: is there something to be placed?"""
        self._aside.add(run_id)
        return self.arrears.ended(run_id)

    # What is not to run any more

    def forget(self, run_id: str) -> None:
        """This run is ended before it has begun: it needs no gap."""
        for due in self._all():
            if due.release is not None and due.release.id == run_id:
                self._drop(due)
            elif due.overdue is not None and due.overdue.release.id == run_id:
                self._drop(due)
                self.arrears.displaced(due)
        self.arrears.forget(run_id)

    def call_off(self, part: str) -> Due | None:
        """Drop the further try of a run whose id begins or ends so, and return what it was."""
        for due in self._all():
            ids = [run_id for run_id in (due.after, due.first_id) if run_id is not None]
            if any(run_id.startswith(part) or run_id.endswith(part) for run_id in ids):
                self._drop(due)
                return due
        return None

    def drop(self, job: str) -> None:
        """A job has no slot any more. What it was owed is recorded by `Arrears.bury`."""
        self.arrears.drop(job, self._agenda.drop(job, Cause.catch_up))
        for cause in (Cause.retry, Cause.in_gap):
            self._agenda.drop(job, cause)
            self._parked.pop((job, cause), None)

    def renew(self, jobs: Mapping[str, Job]) -> None:
        """Another timetable is in force: gaps may be none any more, and jobs others."""
        for key, due in list(self._parked.items()):
            self._parked[key] = attrs.evolve(due, job=jobs.get(due.job.name, due.job))
        for due in self._agenda.placed:
            self.replan(attrs.evolve(due, job=jobs.get(due.job.name, due.job)), due.instant)

    def _all(self) -> list[Due]:
        return [*self._agenda.placed, *self._parked.values()]

    def _drop(self, due: Due) -> None:
        self._agenda.drop(due.job.name, due.cause)
        self._parked.pop((due.job.name, due.cause), None)

    def _put_off(self, due: Due) -> None:
        """It had a gap, but the browser is busy beyond its slots: another gap, once it isn't."""
        if due.overdue is not None:
            self.replan(due, due.instant)
        else:
            self._parked[due.job.name, due.cause] = due

    def _asked_for(self, job: str) -> Due | None:
        found = [due for due in self._agenda.of(job) if due.cause is Cause.in_gap]
        return found[0] if found else self._parked.get((job, Cause.in_gap))

    def _place_asked(self, due: Due, earliest: float) -> float | None:
        instant = self._free(due.job, earliest)
        if instant is None:
            self._parked[due.job.name, due.cause] = attrs.evolve(due, instant=math.inf)
        else:
            self._agenda.put(attrs.evolve(due, instant=instant))
        return instant

    # Gaps

    def _length(self, job: Job) -> int:
        course = self._courses.get(job.name)
        return max(1, math.ceil(job.duration)) if course is None else course.slot.duration

    def _retry_gap(self, job: Job, earliest: float) -> float | None:
        """Where a further try fits; None if its own slot comes first, and so stands for it."""
        course = self._courses.get(job.name)
        return earliest if course is None else self._gap(course, earliest, until=course.next)

    def _free(self, job: Job, earliest: float) -> float | None:
        """Where a run fits that takes nobody's slot, its own job's neither."""
        return first_free(
            self._timetable,
            self._calendar,
            self._length(job),
            earliest=earliest,
            taken=self.promised(),
        )

    def _gap(
        self, course: Course, earliest: float, *, until: float, own: bool = False
    ) -> float | None:
        return first_gap(
            self._timetable,
            self._calendar,
            course.slot,
            earliest=earliest,
            until=until,
            taken=self.promised(),
            own=own,
        )
