"""What becomes of releases whose time passed while nobody could release them. Pure."""

from __future__ import annotations

import heapq
from bisect import insort
from itertools import chain, islice
from typing import TYPE_CHECKING

import attrs

from muxd.job import Misfire
from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from muxd.job import Job
    from muxd.release import Release

__all__ = ["MOST_CATCH_UPS", "Backlog", "Overdue", "Verdict", "sort_out"]

MOST_CATCH_UPS = 24
"""How many releases of one job are caught up with at most, where it wants all."""
MOST_RECORDS = 100
"""How many missed releases of one job get a record each; one more record counts the others."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What becomes of a row of releases of one job. Instants are Unix seconds, oldest first."""

    newest: int
    """The last of them all."""
    on_time: int | None
    """The newest, if its time has only just come: it is an ordinary release."""
    catch_up: tuple[int, ...]
    """To be run late."""
    missed: tuple[int, ...]
    """Not to be run; each gets a record."""
    unlisted: range | None
    """Older ones that are not to be run either: the first of them (``start``) and, as its length,
    how many there are. They share one record."""

    def told(self, reason: str, real: Callable[[float], float]) -> list[tuple[float, str]]:
        """What is recorded as missed, oldest first: when it was, and why, for people.

        Args:
          reason: of all of them.
          real: gives the real Unix seconds of an instant.
        """
        missed = [(real(instant), reason) for instant in self.missed]
        if self.unlisted is not None:
            first = real(self.unlisted.start)
            words = f"{len(self.unlisted)} releases, from {utc_text(first)} on, share this record"
            missed.insert(0, (first, f"{reason}: {words}"))
        return missed


def sort_out(misfire: Misfire, passed: Sequence[range], *, on_time_from: float) -> Verdict:
    """Sort releases whose time has come, by the job's policy.

    Args:
      misfire: the policy.
      passed: the releases, ascending, as `Calendar.passed` gives them; at least one.
      on_time_from: Unix seconds. The newest release is on time if it is not older than this.
    """
    total = sum(map(len, passed))
    newest = passed[-1][-1]
    on_time = newest if newest >= on_time_from else None
    late = 1 if on_time is None else 0
    wanted = {Misfire.run_once: late, Misfire.skip: 0, Misfire.all: MOST_CATCH_UPS}[misfire]
    newest_first = islice(chain.from_iterable(map(reversed, reversed(passed))), 1 - late, None)
    catch_up = tuple(islice(newest_first, wanted))
    missed = tuple(islice(newest_first, MOST_RECORDS))
    others = total - (1 - late) - len(catch_up) - len(missed)
    oldest = passed[0][0]
    return Verdict(
        newest=newest,
        on_time=on_time,
        catch_up=catch_up[::-1],
        missed=missed[::-1],
        unlisted=range(oldest, oldest + others) if others else None,
    )


@attrs.frozen(kw_only=True)
class Overdue:
    """A release that is to be run late. Instants are in timetable time, Unix seconds."""

    release: Release
    """What is in the book: it is owed."""
    instant: float
    """When its time was."""
    since: float
    """Since when the job has been waiting for a run: the first release that it did not get."""

    @property
    def job(self) -> Job:
        """Whose it is."""
        return self.release.job


class Backlog:
    """Overdue releases, handed out one at a time, the most overdue for its interval first.

    Of jobs with one interval the order is the same at any time: so each interval has a queue, and to
    take the next costs O(log n) and a look at the first of each queue.
    """

    def __init__(self) -> None:
        """Make an empty one."""
        # {job name: its items}, each list oldest first and never empty
        self._items: dict[str, list[Overdue]] = {}
        # {interval: a heap of (since, -priority, job name, number, the oldest item of that job)}.
        # What is no job's oldest any more is passed over.
        self._queues: dict[int, list[tuple[float, int, str, int, Overdue]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def __bool__(self) -> bool:
        return bool(self._items)

    def __iter__(self) -> Iterator[Overdue]:
        """Go through all, in no order."""
        return chain.from_iterable(self._items.values())

    def add(self, *items: Overdue) -> None:
        """Put in."""
        for item in items:
            own = list(self._items.get(item.job.name, ()))
            insort(own, item, key=lambda one: one.instant)
            self._put(item.job.name, own)

    def take(
        self, now: float, *, later: Callable[[Overdue], bool] = lambda _: False
    ) -> Overdue | None:
        """Take out the next, but none that is for `later`; None if there is none.

        Most intervals overdue first, then the higher priority, then the name; of one job's the
        oldest.
        """
        candidates = filter(None, [self._first(each, later) for each in list(self._queues)])
        chosen = min(
            candidates,
            key=lambda item: (
                (item.since - now) / item.job.interval,
                -item.job.priority,
                item.job.name,
            ),
            default=None,
        )
        if chosen is not None:
            self._put(chosen.job.name, self._items[chosen.job.name][1:])
        return chosen

    def withdraw(self, job: str, *, but: int = 0) -> tuple[Overdue, ...]:
        """Take out all of one job, but for so many of the newest; oldest first."""
        own = self._items.get(job, [])
        split = max(len(own) - but, 0)
        if split:
            self._put(job, own[split:])
        return tuple(own[:split])

    def _first(self, interval: int, later: Callable[[Overdue], bool]) -> Overdue | None:
        """The first of the jobs with this interval that is not for `later`."""
        queue, passed, found = self._queues[interval], [], None
        while queue and found is None:
            if not self._is_oldest(queue[0][-1]):
                heapq.heappop(queue)
            elif later(queue[0][-1]):
                passed.append(heapq.heappop(queue))
            else:
                found = queue[0][-1]
        for row in passed:
            heapq.heappush(queue, row)
        if not queue:
            del self._queues[interval]
        return found

    def _is_oldest(self, item: Overdue) -> bool:
        own = self._items.get(item.job.name)
        return own is not None and own[0] is item

    def _put(self, job: str, items: list[Overdue]) -> None:
        before = self._items.pop(job, None)
        if not items:
            return
        self._items[job] = items
        oldest = items[0]
        if before is not None and before[0] is oldest:
            return
        self._count += 1
        queue = self._queues.setdefault(oldest.job.interval, [])
        row = (oldest.since, -oldest.job.priority, job, self._count, oldest)
        heapq.heappush(queue, row)
        if len(queue) > 2 * len(self._items) + 16:
            queue[:] = [row for row in queue if self._is_oldest(row[-1])]
            heapq.heapify(queue)
