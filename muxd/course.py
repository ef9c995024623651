"""One job on its slot: which release was its newest, and which is its next. Pure."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from muxd.civil import Calendar
    from muxd.job import Job
    from muxd.slotting import Slot

__all__ = ["Course"]


@final
class Course:
    """A job's way along the timetable. Instants are in timetable time, Unix seconds.

    The next release is the first place of the slot that is more than half an interval, and at most
    one and a half, after the newest by the time that really passed. So after a step back of up to
    half an interval no instant comes twice, and after a longer one the job does not wait for it.
    """

    def __init__(
        self, calendar: Calendar, job: Job, slot: Slot, *, now: float, newest: float | None = None
    ) -> None:
        """Begin a course.

        Args:
          calendar: where the slot's releases are in time.
          job: which job.
          slot: its slot.
          now: the timetable time.
          newest: its newest release before; None if there was none, and then its first is the
            slot's next.
        """
        self.job, self.slot = job, slot
        self._calendar = calendar
        self._newest = newest
        # `newest` by today's clock: moved back with each step back.
        self._elapsed = newest
        self.next: float
        """The next release. In the past if it is overdue."""
        if newest is None:
            self._start(now)
        elif newest <= now:
            self._renew()
        else:
            # The clock was wrong, then or now. How long ago that was, nobody knows.
            self._elapsed = now
            self.next = self._after(newest)
            if self.next > now + slot.interval:
                self._start(now)

    @property
    def newest(self) -> float | None:
        """The newest release that was given out or will never be; None if there was none."""
        return self._newest

    def advance(self, newest: float) -> None:
        """The release of this instant is given out, or will never be; what comes next?"""
        self._newest = self._elapsed = newest
        self._renew()

    def step_back(self, seconds: float, now: float) -> None:
        """The clock was set back by this much; it now shows `now`."""
        if self._elapsed is None:
            self._start(now)
        else:
            self._elapsed -= seconds
            self._renew()

    def move(self, job: Job, slot: Slot, now: float) -> Course:
        """The course of the same job on another slot, or as it is now declared.

        A slot that has only become longer or shorter comes when it would have come.
        """
        if (slot.interval, slot.phase) == (self.slot.interval, self.slot.phase):
            course = copy(self)
            course.job, course.slot = job, slot
            return course
        course = Course(self._calendar, job, slot, now=now)
        if self._newest is not None:
            course._newest, course._elapsed = self._newest, self._elapsed
            course._renew()
        return course

    def following(self, release: float) -> float:
        """The release after one of the slot's."""
        return self._after(release)

    def _start(self, now: float) -> None:
        slot = self.slot
        self.next = self._calendar.next_release(slot.interval, slot.phase, now)

    def _renew(self) -> None:
        assert self._elapsed is not None
        self.next = self._after(self._elapsed)

    def _after(self, previous: float) -> float:
        slot = self.slot
        return self._calendar.next_release(slot.interval, slot.phase, previous, previous)
