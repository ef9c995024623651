"""The contract of what keeps the records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import trio

from muxd.errors import LedgerError
from muxd.statistics import Statistics, Summary, row_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from muxd.learned import Learned
    from muxd.pause import Pause
    from muxd.record import Outcome, Record

    Pace = Callable[[], Awaitable[object]]

__all__ = ["Store"]

FOUND = 10_000
"""How many of its newest runs a store knows by a part of their ids, at least."""
PAGE = 1000
"""How many records are read at once where all of them are looked at."""


class Store(ABC):
    """Keeps records for good.

    Laws:

    - `write` returns only when the record would survive a power cut.
    - A record that has an outcome is never changed again: a later write of it is an error of the
      caller and is refused (`~muxd.errors.LedgerError`).
    - Every method is safe under cancellation: what was begun is either done whole or not at all.
    - Methods raise `~muxd.errors.LedgerError` when the medium fails.
    """

    @abstractmethod
    def open(self, *, readonly: bool = False) -> AbstractAsyncContextManager[Store]:
        """The store, opened; closed on leaving.

        With `readonly` it may be shared with a live daemon; without, the caller holds the state
        directory, and a store that is damaged may be mended or begun anew.
        """

    @abstractmethod
    async def write(self, *records: Record) -> None:
        """Insert or update records by their ids, all of them or none."""

    @abstractmethod
    async def unfinished(self) -> Sequence[Record]:
        """Records without an outcome, oldest first."""

    @abstractmethod
    async def history(
        self,
        *,
        job: str | None = None,
        outcome: Outcome | None = None,
        since: float | None = None,
        until: float | None = None,
        before: Record | None = None,
        limit: int = 100,
    ) -> Sequence[Record]:
        """The newest `limit` records that have an outcome, newest end first.

        Args:
          job: only this job's.
          outcome: only those that ended so.
          since: only those that ended then or later, Unix seconds. One without an end counts by its
            release, here and in the order.
          until: only those that ended before that, Unix seconds.
          before: only those that come after this one in the order: given the last of a page, the
            next page. It need not be in the store.
          limit: 0 or more.
        """

    @abstractmethod
    async def get(self, run_id: str) -> Record | None:
        """The record of this id, None if there is none."""

    async def find(self, part: str, *, limit: int = 10) -> Sequence[Record]:
        """Records whose ids begin or end with `part`, with an outcome or not, newest id first.

        Args:
          part: 1 character or more.
          limit: how many at most, 1 or more.

        A store need know only its newest runs so, as here the newest 10,000.
        """
        known = [*await self.history(limit=FOUND), *await self.unfinished()]
        found = [each for each in known if each.id.startswith(part) or each.id.endswith(part)]
        return sorted(found, key=lambda each: each.id, reverse=True)[:limit]

    async def tries(self, first_id: str) -> Sequence[Record]:
        """The run with this id and all further tries of it, in their order.

        A store need know only its newest runs so, as here the newest 10,000.
        """
        known = [*await self.history(limit=FOUND), *await self.unfinished()]
        found = [each for each in known if first_id in (each.id, each.first_id)]
        return sorted(found, key=lambda each: (each.attempt, each.id))

    async def statistics(
        self, *, job: str | None = None, since: float | None = None, until: float | None = None
    ) -> Statistics:
        """What the records that have an outcome say together, job by job.

        Args:
          job: only this job's.
          since: only those that ended then or later, as for `history`.
          until: only those that ended before that.

        Other calls get in between, and what it takes in memory grows with the jobs only. Records
        that are written or deleted meanwhile may count, or not.

        A store that has no quicker way reads them page by page, as here.
        """
        summary, last = Summary(), None
        while page := await self.history(
            job=job, since=since, until=until, before=last, limit=PAGE
        ):
            summary.add([row_of(record) for record in page])
            last = page[-1]
        return summary.result()

    @abstractmethod
    async def last_releases(self) -> Mapping[str, float]:
        """For each job the newest release by its slot, real Unix seconds; rehearsals don't count."""

    @abstractmethod
    async def learned(self) -> Mapping[str, Learned]:
        """For each job that had good runs at speed 1 what is known of its durations."""

    @abstractmethod
    async def phases(self) -> Mapping[str, tuple[int, int]]:
        """The phases in force: job name to (interval, phase), seconds."""

    @abstractmethod
    async def set_phases(
        self, phases: Mapping[str, tuple[int, int]], *, at: float | None = None
    ) -> None:
        """Replace the phases in force.

        Args:
          phases: job name to (interval, phase), seconds.
          at: from when on jobs of which that was not said before are to be released, real Unix seconds; None:
            from whenever somebody does.
        """

    async def placed(self) -> Mapping[str, float]:
        """Since when jobs have a place on the timetable, Unix seconds, as `set_phases` was told.

        So the first release of a job is not forgotten either, should nobody be there at its time.
        A store that doesn't keep it knows of none, as here.
        """
        await trio.lowlevel.checkpoint()
        return {}

    @abstractmethod
    async def pauses(self) -> Mapping[str, Pause]:
        """The jobs that are paused, by name."""

    @abstractmethod
    async def set_pauses(self, pauses: Mapping[str, Pause]) -> None:
        """Replace the pauses, all of them. Those of jobs that are not here now may be among them."""

    @abstractmethod
    async def prune(self, *, older_than: float, keep: int, pace: Pace | None = None) -> int:
        """Delete records that have an outcome and are not needed any more.

        Deleted are those that ended before `older_than`, and the oldest of more than `keep`. What is
        needed stays, however old: the newest release of each job (`last_releases`) and the runs that
        `learned` looks at.

        Args:
          older_than: Unix seconds. A record without an end counts by its release.
          keep: how many ended records may stay, 0 or more; those that are needed count too.
          pace: is awaited before each small part: it returns when the moment is good.

        Returns:
          How many were deleted.

        Other calls get in between: none waits for more than a small part of it. Cancelled, it has
        deleted some.
        """

    async def settle(self) -> None:
        """Do now, in a moment when nothing runs, what a later write would have to wait for.

        Called often; next to nothing where there is nothing to do, and short where there is. A store
        whose writes leave nothing to be done does nothing, as here.
        """
        await trio.lowlevel.checkpoint()

    async def check(self) -> None:
        """Look through all that is kept for damage, beside all other calls, and mend what can be.

        What people should know of it is in `warnings`. A store that can't be damaged does nothing,
        as here. Cancelled, it has done a part.
        """
        await trio.lowlevel.checkpoint()

    async def inspect(self) -> str:
        """Look through all that is kept and change nothing: what it is like, in words for people.

        Needs no `open`; may be done beside somebody who has it open. A store that can't be looked
        into says nothing, as here.

        Raises:
          LedgerError: it can't be read, is damaged, or a newer version's.
        """
        await trio.lowlevel.checkpoint()
        return ""

    async def backup(self, folder: Path) -> None:
        """Put a copy of all that is kept, as it is in one moment, into an empty directory.

        A store that is made on that directory has it then, and so has one in whose directory the
        files are put in the place of those with the same names. Needs no `open`; may be done beside
        somebody who has it open, and holds nobody up. Cancelled, the copy is worth nothing.

        Raises:
          LedgerError: it can't be read, or the copy can't be written; or the store makes no
            copies, as here.
        """
        await trio.lowlevel.checkpoint()
        raise LedgerError(f"{type(self).__qualname__}: this store makes no copies of itself")

    @property
    def warnings(self) -> Sequence[str]:
        """What people should know about the state of the store, oldest first: shown by `muxd status`."""
        return ()
