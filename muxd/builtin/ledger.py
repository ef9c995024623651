"""The ledger: every run's record, in SQLite in the state directory.

The plugin that keeps records unless another one does.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from muxd import hookimpl
from muxd.abc import FOUND, Learned, Statistics, Store
from muxd.builtin import _ledger_copy as copying
from muxd.builtin import _ledger_prune as pruning
from muxd.builtin import _ledger_rows as rows
from muxd.builtin._ledger_errors import explained
from muxd.builtin._ledger_file import LedgerFile
from muxd.builtin._ledger_sqlite import transaction
from muxd.errors import LedgerError
from muxd.record import CUT_OFF
from muxd.statistics import Summary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from muxd.abc import Pace
    from muxd.pause import Pause
    from muxd.record import Outcome, Record

    InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

T = TypeVar("T")

__all__ = ["FILE_NAME", "Ledger", "muxd_store"]

FILE_NAME = "ledger.sqlite3"
"""The ledger's file in the state directory."""
COUNTED_AT_ONCE = 5000
"""How many records are read by one statement where all are counted."""
SETTLED_AFTER = 50
"""After how many changes what is in the WAL is brought into the file, in a quiet moment: half a
megabyte or so."""
SETTLE = "PRAGMA wal_checkpoint(PASSIVE)"
"""Waits for nobody, and nobody waits for it but who asks this ledger for something meanwhile."""


@hookimpl(trylast=True)
def muxd_store(state_dir: Path) -> Store:
    """Keep records in SQLite, unless another plugin has a store of its own."""
    return Ledger(state_dir)


