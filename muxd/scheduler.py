"""Sleeps to the next release of the timetable, and puts it into the channel.

A release's way: it comes due in timetable time (`Calendar`, `Clock`) -> the book admits it, or
records why not -> the channel. Beside the timetable's own there is what gets gaps of the timetable:
see `muxd.placing`.
"""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING, final

import attrs
import trio

from muxd.agenda import Agenda, Due
from muxd.arrears import GONE, told
from muxd.course import Course
from muxd.errors import UnknownJob, UserError
from muxd.events import ClockJumped
from muxd.job import Misfire
from muxd.misfire import sort_out
from muxd.placing import Placer
from muxd.record import Outcome
from muxd.release import Cause, Release
from muxd.retry import wants_retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.book import RunBook
    from muxd.bus import Bus
    from muxd.channel import PrioritySendChannel
    from muxd.civil import Calendar
    from muxd.clock import Clock, ClockJump
    from muxd.events import Event
    from muxd.job import Job
    from muxd.pauses import Pauses
    from muxd.record import Record
    from muxd.slotting import Timetable

__all__ = ["Scheduler"]

ON_TIME = 5.0
"""A release that is later than this, in real seconds, when its turn comes is overdue: the machine
slept, muxd was stopped, or the clock was set forwards."""
KEPT = 30.0
"""How much later it may be where the scheduler itself was kept from releasing it, real seconds."""


