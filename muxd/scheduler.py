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

from muxd.errors import UnknownJob, UserError
from muxd.events import ClockJumped
from muxd.job import Misfire
from muxd.misfire import Backlog, Overdue, sort_out
from muxd.record import Outcome, utc_text
from muxd.release import Cause, Release
from muxd.retry import delay, wants_retry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from muxd.book import RunBook
    from muxd.bus import Bus
    from muxd.channel import PrioritySendChannel
    from muxd.civil import Calendar
    from muxd.clock import Clock, ClockJump
    from muxd.events import Event
    from muxd.job import Job
    from muxd.record import Record
    from muxd.slotting import Slot, Timetable

__all__ = ["Scheduler"]

ON_TIME = 5.0
"""A release that is later than this, in real seconds, when its turn comes is overdue: the machine
slept, muxd was stopped, or the clock was set forwards."""


@attrs.define(eq=False)
class _Due:
    """Something that comes due. Instants are in timetable time, Unix seconds."""

    job: Job
    instant: float
    cause: Cause = Cause.slot
    attempt: int = 1
    first_id: str | None = None
    wanted_at: float = 0.0
    """For ``catch_up``: when its own time was."""
    valid: bool = True
    """False: something else has taken its place; it is only still in the heap."""


@attrs.define(eq=False)
class _Course:
    """One job on its slot. Instants are in timetable time, Unix seconds."""

    job: Job
    slot: Slot
    newest: float | None
    """What the wall clock showed at the newest release; None if there was none."""
    elapsed: float | None
    """`newest`, moved back with each step back of the clock: when that was by today's clock."""
    due: _Due
    """Its next release by the slot."""