class Ledger(Store):
    """A `Store` in one SQLite file, ``ledger.sqlite3``, that several processes may open.

    One connection, used by one worker thread at a time. What has reached that thread is done
    whole, even if the task that asked is cancelled meanwhile: such a call returns late, by
    `patience` at most, and as if it had not been cancelled. A call that is cancelled while it
    waits for its turn has done nothing.

    A file that turns out to be damaged, when it is opened to write or later, is set aside, and the
    call goes on with a new one: it has what was in progress, phases, pauses, and whatever else can
    be read of the damaged one. Who opens the ledger to write must hold the state directory.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        patience: float = 5.0,
        durable: bool = True,
        run_in_thread: InThread | None = None,
    ) -> None:
        """A ledger in `state_dir`, not yet opened.

        Args:
          state_dir: a directory that exists.
          patience: how long to wait for another process's lock, seconds, 0 or more.
          durable: False: a power cut may damage it. For ledgers that are thrown away.
          run_in_thread: runs what blocks; by default a worker thread of trio's. On virtual time,
            where no thread may be waited for, it can be run at once.
        """
        self.path = state_dir / FILE_NAME
        self._file = LedgerFile(
            self.path, patience=patience, synchronous="FULL" if durable else "OFF"
        )
        self._is_open = self._is_usable = self._readonly = False
        # {job: durations as they are read, and what they say}: few have changed since the last look
        self._learned: dict[str, tuple[str, Learned]] = {}
        self._unsettled = 0  # how many changes there were since the WAL was brought into the file
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._run_in_thread = run_in_thread or self._in_worker_thread
        self._run_beside = run_in_thread or self._in_other_thread

    @property
    def warnings(self) -> Sequence[str]:
        """What people should know: whether it was damaged, and what became of it."""
        return tuple(self._file.warnings)

    @asynccontextmanager
    async def open(self, *, readonly: bool = False) -> AsyncIterator[Ledger]:
        """The ledger, opened; closed on leaving, even under cancellation.

        Makes the file (mode 0600) where there is none, and brings an older one up to date. With
        `readonly` nothing is made or changed, and a ledger that isn't there is empty.

        Raises:
          LedgerError: it can't be opened, is not a ledger, or a newer muxd's; or it is damaged, and
            was opened to read, or can't be set aside.
        """
        if self._is_open:
            raise LedgerError(f"the ledger {self.path} is open already")
        self._is_open, self._readonly = True, readonly
        try:
            try:
                await self._in_thread(lambda: self._file.open(readonly=readonly))
                self._is_usable = True
                yield self
            finally:
                self._is_usable = False  # calls that still wait for their turn are refused
                with trio.CancelScope(shield=True):  # bounded: it doesn't wait for locks
                    await self._in_thread(self._file.close)
        finally:
            self._is_open = False

    async def write(self, *records: Record) -> None:
        """Insert or update records by their ids: one transaction, one fsync.

        Cancelled before it has begun it has done nothing; later it is done whole.

        Raises:
          LedgerError: one of them has an outcome in the ledger already (none is written), or the
            medium failed (none is written).
        """
        new = [rows.row_of(record) for record in records]

        def write(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                for row in new:
                    try:
                        connection.execute(rows.UPSERT, row)
                    except sqlite3.IntegrityError as error:
                        raise LedgerError(
                            f"run {row[0]!r} of job {row[1]!r} is not written: {error}"
                        ) from None
            self._file.present.wrote(records)

        await self._change(write)

    async def unfinished(self) -> Sequence[Record]:
        """Records without an outcome, oldest first. Safe to cancel."""
        return await self._call(lambda c: self._records(c.execute(rows.UNFINISHED)))

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
        """The newest `limit` ended records, newest end first, see `Store.history`. Safe to cancel."""
        if limit < 0:
            raise ValueError(f"limit={limit} is not possible: give 0 or more")
        query = rows.history_query(by_job=job is not None, by_outcome=outcome is not None)
        given = [value for value in (job, outcome and outcome.value) if value is not None]
        bounds = rows.history_bounds(since, until, before)
        return await self._call(lambda c: self._records(c.execute(query, (*given, *bounds, limit))))

    async def get(self, run_id: str) -> Record | None:
        """The record of this id, None if there is none. Safe to cancel."""
        found = await self._call(lambda c: self._records(c.execute(rows.GET, (run_id,))))
        return found[0] if found else None

    async def find(self, part: str, *, limit: int = 10) -> Sequence[Record]:
        """Records by a part of their ids, see `Store.find`. Safe to cancel.

        By the beginning all are known, by the end the newest `FOUND`.
        """

        def read(connection: sqlite3.Connection) -> list[Record]:
            named = (part, part + rows.AFTER_ALL_IDS, limit)
            found = self._records(connection.execute(rows.BEGINNING_WITH, named))
            ends = connection.execute(rows.ENDING_WITH, (FOUND, -len(part), part, limit))
            for (run_id,) in ends.fetchall():
                found += self._records(connection.execute(rows.GET, (run_id,)))
            by_id = {record.id: record for record in found}
            return [by_id[run_id] for run_id in sorted(by_id, reverse=True)][:limit]

        return await self._call(read)

    async def tries(self, first_id: str) -> Sequence[Record]:
        """The run with this id and all further tries of it, in their order. Safe to cancel."""
        both = (first_id, first_id)
        found = await self._call(lambda c: self._records(c.execute(rows.TRIES, both)))
        return sorted(found, key=lambda each: (each.attempt, each.id))

    async def statistics(
        self, *, job: str | None = None, since: float | None = None, until: float | None = None
    ) -> Statistics:
        """What the records say job by job, see `Store.statistics`. Safe to cancel.

        Nobody waits for it: who writes has a connection of his own.
        """
        summary, query = Summary(), rows.statistics_query(by_job=job is not None)
        place: list[Any]
        first, *place = rows.history_bounds(since, until, None)
        given = [CUT_OFF] if job is None else [CUT_OFF, job]

        def read(connection: sqlite3.Connection) -> list[Any]:
            values = (*given, first, *place, COUNTED_AT_ONCE)
            found = connection.execute(query, values).fetchall()
            summary.add(found)
            return [found[-1][2], found[-1][-1]] if len(found) == COUNTED_AT_ONCE else []

        self._check_open()
        while last := await self._read(read):
            place = last
        return summary.result()

    async def last_releases(self) -> Mapping[str, float]:
        """For each job the newest release by its slot, real Unix seconds. Safe to cancel."""
        found = await self._call(lambda c: c.execute(rows.LAST_RELEASES).fetchall())
        return {job: released_us / 1e6 for job, released_us in found}

    async def learned(self) -> Mapping[str, Learned]:
        """For each job what its newest 50 good runs at speed 1 took. Safe to cancel.

        The percentiles are by nearest rank; the longest run is set aside if it took more than
        twice as long as the next (and there are three or more).
        """

        def read(connection: sqlite3.Connection) -> dict[str, Learned]:
            found = connection.execute(rows.LEARNED_FROM, (Learned.NEWEST,))
            known, self._learned = self._learned, {}
            for job, taken in found:
                before = known.get(job)
                self._learned[job] = (
                    before
                    if before is not None and before[0] == taken
                    else (taken, Learned.of([int(us) / 1e6 for us in taken.split(",")]))
                )
            return {job: learned for job, (_, learned) in self._learned.items()}

        return await self._call(read)

    async def phases(self) -> Mapping[str, tuple[int, int]]:
        """The phases in force: job to (interval, phase), seconds. Safe to cancel."""
        places = await self._call(rows.read_places)
        return {job: (interval, phase) for job, (interval, phase, _) in places.items()}

    async def set_phases(
        self, phases: Mapping[str, tuple[int, int]], *, at: float | None = None
    ) -> None:
        """Replace the phases in force, in one transaction; cancellation as for `write`."""

        def replace(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                before = rows.read_places(connection)
                places = rows.places_of(phases, before, at)
                if places != before:  # most often durations alone have changed
                    rows.replace_places(connection, places)
            self._file.present.set_places(places)

        await self._change(replace)

    async def placed(self) -> Mapping[str, float]:
        """Since when jobs have a place on the timetable, Unix seconds. Safe to cancel."""
        places = await self._call(rows.read_places)
        return {job: at / 1e6 for job, (_, _, at) in places.items() if at is not None}

    async def pauses(self) -> Mapping[str, Pause]:
        """The jobs that are paused, by name. Safe to cancel."""
        return await self._call(rows.read_pauses)

    async def set_pauses(self, pauses: Mapping[str, Pause]) -> None:
        """Replace the pauses, in one transaction; cancellation as for `write`."""

        def replace(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                rows.replace_pauses(connection, pauses)
            self._file.present.set_pauses(pauses)

        await self._change(replace)

    async def prune(self, *, older_than: float, keep: int, pace: Pace | None = None) -> int:
        """Delete old records, see `Store.prune`, and make the file smaller if much of it is free.

        In many small transactions: others get in between. Cancelled, it has deleted some.
        """
        pace = pace or trio.lowlevel.checkpoint
        pruning.check(older_than, keep)
        self._check_open(writes=True)
        plan = await self._beside(
            lambda: self._file.read_beside(lambda c: pruning.plan(c, older_than, keep))
        )
        deleted = 0
        await pace()
        while (batch := await self._change(plan.delete_some)) is not None:
            deleted += batch
            await pace()
        while await self._change(pruning.shrink):
            await pace()
        return deleted

    async def settle(self) -> None:
        """Bring what is in the WAL into the file, if it is much, so that no write has to do it.

        Cancelled while it waits for its turn it has done nothing; later it is done whole.
        """
        if self._unsettled < SETTLED_AFTER:
            await trio.lowlevel.checkpoint()
            return
        self._unsettled = 0  # also where it fails, or a reader keeps some of it: the next time does
        await self._call(lambda c: c.execute(SETTLE).fetchall(), writes=True)

    async def check(self) -> None:
        """Look through all of the file; one that is damaged is set aside.

        And what a damaged one still has is taken over, if that was too much to be done at once.
        Beside all other calls. Cancelled, it has done a part.
        """
        self._check_open(writes=True)
        while await self._in_thread(self._file.take_over):
            pass
        damage = await self._beside(self._file.check)
        if damage is not None:
            await self._in_thread(lambda: self._file.replace(damage))

    async def inspect(self) -> str:
        """Look through the file, see `Store.inspect`. Cancelled, the thread is left to itself."""
        if not self.path.exists():
            await trio.lowlevel.checkpoint()
            return "there is none yet"
        read = self._file.read_beside
        return await self._beside(lambda: read(lambda c: copying.look_through(c, self.path)))

    async def backup(self, folder: Path) -> None:
        """Copy the file, see `Store.backup`. A ledger that isn't there is copied as nothing."""
        if not self.path.exists():
            await trio.lowlevel.checkpoint()
            return
        target, read, done = folder / self.path.name, self._file.read_beside, threading.Event()
        try:
            await self._beside(lambda: read(lambda c: copying.copy(c, target, done.is_set)))
        finally:
            done.set()  # cancelled: the thread ends soon

    def _check_open(self, *, writes: bool = False) -> None:
        if not self._is_usable:
            raise LedgerError(f"the ledger {self.path} is not open")
        if writes and self._readonly:
            raise LedgerError(f"the ledger {self.path} is open for reading only")

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What takes a while: nobody who writes waits for it."""
        if self._readonly:
            return await self._call(work)
        return await self._beside(lambda: self._file.read_beside(work))

    async def _change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._unsettled += 1
        return await self._call(work, writes=True)

    async def _call(self, work: Callable[[sqlite3.Connection], T], *, writes: bool = False) -> T:
        def on_connection() -> T:
            self._check_open(writes=writes)
            return self._file.use(work)

        return await self._in_thread(on_connection)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        done: T = await self._run_in_thread(lambda: self._explaining(work))
        return done

    async def _beside(self, work: Callable[[], T]) -> T:
        """As `_in_thread`, but not in turn with other calls. Cancelled, it is left to itself."""
        done: T = await self._run_beside(lambda: self._explaining(work))
        return done

    def _explaining(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            raise explained(error, self.path) from error

    async def _in_worker_thread(self, work: Callable[[], Any]) -> Any:
        # Not abandoned on cancellation: the connection must not be in use when it is closed.
        return await trio.to_thread.run_sync(
            work, limiter=self._one_at_a_time, thread_name="muxd ledger"
        )

    async def _in_other_thread(self, work: Callable[[], Any]) -> Any:
        return await trio.to_thread.run_sync(
            work, thread_name="muxd ledger, reading", abandon_on_cancel=True
        )

    def _records(self, found: sqlite3.Cursor) -> list[Record]:
        try:
            return [rows.record_of(row) for row in found]
        except ValueError as error:
            raise explained(error, self.path) from error
