"""What is owed to jobs: releases whose time passed, to be caught up with one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from muxd.job import Misfire
from muxd.misfire import MOST_CATCH_UPS, Backlog, Overdue
from muxd.pause import DRAIN, WHOLE
from muxd.record import Outcome
from muxd.release import Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from muxd.agenda import Due
    from muxd.book import RunBook
    from muxd.job import Job
    from muxd.pause import Pause
    from muxd.pauses import Pauses
    from muxd.record import Record

__all__ = ["GONE", "Arrears", "told"]

GONE = "its job is gone"
"""Why a release of a job that is there no more is not run, for people."""
WHY = {WHOLE: "muxd is paused", DRAIN: "muxd is drained"}


def told(pause: Pause) -> str:
    """Why a release that is passed over is not run, for people."""
    return f"{WHY.get(pause.job, 'its job is paused')}: {pause.note}"


@final
class Arrears:
    """The owner of what is owed. One is being caught up with at a time.

    Each is in the book from the beginning on, so that it survives muxd, and leaves this object in
    one of two ways: its run ends, or it is recorded as ``missed``.
    """

    def __init__(self, book: RunBook, pauses: Pauses) -> None:
        """Nothing is owed yet."""
        self._book, self._pauses = book, pauses
        self._backlog = Backlog()
        # What is being caught up with: placed in a gap, or released and not ended.
        self._current: Due | Release | None = None
        # What is owed to jobs that are gone.
        self._orphans: list[Overdue] = []

    def __bool__(self) -> bool:
        """True while something is owed that has no place in a gap."""
        return bool(self._backlog)

    async def add(
        self, job: Job, owed: Iterable[Release], instants: Sequence[int], *, since: float
    ) -> None:
        """Take on what the book has as owed.

        Args:
          job: whose it is.
          owed: the releases.
          instants: when each was, timetable time.
          since: the first release that the job did not get, timetable time.
        """
        for release, instant in zip(owed, instants, strict=True):
            waited = instant if job.misfire is Misfire.all else since
            self._backlog.add(Overdue(release=release, instant=instant, since=waited))
        await self._keep_bound(job)

    async def inherit(self, records: Sequence[Record], jobs: Mapping[str, Job]) -> None:
        """Take on what another daemon owed to these jobs; of others it is recorded as missed."""
        for record in records:
            job = jobs.get(record.job)
            if job is None:
                await self._book.abandon(record, GONE)
                continue
            release, instant = self._book.adopt(record, job), record.released_at
            self._backlog.add(Overdue(release=release, instant=instant, since=instant))
            await trio.lowlevel.checkpoint()  # there may be thousands
        for name in {record.job for record in records} & jobs.keys():
            await self._keep_bound(jobs[name])

    async def make_way(self, job: Job) -> None:
        """A job's own slot has come: it stands for what was still to be caught up with.

        What has a place in a gap has one before that slot, so it is through, or in the backlog.
        """
        if job.misfire is not Misfire.all:
            await self._forgive(
                self._backlog.withdraw(job.name),
                reason="its next release came before there was a free gap",
            )

    async def bury(self) -> None:
        """Record what was owed to jobs that are gone."""
        orphans, self._orphans = self._orphans, []
        await self._forgive(orphans, reason=GONE)

    async def next(self, now: float) -> Overdue | None:
        """What is to be placed in a gap next; None if nothing is, or something has a place.

        Args:
          now: timetable time.
        """
        while self._current is None:
            item = self._backlog.take(now, later=self.must_wait)
            if item is None:
                return None
            pause = self._pauses.in_the_way(item.job.name)
            if pause is None:
                return item
            await self._forgive([item], reason=told(pause))
        return None

    async def forgive(self, item: Overdue, reason: str) -> None:
        """It is not caught up with: it is recorded as missed, for this reason."""
        await self._forgive([item], reason=reason)

    def must_wait(self, item: Overdue) -> bool:
        """Where all are to be run, none of them may coalesce with a run that is under way."""
        return item.job.misfire is Misfire.all and self._book.is_busy(item.job.name)

    def placed(self, due: Due) -> None:
        """It has a place in a gap: nothing else gets one before it is through."""
        self._current = due

    def displaced(self, due: Due) -> None:
        """It needs another place."""
        assert due.overdue is not None  # it is what is caught up with
        self._backlog.add(due.overdue)
        self._current = None

    def released(self, due: Due, release: Release | None) -> None:
        """Its gap has come; `release` is None if there will be no run of it."""
        if due is self._current:
            self._current = release

    def ended(self, run_id: str) -> bool:
        """A run is over, or waits for something else than the browser.

        True if something may be placed now.
        """
        if isinstance(self._current, Release) and self._current.id == run_id:
            self._current = None
        return bool(self._backlog)

    def forget(self, run_id: str) -> None:
        """This one is ended before it has begun."""
        for item in self._backlog:
            if item.release.id == run_id:
                others = self._backlog.withdraw(item.job.name)
                self._backlog.add(*(each for each in others if each is not item))
                return

    def drop(self, job: str, due: Due | None) -> None:
        """A job is gone: `due` is what had a place for it. Recorded by `bury`."""
        self._orphans += self._backlog.withdraw(job)
        if due is not None and due.overdue is not None:
            self._orphans.append(due.overdue)
            self._current = None

    async def _keep_bound(self, job: Job) -> None:
        """No job is owed more than so many, however often muxd dies while it catches up."""
        placed = 1 if self._is_owed(job, self._current) else 0
        await self._forgive(
            self._backlog.withdraw(job.name, but=MOST_CATCH_UPS - placed),
            reason="newer ones of its releases are to be caught up with first",
        )

    def _is_owed(self, job: Job, current: Due | Release | None) -> bool:
        """Whether what is being caught up with is this job's, and has not begun."""
        if current is None or current.job.name != job.name:
            return False
        return not isinstance(current, Release) or any(
            each.id == current.id for each in self._book.waiting
        )

    async def _forgive(self, items: Iterable[Overdue], *, reason: str) -> None:
        for item in items:
            await self._book.withdraw(item.release, Outcome.missed, reason)