@final
class Scheduler:
    """Releases every job at its slot, once.

    - Each release of the timetable leaves one record: it is run, or the record says why not.
    - After a sleep, a stop or a step forwards, what is overdue goes by each job's `Misfire`; what
      is run of it is run one by one in gaps of the timetable, the most overdue first. Until then
      it is owed: should muxd die, the next scheduler catches up with it.
    - The slots of a job that is paused are passed over: its releases are recorded as ``missed``.
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
        pauses: Pauses,
        last_releases: Mapping[str, float],
        placed: Mapping[str, float] | None = None,
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
          pauses: which jobs are paused.
          last_releases: by job the newest release by its slot before this start, real Unix
            seconds. A rehearsal (speed other than 1) has no past: then they don't count.
          placed: since when jobs have a place, real Unix seconds: from then on the releases count of
            those that had none yet.
        """
        self._clock, self._calendar = clock, calendar
        self._jobs = dict(jobs)
        self._channel, self._book, self._bus, self._pauses = channel, book, bus, pauses
        self._agenda = Agenda()
        # trio's time: since when what has come due can be released
        self._ready_since = trio.current_time()
        self._nap: trio.CancelScope | None = None
        self.placer = Placer(clock, calendar, self._agenda, book, pauses)
        """The owner of what has no slot and gets a gap."""
        past, since = (last_releases, placed or {}) if clock.speed == 1 else ({}, {})
        self._made_at = now = clock.now()
        # {job name: its course}
        self._courses: dict[str, Course] = {}
        for slot in timetable.slots:
            job = self._jobs.get(slot.name)
            if job is not None:
                newest = past.get(slot.name)
                begun = now if newest is not None else min(now, since.get(slot.name, now))
                self._enter(Course(calendar, job, slot, now=begun, newest=newest))
        self.placer.follow(timetable, self._courses)

    @property
    def jobs(self) -> Mapping[str, Job]:
        """All jobs by name, those without a slot too."""
        return self._jobs

    async def run(self) -> None:
        """Release what comes due, until cancelled.

        When cancelled, a release under way is either in the channel and in the book, or in neither;
        what was still to be caught up with stays owed.
        """
        now = self._clock.now()
        if now < self._made_at:  # nobody was asleep there to be told of that step
            self._step_back(self._made_at - now)
        if self._clock.speed == 1:
            await self.placer.inherit(self._jobs)
        while True:
            await self._release_due()
            await self.placer.arrears.bury()
            await self.placer.place_catch_up()
            instant = self._agenda.next_instant
            wait = (instant - self._clock.now()) / self._clock.speed
            if wait <= 0:
                continue
            ready_at, jump = trio.current_time() + wait, None
            with trio.CancelScope() as self._nap:
                jump = await self._clock.sleep_until(instant)
            woken, self._nap = self._nap.cancelled_caught, None
            self._ready_since = min(ready_at, trio.current_time())
            while woken or jump is not None:
                # All that has befallen the clock is to be known before anything is sorted out by it.
                if jump is not None:
                    self._jumped(jump)
                jump, woken = await self._clock.sleep_until(self._clock.now()), False

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
        return await self._request(self._jobs[name])

    async def request_login(self, job: Job) -> Release:
        """Have a run of a login's job now; as `request`."""
        return await self._request(job)

    async def _request(self, job: Job) -> Release:
        released_at = self._clock.real(self._clock.now())
        release, new = await self._book.request(job, released_at=released_at)
        if new and not await self._send(release):
            raise UserError("muxd can't take this run: it is stopping, or too many wait already")
        return release

    def ended(self, record: Record) -> None:
        """A run is over: to be told of every one. Never blocks."""
        if self.placer.ended(record.id):
            self._wake()
        job = self._jobs.get(record.job)
        if job is None or record.speed != self._clock.speed:  # left over from another time
            return
        if not wants_retry(job, record) or self._pauses.in_the_way(job.name) is not None:
            return
        if self.placer.plan_retry(job, record):
            self._wake()

    async def request_in_gap(self, name: str) -> tuple[Release, float | None]:
        """Have a run of a job in the first gap of the timetable that is long enough.

        Returns:
          Its release, or that of the run of this job which a person wanted so before and which
          stands for it; and when its gap is, real Unix seconds. That may become later: None while
          there is none.

        Raises:
          UnknownJob: there is no such job.
          UserError: muxd is stopping, or there is no such gap within a week.

        When cancelled, the run is asked for all the same.
        """
        if name not in self._jobs:
            raise UnknownJob(name, tuple(self._jobs))
        job = self._jobs[name]
        if not self.placer.fits(job):
            raise UserError(
                f"there is no gap for a run of {name!r} within a week: ask for it without --in-gap"
            )
        release, new = await self._book.owe(job, released_at=self._clock.real(self._clock.now()))
        instant = self.placer.ask(release) if new else self.placer.asked(job)
        self._wake()
        return release, None if instant is None else self._clock.real(instant)

    def news(self) -> None:
        """What was in the way of releases may be no more. Never blocks."""
        self.placer.rest()
        self._wake()

    def forget(self, record: Record) -> None:
        """A run is ended before it has begun. Never blocks."""
        self.placer.forget(record.id)

    def upcoming(self, count: int) -> list[tuple[float, str]]:
        """The next releases as they stand: when (real Unix seconds), and of which job."""
        # Those that were found may come again; of the others, the first is enough.
        agenda = ((due.instant, number, due) for number, due in enumerate(self._agenda.in_order()))
        coming = list(islice(agenda, 1))
        found: list[tuple[float, str]] = []
        latest = -1
        while coming and len(found) < count:
            instant, number, due = heapq.heappop(coming)
            if not (self._is_skipped(due) and instant == due.instant):
                found.append((self._clock.real(instant), due.job.name))
            if due.cause is Cause.slot:
                following = self._courses[due.job.name].following(instant)
                heapq.heappush(coming, (following, number, due))
            if number > latest:
                latest = number
                for first in islice(agenda, 1):
                    heapq.heappush(coming, first)
        return found

    @property
    def next_instant(self) -> float:
        """When the next release is, timetable time; `math.inf` if none is planned."""
        return self._agenda.next_instant

    @property
    def next_job(self) -> Job | None:
        """Whose the next release is; None if none is planned."""
        return self._agenda.next_job

    def promised(self, *, but: str = "") -> list[tuple[float, float]]:
        """What is promised in gaps: see `Placer.promised`."""
        return self.placer.promised(but=but)

    def reserve(self, who: str, stretch: tuple[float, float] | None) -> None:
        """Place nothing in a stretch of timetable time that has no slot; None: no longer."""
        self.placer.reserve(who, stretch)

    def set_aside(self, release: Release) -> None:
        """A release waits for something else than the browser: others are caught up with. Never
        blocks.
        """
        if self.placer.set_aside(release.id):
            self._wake()

    def slot_release_of(self, name: str) -> float | None:
        """When the job's next release by its slot is, real Unix seconds, skipped or not.

        None: it has no slot.
        """
        course = self._courses.get(name)
        return None if course is None else self._clock.real(course.next)

    def next_release_of(self, name: str) -> float | None:
        """When the job's next release is, by its slot or into a gap, real Unix seconds.

        None: it has no slot and nothing is planned for it.
        """
        instants = [
            self._courses[name].following(due.instant) if self._is_skipped(due) else due.instant
            for due in self._agenda.of(name)
        ]
        return self._clock.real(min(instants)) if instants else None

    def replace(self, timetable: Timetable, jobs: Mapping[str, Job]) -> None:
        """Go on with another timetable and other jobs. Never blocks.

        A job that stays is released next at its first new place more than half an interval after
        its newest release. What was planned for jobs that are gone is dropped.
        """
        now, before = self._clock.now(), self._courses
        self._jobs, self._courses = dict(jobs), {}
        self.placer.follow(timetable, self._courses)
        for slot in timetable.slots:
            job, course = self._jobs.get(slot.name), before.get(slot.name)
            if job is None:
                continue
            if course is None:
                self._enter(Course(self._calendar, job, slot, now=now))
                continue
            moved = course.move(job, slot, now)
            if moved.job is course.job and moved.next == course.next:
                self._courses[slot.name] = moved  # it is on the agenda; there may be thousands
            else:
                self._enter(moved)
        for name in before.keys() - self._courses.keys():
            self._agenda.drop(name, Cause.slot)
            self.placer.drop(name)
        self.placer.renew(self._jobs)
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
            if self.placer.comes(due, on_time_from=self._on_time_from()):
                self.placer.arrears.released(due, await self._release(due))

    def _on_time_from(self) -> float:
        """What is released now and was due before this is overdue, timetable time.

        How long this scheduler itself was kept from its work, by a slow disk or a body that blocked
        muxd, doesn't count, up to `KEPT`: that costs nobody a run. It does where the machine slept,
        and in part where muxd was stopped.
        """
        kept = min(trio.current_time() - self._ready_since, KEPT)
        return self._clock.now() - (ON_TIME + kept) * self._clock.speed

    async def _release_slot(self, course: Course) -> None:
        job, slot, instant, now = course.job, course.slot, course.next, self._clock.now()
        skip = self._pauses.skips.get(job.name)
        if skip is not None:
            self._advance(course, instant)
            missed = [(self._clock.real(instant), f"it was skipped: {skip.note}")]
            await self._book.sort_out(job, missed=missed)
            self._pauses.end_skip(job.name)
            return
        on_time_from = self._on_time_from()
        if instant >= on_time_from:
            self._advance(course, instant)
            await self.placer.arrears.make_way(job)
            await self._release_on_time(job, instant)
            return
        passed = self._calendar.passed(slot.interval, slot.phase, instant, now)
        pause = self._pauses.passes_over(job.name)
        misfire = job.misfire if pause is None else Misfire.skip
        verdict = sort_out(misfire, passed, on_time_from=on_time_from)
        self._advance(course, verdict.newest)
        await self.placer.arrears.make_way(job)
        reason = "its time passed while muxd could not run" if pause is None else told(pause)
        owed = await self._book.sort_out(
            job,
            owed=[self._clock.real(wanted_at) for wanted_at in verdict.catch_up],
            missed=verdict.told(reason, self._clock.real),
        )
        await self.placer.arrears.add(job, owed, verdict.catch_up, since=instant)
        if verdict.on_time is not None:
            await self._release_on_time(job, verdict.on_time)

    async def _release_on_time(self, job: Job, instant: float) -> None:
        if job.name not in self._courses:  # a reload came while others of its releases were written
            why = GONE
        elif (pause := self._pauses.passes_over(job.name)) is not None:
            why = told(pause)
        else:
            await self._release(_slot_due(job, instant))
            return
        await self._book.sort_out(job, missed=[(self._clock.real(instant), why)])

    def _advance(self, course: Course, newest: float) -> None:
        course.advance(newest)
        self._enter(course)

    # Common to all

    async def _release(self, due: Due) -> Release | None:
        owed = due.release if due.overdue is None else due.overdue.release
        if owed is not None:
            release = await self._book.release_owed(owed)
        else:
            release = await self._book.release(
                due.job,
                released_at=self._clock.real(due.instant),
                cause=due.cause,
                attempt=due.attempt,
                first_id=due.first_id,
            )
        if release is None:
            return None
        job = self._jobs.get(release.job.name, release.job)
        if release.job is not job:  # it was owed, and the job was declared otherwise then
            release = attrs.evolve(release, job=job)
        return release if await self._send(release) else None

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
        for due in self._agenda.placed:
            self.placer.replan(due, due.instant - seconds)

    def _is_skipped(self, due: Due) -> bool:
        return due.cause is Cause.slot and due.job.name in self._pauses.skips

    def _wake(self) -> None:
        if self._nap is not None:
            self._nap.cancel()


def _slot_due(job: Job, instant: float) -> Due:
    return Due(job=job, instant=instant, cause=Cause.slot)
