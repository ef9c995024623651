"""Sleeps to the next release of the timetable, and puts it into the channel.

A release's way: it comes due in timetable time (`Calendar`, `Clock`) -> the book admits it, or
records why not -> the channel. Beside the timetable's own there are two kinds, which are placed
into gaps of the timetable: tries of runs that did not end well, and releases that were overdue and
are caught up with, one after another.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, final

import attrs
import structlog
import trio

from muxd.agenda import Agenda, Due
from muxd.course import Course
from muxd.errors import UnknownJob, UserError
from muxd.events import ClockJumped
from muxd.gaps import first_gap
from muxd.job import Misfire
from muxd.misfire import Backlog, Overdue, sort_out
from muxd.record import Outcome, utc_text
from muxd.release import Cause, Release
from muxd.retry import delay, wants_retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.book import RunBook
    from muxd.bus import Bus
    from muxd.channel import PrioritySendChannel
    from muxd.civil import Calendar
    from muxd.clock import Clock, ClockJump
    from muxd.events import Event
    from muxd.job import Job
    from muxd.record import Record
    from muxd.slotting import Timetable

__all__ = ["Scheduler"]

ON_TIME = 5.0
"""A release that is later than this, in real seconds, when its turn comes is overdue: the machine
slept, muxd was stopped, or the clock was set forwards."""


@final
class Scheduler:
    """Releases every job at its slot, once.

    - Each release of the timetable leaves one record: it is run, or the record says why not.
    - After a sleep, a stop or a step forwards, what is overdue goes by each job's `Misfire`; what
      is run of it is run one by one in gaps of the timetable, the most overdue first.
    - After a step back each job goes on by the time that really passed: its next release is half an
      interval to one and a half after its newest. No instant comes twice, unless the step was
      longer than half the interval; nothing stalls, however wrong the clock was.
    - It wakes for what comes due, and when it is told something; it never polls.
    """

    def __init__(
        self,
        clock: Clock,
        calendar: Calendar,
        timetable: Timetable,
        jobs: Mapping[str, Job],
        channel: PrioritySendChannel[Release],
        book: RunBook,
        bus: Bus[Event],
        last_releases: Mapping[str, float],
    ) -> None:
        """Make a scheduler; it does nothing before `run`.

        Args:
          clock: the timetable's time.
          calendar: where the timetable stands in it.
          timetable: the slots. A job without one is run only when somebody asks for it.
          jobs: by name.
          channel: where releases go. It must have room for one of each job, and what people ask
            for; what does not fit is recorded as ``missed``.
          book: keeps the records.
          bus: is told of jumps of the clock.
          last_releases: by job the newest release by its slot before this start, real Unix
            seconds. A rehearsal (speed other than 1) has no past: then they don't count.
        """
        self._clock, self._calendar, self._timetable = clock, calendar, timetable
        self._jobs = dict(jobs)
        self._channel, self._book, self._bus = channel, book, bus
        self._agenda = Agenda()
        self._backlog = Backlog()
        # What is being caught up with: placed in a gap, or released and not ended.
        self._catching: Due | Release | None = None
        self._nap: trio.CancelScope | None = None
        past = last_releases if clock.speed == 1 else {}
        self._made_at = now = clock.now()
        # {job name: its course}
        self._courses: dict[str, Course] = {}
        for slot in timetable.slots:
            job = self._jobs.get(slot.name)
            if job is not None:
                self._enter(Course(calendar, job, slot, now=now, newest=past.get(slot.name)))

    @property
    def jobs(self) -> Mapping[str, Job]:
        """All jobs by name, those without a slot too."""
        return self._jobs

    async def run(self) -> None:
        """Release what comes due, until cancelled.

        When cancelled, a release under way is either in the channel and in the book, or in neither;
        and what was still to be caught up with is either recorded as ``missed``, or the next
        scheduler finds it overdue again.
        """
        now = self._clock.now()
        if now < self._made_at:  # nobody was asleep there to be told of that step
            self._step_back(self._made_at - now)
        try:
            await self._run()
        finally:
            with trio.CancelScope(shield=True):  # bounded by the book
                await self._leave_late()

    async def _run(self) -> None:
        while True:
            await self._release_due()
            await self._place_catch_up()
            instant = self._agenda.next_instant
            if instant <= self._clock.now():
                continue
            jump = None
            with trio.CancelScope() as self._nap:
                jump = await self._clock.sleep_until(instant)
            self._nap = None
            if jump is not None:
                self._jumped(jump)

    async def request(self, name: str) -> Release:
        """Have a run of a job now, before everything that waits.

        Returns:
          Its release; or that of the run of this job which waits already and stands for it.

        Raises:
          UnknownJob: there is no such job.
          UserError: muxd is stopping.

        When cancelled, the run is asked for all the same.
        """
        if name not in self._jobs:
            raise UnknownJob(name, tuple(self._jobs))
        released_at = self._clock.real(self._clock.now())
        release, new = await self._book.request(self._jobs[name], released_at=released_at)
        if new and not await self._send(release):
            raise UserError("muxd can't take this run: it is stopping, or too many wait already")
        return release

    def ended(self, record: Record) -> None:
        """A run is over: to be told of every one. Never blocks."""
        if isinstance(self._catching, Release) and self._catching.id == record.id:
            self._catching = None
            self._wake()
        job = self._jobs.get(record.job)
        if job is None or record.speed != self._clock.speed:  # left over from another time
            return
        if wants_retry(job, record):
            self._plan_retry(job, record)

    def upcoming(self, count: int) -> list[tuple[float, str]]:
        """The next releases as they stand: when (real Unix seconds), and of which job."""
        coming = [
            (due.instant, number, due) for number, due in enumerate(self._agenda.in_order())
        ]  # sorted, so a heap
        found: list[tuple[float, str]] = []
        while coming and len(found) < count:
            instant, number, due = coming[0]
            found.append((self._clock.real(instant), due.job.name))
            if due.cause is Cause.slot:
                following = self._courses[due.job.name].following(instant)
                heapq.heapreplace(coming, (following, number, due))
            else:
                heapq.heappop(coming)
        return found

    def next_release_of(self, name: str) -> float | None:
        """When the job's next release is, by its slot or into a gap, real Unix seconds.

        None: it has no slot and nothing is planned for it.
        """
        instants = [due.instant for due in self._agenda if due.job.name == name]
        return self._clock.real(min(instants)) if instants else None

    def replace(self, timetable: Timetable, jobs: Mapping[str, Job]) -> None:
        """Go on with another timetable and other jobs. Never blocks.

        A job that stays is released next at its first new place more than half an interval after
        its newest release. What was planned for jobs that are gone is dropped.
        """
        now, before = self._clock.now(), self._courses
        self._timetable, self._jobs, self._courses = timetable, dict(jobs), {}
        for slot in timetable.slots:
            job = self._jobs.get(slot.name)
            if job is not None:
                course = before.get(slot.name)
                self._enter(
                    Course(self._calendar, job, slot, now=now)
                    if course is None
                    else course.move(job, slot, now)
                )
        for name in before.keys() - self._courses.keys():
            self._backlog.withdraw(name)
            for cause in (Cause.slot, Cause.catch_up, Cause.retry):
                if self._agenda.drop(name, cause) is self._catching:
                    self._catching = None
        for due in self._placed():
            self._replan(due, due.instant)  # its gap may be none any more
        self._wake()

    # The timetable's own releases

    def _enter(self, course: Course) -> None:
        self._courses[course.job.name] = course
        self._agenda.put(_slot_due(course.job, course.next))

    async def _release_due(self) -> None:
        while (due := self._agenda.pop(self._clock.now())) is not None:
            if due.cause is Cause.slot:
                await self._release_slot(self._courses[due.job.name])
                continue
            if due.instant < self._clock.now() - ON_TIME * self._clock.speed:
                self._replan(due, self._clock.now())  # its gap is over
                continue
            release = await self._release(due)
            if due is self._catching:
                self._catching = release

    async def _release_slot(self, course: Course) -> None:
        job, slot, instant, now = course.job, course.slot, course.next, self._clock.now()
        on_time_from = now - ON_TIME * self._clock.speed
        if instant >= on_time_from:
            self._advance(course, instant)
            await self._make_way(job)
            await self._release(_slot_due(job, instant))
            return
        passed = self._calendar.passed(slot.interval, slot.phase, instant, now)
        verdict = sort_out(job.misfire, passed, on_time_from=on_time_from)
        self._advance(course, verdict.newest)
        await self._make_way(job)
        for wanted_at in verdict.catch_up:
            since = wanted_at if job.misfire is Misfire.all else instant
            self._backlog.add(Overdue(job=job, instant=wanted_at, since=since))
        await self._miss(job, *verdict.missed, reason="its time passed while muxd could not run")
        if verdict.unlisted is not None:
            count, first = len(verdict.unlisted), verdict.unlisted.start
            await self._miss(
                job,
                first,
                reason=f"its time passed while muxd could not run: {count} releases, "
                f"from {utc_text(self._clock.real(first))} on, share this record",
            )
        if verdict.on_time is not None:
            await self._release(_slot_due(job, verdict.on_time))

    def _advance(self, course: Course, newest: float) -> None:
        course.advance(newest)
        self._enter(course)

    async def _make_way(self, job: Job) -> None:
        """A job's own slot has come: it stands for what was still to be caught up with.

        What has a place in a gap has one before that slot, so it is through, or in the backlog.
        """
        if job.misfire is not Misfire.all:
            late = [item.instant for item in self._backlog.withdraw(job.name)]
            await self._miss(job, *late, reason="its next release came before there was a free gap")

    # Into gaps

    def _plan_retry(self, job: Job, record: Record) -> None:
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
            return
        self._agenda.put(
            Due(
                job=job,
                instant=instant,
                cause=Cause.retry,
                attempt=record.attempt + 1,
                first_id=first_id,
            )
        )
        self._wake()

    async def _place_catch_up(self) -> None:
        """Give the most overdue release a gap, if none is being caught up with now."""
        while self._catching is None and self._backlog:
            now = self._clock.now()
            item = self._backlog.take(now)
            course = self._courses[item.job.name]
            last = math.inf if item.job.misfire is Misfire.all else course.next
            instant = self._gap(course, now, until=last)
            if instant is None:
                await self._miss(
                    item.job, item.instant, reason="there is no free gap before its next release"
                )
            else:
                self._catching = Due(
                    job=item.job,
                    instant=instant,
                    cause=Cause.catch_up,
                    wanted_at=item.instant,
                )
                self._agenda.put(self._catching)

    def _replan(self, due: Due, earliest: float) -> None:
        """Something that was placed in a gap needs another one, not before this instant."""
        if due.cause is Cause.catch_up:
            self._agenda.drop(due.job.name, Cause.catch_up)
            self._backlog.add(Overdue(job=due.job, instant=due.released_at, since=due.released_at))
            self._catching = None
            return
        self._agenda.drop(due.job.name, Cause.retry)
        instant = self._retry_gap(due.job, earliest)
        if instant is not None:
            self._agenda.put(attrs.evolve(due, instant=instant))

    def _retry_gap(self, job: Job, earliest: float) -> float | None:
        """Where a further try fits; None if its own slot comes first, and so stands for it."""
        course = self._courses.get(job.name)
        return earliest if course is None else self._gap(course, earliest, until=course.next)

    def _gap(self, course: Course, earliest: float, *, until: float) -> float | None:
        return first_gap(
            self._timetable,
            self._calendar,
            course.slot,
            earliest=earliest,
            until=until,
            taken=[
                (due.instant, due.instant + self._courses[due.job.name].slot.duration)
                for due in self._placed()
                if due.job.name in self._courses
            ],
        )

    def _placed(self) -> list[Due]:
        """What has a place in a gap, in no order."""
        return [due for due in self._agenda if due.cause is not Cause.slot]

    async def _leave_late(self) -> None:
        """Record what will not be caught up with, where the next scheduler could not tell.

        It goes by the newest release that has a record. Of a job with none newer than what is
        late, it finds all of that again.
        """
        late: dict[str, list[float]] = {}
        placed = [self._catching] if isinstance(self._catching, Due) else []
        for name, instant in [
            *((due.job.name, due.released_at) for due in placed),
            *((item.job.name, item.instant) for item in self._backlog),
        ]:
            late.setdefault(name, []).append(instant)
        for name, instants in late.items():
            course = self._courses[name]
            if course.newest is not None and course.newest > max(instants):
                await self._miss(
                    course.job, *instants, reason="muxd was stopped before there was a free gap"
                )

    # Common to all

    async def _release(self, due: Due) -> Release | None:
        release = await self._book.release(
            due.job,
            released_at=self._clock.real(due.released_at),
            cause=due.cause,
            attempt=due.attempt,
            first_id=due.first_id,
        )
        if release is None or not await self._send(release):
            return None
        return release

    async def _send(self, release: Release) -> bool:
        try:
            self._channel.send_nowait(release)
        except trio.WouldBlock:
            await self._book.withdraw(release, Outcome.missed, "too many runs wait already")
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            await self._book.withdraw(release, Outcome.interrupted, "muxd is stopping")
        else:
            return True
        return False

    async def _miss(self, job: Job, *instants: float, reason: str) -> None:
        if instants:
            real = [self._clock.real(instant) for instant in instants]
            await self._book.miss(job, *real, reason=reason)

    def _jumped(self, jump: ClockJump) -> None:
        now = self._clock.now()
        self._bus.publish(
            ClockJumped(at=self._clock.real(now), seconds=jump.seconds, kind=jump.kind)
        )
        if jump.seconds < 0:  # after one forwards, what is overdue shows by itself
            self._step_back(-jump.seconds)

    def _step_back(self, seconds: float) -> None:
        now = self._clock.now()
        for course in self._courses.values():
            course.step_back(seconds, now)
            self._enter(course)
        for due in self._placed():
            self._replan(due, due.instant - seconds)

    def _wake(self) -> None:
        if self._nap is not None:
            self._nap.cancel()


def _slot_due(job: Job, instant: float) -> Due:
    return Due(job=job, instant=instant, cause=Cause.slot)
