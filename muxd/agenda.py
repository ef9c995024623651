"""What comes due, in order. Pure."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, final

import attrs

from muxd.release import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.job import Job
    from muxd.misfire import Overdue
    from muxd.release import Release

__all__ = ["Agenda", "Due"]


@attrs.frozen(kw_only=True, eq=False)
class Due:
    """Something that comes due. Instants are in timetable time, Unix seconds."""

    job: Job
    instant: float
    """When it comes due."""
    cause: Cause
    attempt: int = 1
    first_id: str | None = None
    """For a retry: the id of the first try."""
    after: str | None = None
    """For a retry: the id of the try before."""
    release: Release | None = None
    """For what is in the book already: what it is."""
    overdue: Overdue | None = None
    """For what is caught up with: what it is."""


@final
class Agenda:
    """The next of each kind for each job, earliest first.

    Of one instant the higher priority comes first, then what was put in first. Putting in and
    taking out cost O(log n).
    """

    def __init__(self) -> None:
        """Make an empty one."""
        # {(job name, cause): what is in force}
        self._entries: dict[tuple[str, Cause], Due] = {}
        # Of these, those that are not of a slot
        self._placed: dict[tuple[str, Cause], Due] = {}
        # (instant, -priority, number, what). What is no longer in force is passed over.
        self._heap: list[tuple[float, int, int, Due]] = []
        self._count = 0

    @property
    def placed(self) -> tuple[Due, ...]:
        """What has a place in a gap and no slot, in no order."""
        return tuple(self._placed.values())

    @property
    def next_instant(self) -> float:
        """When the first comes due; infinity if there is none."""
        self._clear()
        return self._heap[0][0] if self._heap else math.inf

    @property
    def next_job(self) -> Job | None:
        """Whose comes due first; None if there is none."""
        self._clear()
        return self._heap[0][-1].job if self._heap else None

    def put(self, due: Due) -> None:
        """Put in, in place of what is there for the same job and cause."""
        self._entries[due.job.name, due.cause] = due
        if due.cause is not Cause.slot:
            self._placed[due.job.name, due.cause] = due
        self._count += 1
        heapq.heappush(self._heap, (due.instant, -due.job.priority, self._count, due))
        if len(self._heap) > 2 * len(self._entries) + 16:
            self._heap = [row for row in self._heap if self._in_force(row[-1])]
            heapq.heapify(self._heap)

    def drop(self, job: str, cause: Cause) -> Due | None:
        """Take out what is there for this job and cause, and return it."""
        self._placed.pop((job, cause), None)
        return self._entries.pop((job, cause), None)

    def of(self, job: str) -> list[Due]:
        """What is there for this job, one of each cause at most, in no order."""
        found = (self._entries.get((job, cause)) for cause in Cause)
        return [due for due in found if due is not None]

    def pop(self, now: float) -> Due | None:
        """Take out the first whose instant has come; None if there is none."""
        if self.next_instant > now or not self._heap:
            return None
        due = heapq.heappop(self._heap)[-1]
        self.drop(due.job.name, due.cause)
        return due

    def in_order(self) -> Iterator[Due]:
        """All as they are now, earliest first; each costs O(log n) once it is asked for."""
        heap = self._heap.copy()
        while heap:
            due = heapq.heappop(heap)[-1]
            if self._in_force(due):
                yield due

    def _in_force(self, due: Due) -> bool:
        return self._entries.get((due.job.name, due.cause)) is due

    def _clear(self) -> None:
        while self._heap and not self._in_force(self._heap[0][-1]):
            heapq.heappop(self._heap)