@final
class Scheduler:
    """Releases every job at its slot, once.

    - Each release of the timetable leaves one record: it is run, or the record says why not.
    - After a sleep, a stop or a step forwards, what is overdue goes by each job's `Misfire`; what
      is run of it is run one by one in gaps of the timetable, the most overdue first.
    - After a step back nothing is released for the same instant again, unless the job would have
      to wait for more than one and a half of its intervals. Nothing stalls, however wrong the clock
      was.
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
        # (instant, -priority, number, what): the number makes it first in, first out
        self._heap: list[tuple[float, int, int, _Due]] = []
        self._pushed = 0
        self._nap: trio.CancelScope | None = None
        # {job name: its try to come}
        self._retries: dict[str, _Due] = {}
        self._backlog = Backlog()
        # The one that is being caught up with: placed in a gap, or (its run's id) released.
        self._catching: _Due | str | None = None
        past = last_releases if clock.speed == 1 else {}
        # {job name: its course}
        self._courses: dict[str, _Course] = {}
        for slot in timetable.slots:
            if slot.name in self._jobs:
                self._enter(self._jobs[slot.name], slot, past.get(slot.name))

    @property
    def jobs(self) -> Mapping[str, Job]:
        """All jobs by name, those without a slot too."""
        return self._jobs

    async def run(self) -> None:
        """Release what comes due, until cancelled.

        When cancelled, a release under way is either in the channel and in the book, or in neither.
        """
        while True:
            await self._release_due()
            await self._place_catch_up()
            instant = self._next_instant()
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
        if record.id == self._catching:
            self._catching = None
            self._wake()
        job = self._jobs.get(record.job)
        if job is not None and wants_retry(job, record):
            self._plan_retry(job, record)

    def upcoming(self, count: int) -> list[tuple[float, str]]:
        """The next releases as they stand: when (real Unix seconds), and of which job."""
        rows = [(due.instant, number, due, None) for _, _, number, due in self._heap if due.valid]
        heap: list[tuple[float, int, _Due, float | None]] = list(rows)
        heapq.heapify(heap)
        found: list[tuple[float, str]] = []
        while heap and len(found) < count:
            instant, number, due, _ = heap[0]
            found.append((self._clock.real(instant), due.job.name))
            course = self._courses.get(due.job.name)
            if due.cause is Cause.slot and course is not None:
                following = self._after(course.slot, instant)
                heapq.heapreplace(heap, (following, number, due, instant))
            else:
                heapq.heappop(heap)
        return found

    def next_release_of(self, name: str) -> float | None:
        """When the job's next release is, by its slot or into a gap, real Unix seconds.

        None: it has no slot and nothing is planned for it.
        """
        instants = [due.instant for *_, due in self._heap if due.valid and due.job.name == name]
        return self._clock.real(min(instants)) if instants else None

    def replace(self, timetable: Timetable, jobs: Mapping[str, Job]) -> None:
        """Go on with another timetable and other jobs. Never blocks.

        A job that stays is released next at its first new place more than half an interval after
        its newest release. What was planned for jobs that are gone is dropped.
        """
        before = self._courses
        self._timetable, self._jobs, self._courses = timetable, dict(jobs), {}
        for course in before.values():
            course.due.valid = False
        for slot in timetable.slots:
            if slot.name not in self._jobs:
                continue
            course = self._enter(self._jobs[slot.name], slot, None)
            old = before.get(slot.name)
            if old is not None and old.newest is not None:
                course.newest, course.elapsed = old.newest, old.elapsed
                self._renew(course)
        for name in [name for name in self._retries if name not in self._jobs]:
            self._retries.pop(name).valid = False
        for name in before.keys() - self._courses.keys():
            self._backlog.withdraw(name)
            if isinstance(self._catching, _Due) and self._catching.job.name == name:
                self._catching.valid = False
                self._catching = None
        self._wake()

    # The timetable's own releases

    def _enter(self, job: Job, slot: Slot, newest: float | None) -> _Course:
        now = self._clock.now()
        first = self._calendar.next_release(slot.interval, slot.phase, now)
        course = _Course(job, slot, newest, newest, _Due(job, first))
        self._courses[job.name] = course
        if newest is None:
            self._push(course.due)
        elif newest <= now:
            self._renew(course)
        else:
            # The clock was wrong, then or now. What really was since then nobody knows.
            following = self._after(slot, newest)
            if following <= now + slot.interval:
                course.due.instant = following
            self._push(course.due)
        return course

    def _renew(self, course: _Course) -> None:
        """Find the job's next release after its newest."""
        slot = course.slot
        assert course.newest is not None
        assert course.elapsed is not None
        instant = self._after(slot, course.newest)
        if instant > course.elapsed + 1.5 * slot.interval:
            # The clock was set back by too much to wait until it has caught up.
            instant = self._after(slot, course.elapsed)
        course.due.valid = False
        course.due = _Due(course.job, instant)
        self._push(course.due)

    def _after(self, slot: Slot, previous: float) -> float:
        return self._calendar.next_release(slot.interval, slot.phase, previous, previous)

    async def _release_due(self) -> None:
        while self._heap and self._heap[0][0] <= self._clock.now():
            due = heapq.heappop(self._heap)[-1]
            if not due.valid:
                continue
            if due.cause is Cause.slot:
                await self._release_slot(self._courses[due.job.name], due.instant)
            elif due.cause is Cause.catch_up:
                release = await self._release(due, self._clock.real(due.wanted_at))
                self._catching = None if release is None else release.id
            else:
                del self._retries[due.job.name]
                await self._release(due, self._clock.real(due.instant))

    async def _release_slot(self, course: _Course, instant: float) -> None:
        job, slot, due = course.job, course.slot, course.due
        now = self._clock.now()
        on_time_from = now - ON_TIME * self._clock.speed
        if instant >= on_time_from:
            self._advance(course, instant)
            await self._make_way(job)
            await self._release(due, self._clock.real(instant))
            return
        passed = self._calendar.passed(slot.interval, slot.phase, instant, now)
        verdict = sort_out(job.misfire, passed, on_time_from=on_time_from)
        self._advance(course, verdict.newest)
        if job.misfire is not Misfire.all:
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
            await self._release(due, self._clock.real(verdict.on_time))

    def _advance(self, course: _Course, newest: float) -> None:
        course.newest = course.elapsed = newest
        self._renew(course)

    async def _make_way(self, job: Job) -> None:
        """A job's own slot has come: it stands for what was to be tried again or caught up with."""
        retry = self._retries.pop(job.name, None)
        if retry is not None:
            retry.valid = False
        if job.misfire is Misfire.all:
            return
        late = [item.instant for item in self._backlog.withdraw(job.name)]
        if isinstance(self._catching, _Due) and self._catching.job.name == job.name:
            late.append(self._catching.wanted_at)
            self._catching.valid = False
            self._catching = None
        await self._miss(job, *late, reason="its next release came before there was a free gap")

    # Into gaps

    def _plan_retry(self, job: Job, record: Record) -> None:
        first_id = record.first_id or record.id
        seconds = delay(record.attempt, seed=first_id)
        earliest = self._clock.now() + seconds * self._clock.speed
        instant = self._gap(job, earliest)
        if instant is None:
            structlog.get_logger().info(
                "not tried again: there is no free gap before its next release",
                job=job.name,
                run=record.id,
            )
            return
        earlier = self._retries.get(job.name)
        if earlier is not None:
            earlier.valid = False
        due = _Due(job, instant, Cause.retry, record.attempt + 1, first_id)
        self._retries[job.name] = due
        self._push(due)
        self._wake()

    async def _place_catch_up(self) -> None:
        """Give the most overdue release a gap, if none is being caught up with now."""
        while self._catching is None and self._backlog:
            now = self._clock.now()
            item = self._backlog.take(now)
            instant = self._gap(item.job, now)
            if instant is None:
                await self._miss(
                    item.job, item.instant, reason="there is no free gap before its next release"
                )
            else:
                due = _Due(item.job, instant, Cause.catch_up, wanted_at=item.instant)
                self._catching = due
                self._push(due)

    def _gap(self, job: Job, earliest: float) -> float | None:
        """The first time from `earliest` on at which the job fits between all slots.

        None if there is none before its own next release; a job that catches up with all it has
        missed may go beyond that.
        """
        course = self._courses.get(job.name)
        if course is None:
            return earliest
        length = course.slot.duration
        end = math.inf if job.misfire is Misfire.all else course.due.instant
        instant = earliest
        while True:
            found = self._timetable.next_free(
                self._calendar.to_timetable(instant), length, ignore=job.name
            )
            if found is None:
                return None
            instant = max(instant, self._calendar.to_unix(found, not_before=instant))
            if instant >= end:
                return None
            taken = [until for start, until in self._placed() if start < instant + length]
            if not taken or max(taken) <= instant:
                return instant
            instant = max(taken)

    def _placed(self) -> Iterator[tuple[float, float]]:
        """From when to when gaps are taken by what was placed in them."""
        placed = list(self._retries.values())
        if isinstance(self._catching, _Due):
            placed.append(self._catching)
        for due in placed:
            course = self._courses.get(due.job.name)
            if course is not None:
                yield due.instant, due.instant + course.slot.duration

    # Common to all

    async def _release(self, due: _Due, released_at: float) -> Release | None:
        release = await self._book.release(
            due.job,
            released_at=released_at,
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
        if jump.seconds > 0:
            return  # what is overdue now shows by itself
        for course in self._courses.values():
            if course.elapsed is None or course.newest is None:
                course.due.valid = False
                course.due = _Due(
                    course.job,
                    self._calendar.next_release(course.slot.interval, course.slot.phase, now),
                )
                self._push(course.due)
            else:
                course.elapsed += jump.seconds
                self._renew(course)
        placed = [*self._retries.values()]
        if isinstance(self._catching, _Due):
            placed.append(self._catching)
        for due in placed:
            due.instant += jump.seconds
        self._heap = [
            (due.instant, rank, number, due) for _, rank, number, due in self._heap if due.valid
        ]
        heapq.heapify(self._heap)

    def _push(self, due: _Due) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (due.instant, -due.job.priority, self._pushed, due))

    def _next_instant(self) -> float:
        while self._heap and not self._heap[0][-1].valid:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def _wake(self) -> None:
        if self._nap is not None:
            self._nap.cancel()
