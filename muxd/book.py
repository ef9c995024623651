"""The life of every run: released -> started -> ended. The only writer of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs
import trio

from muxd.errors import InternalError, UserError
from muxd.events import RunEnded, RunReleased, RunStarted
from muxd.ids import RunIds
from muxd.live import LiveRun, new_record
from muxd.overlap import refusal
from muxd.record import Outcome, Record
from muxd.recovery import NEVER_STARTED, look_back
from muxd.release import Cause, Release
from muxd.whereabouts import Whereabouts, Withdrawn
from muxd.writer import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from muxd.abc import Store
    from muxd.bus import Bus
    from muxd.events import Event
    from muxd.job import Job
    from muxd.recovery import Fate

__all__ = ["RunBook"]

STOPPING = "muxd is stopping: no new run is taken"


@final
class RunBook(Whereabouts):
    """Follows each run from its release to its end, keeps its record, and tells the bus.

    Every release leaves one record. While the store fails, records are kept in memory and tried
    again (`RecordWriter`); runs go on, and the bus is told all the same.

    Laws:

    - At most one run of a job waits at a time. Beside it some may be *owed*: their time passed,
      and they will be released when there is room. Those survive muxd: `recover` leaves them.
    - A release that is given out is in the store, or waits for it in memory, as unfinished: if
      muxd dies, the next start finds it.
    - No method is half done when it is cancelled: they are shielded, and bounded by the writer.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus[Event],
        *,
        real_now: Callable[[], float],
        new_id: Callable[[], str] | None = None,
        speed: float = 1.0,
    ) -> None:
        """Begin an empty book.

        Args:
          store: where records go; to be open while the book is used.
          bus: is told of releases, starts and ends.
          real_now: gives Unix seconds.
          new_id: makes ids of runs: unique, sorted by time. By default `RunIds`.
          speed: how much faster than real time the timetable runs; noted in each record.
        """
        super().__init__()
        self.store = store
        self.inherited: tuple[Record, ...] = ()
        """What another daemon owed, as `recover` found it."""
        self.unsettled: tuple[Record, ...] = ()
        """Ended runs of another daemon of which a further try may be wanted, as `recover` found
        them."""
        self._bus, self._real_now, self._speed = bus, real_now, speed
        self._new_id = new_id if new_id is not None else RunIds(real_now)
        self._writer = RecordWriter(store)
        self._closed = False
        # ids of the runs that waited when the book was closed
        self._never: frozenset[str] = frozenset()

    @property
    def unwritten(self) -> tuple[Record, ...]:
        """Records that the store could not take yet, oldest first. Empty when all is well."""
        return self._writer.pending

    async def run(self) -> None:
        """Try again to write records that the store could not take, until cancelled.

        To be run beside everything else; without it they are tried with the next record only.
        """
        await self._writer.run()

    async def finish(self) -> None:
        """Write what the store could not take until now; what it still can't goes into the log.

        To be called last, with the store open. Shielded, and bounded by the writer.
        """
        await self._writer.finish()

    async def recover(self, fate: Fate | None = None) -> list[Record]:
        """End what another daemon left unfinished as ``interrupted``.

        What was owed is left as it is: see `adopt`. To be called at the start, before the first
        release.

        Args:
          fate: what is known of the run that was in progress, if anything is.

        Returns:
          The records of runs that had no end and have one now.

        Raises:
          LedgerError: the store can't be read.
        """
        legacy = await look_back(self.store, self._real_now(), fate=fate)
        self.inherited = legacy.owed
        await self._conclude(*legacy.ended)
        self.unsettled = (*legacy.ended, *legacy.unsettled)
        return list(legacy.ended)

    async def release(
        self,
        job: Job,
        *,
        released_at: float,
        cause: Cause = Cause.slot,
        attempt: int = 1,
        first_id: str | None = None,
    ) -> Release | None:
        """Have a run of this job wait, unless its policy says otherwise.

        What the timetable asks for is subject to the job's `Overlap` with its run that waits or is
        in progress. What a person asks for (``Cause.manual``) always waits; if a run of the job
        waits already, that one stands for it and is returned.

        Args:
          job: what to run.
          released_at: the instant, real Unix seconds.
          cause: why.
          attempt: 1 for the first try.
          first_id: for a retry, the id of the first try.

        Returns:
          The release, whose record is written: it now must be sent to the worker, or withdrawn.
          None if there will be no run; the record says why.

        Raises:
          UserError: a person asks, and the book is closed.

        Shielded: when cancelled, it is finished, and raises at the next checkpoint.
        """
        if cause is Cause.manual:
            release, _ = await self.request(job, released_at=released_at)
            return release
        release = Release(
            id=self._new_id(),
            job=job,
            released_at=released_at,
            cause=cause,
            attempt=attempt,
            first_id=first_id,
        )
        reason = self._refusal(job)
        if reason is None:
            return await self._admit(release)
        await self._conclude(self._refused(release, *reason))
        return None

    async def request(self, job: Job, *, released_at: float) -> tuple[Release, bool]:
        """Have a run of this job wait because a person asks for it.

        Returns:
          The release, and whether it is new, so that it must be sent to the worker. If not, it is
          of the run that waits already and stands for this one, which is recorded as ``coalesced``.

        Raises:
          UserError: the book is closed.

        Shielded, as `release`.
        """
        release = Release(id=self._new_id(), job=job, released_at=released_at, cause=Cause.manual)
        twin = self._waiting.get(job.name)
        if twin is not None:
            reason = f"run {twin.release.id} waits already and stands for it"
            await self._conclude(self._refused(release, Outcome.coalesced, reason))
            return twin.release, False
        admitted = None if self._closed else await self._admit(release)
        if admitted is None:
            raise UserError(STOPPING)
        return admitted, True

    async def withdraw(self, release: Release, outcome: Outcome, reason: str) -> None:
        """End a run that waits or is owed, since it will not start. Else nothing happens.

        Shielded, as `release`.
        """
        live = self._unstarted(release.id)
        if live is not None:
            await self._conclude(self._ended(live, outcome, reason))

    async def cancel(self, run_id: str, reason: str) -> bool:
        """End a run that waits or is owed as ``cancelled``; False if it is none. Shielded."""
        live = self._unstarted(run_id)
        if live is None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return False
        await self._conclude(self._ended(live, Outcome.cancelled, reason))
        return True

    async def owe(self, job: Job, *, released_at: float) -> tuple[Release, bool]:
        """Have a run of this job owed because a person asks for it; `release_owed` has it wait.

        Returns:
          The release, whose record is written, and whether it is new. If not, a person has asked for
          one before, and that one stands for this, which is recorded as ``coalesced``.

        Raises:
          UserError: the book is closed.

        Shielded, as `release`.
        """
        if self._closed:
            raise UserError(STOPPING)
        release = Release(id=self._new_id(), job=job, released_at=released_at, cause=Cause.in_gap)
        for live in self._owed.values():
            twin = live.release
            if twin.job.name == job.name and twin.cause is Cause.in_gap and not live.ending:
                reason = f"run {twin.id} has a place already and stands for it"
                await self._conclude(self._refused(release, Outcome.coalesced, reason))
                return twin, False
        live = LiveRun(release, new_record(release, speed=self._speed))
        self._live[release.id] = self._owed[release.id] = live
        await self._writer.write(live.record)
        return release, True

    async def sort_out(
        self, job: Job, *, owed: Sequence[float] = (), missed: Sequence[tuple[float, str]] = ()
    ) -> tuple[Release, ...]:
        """Record releases whose time passed: if muxd dies meanwhile, none is forgotten.

        They are written all at once; where the store takes only some, it gets the oldest first, so
        that the next scheduler finds the others overdue again.

        Args:
          job: whose they are.
          owed: those that will be released by `release_owed`, real Unix seconds, ascending.
          missed: those that will not be run, all older, each with the reason for people; ascending.

        Returns:
          The releases that are owed, in the order of `owed`.

        Shielded, as `release`.
        """
        debts = tuple(
            Release(id=self._new_id(), job=job, released_at=at, cause=Cause.catch_up) for at in owed
        )
        fresh = [LiveRun(release, new_record(release, speed=self._speed)) for release in debts]
        for live in fresh:
            self._live[live.release.id] = self._owed[live.release.id] = live
        await self._conclude(
            *(
                self._refused(
                    Release(id=self._new_id(), job=job, released_at=at), Outcome.missed, reason
                )
                for at, reason in missed
            ),
            beside=[live.record for live in fresh],
        )
        return debts

    def adopt(self, record: Record, job: Job) -> Release:
        """Take on what another daemon owed. Never blocks.

        Args:
          record: one of `inherited`.
          job: the job of that name, as it is declared now.
        """
        release = Release(
            id=record.id,
            job=job,
            released_at=record.released_at,
            cause=record.cause,
            attempt=record.attempt,
            first_id=record.first_id,
        )
        live = LiveRun(release, record)
        self._live[record.id] = self._owed[record.id] = live
        return release

    async def abandon(self, record: Record, reason: str) -> None:
        """End one of `inherited` that nobody can take on as ``missed``. Shielded, as `release`."""
        await self._conclude(
            attrs.evolve(
                record,
                outcome=Outcome.missed,
                ended_at=max(self._real_now(), record.released_at),
                error=reason,
            )
        )

    async def release_owed(self, release: Release) -> Release | None:
        """What is owed is to wait now; as `release`, with the record that it has.

        Returns:
          The release: it now must be sent to the worker, or withdrawn. None if there will be no run
          now: its record says why, or it stays owed because the book is closed.
        """
        live = self._owed.get(release.id)
        if live is None or live.ending or self._closed:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return None
        reason = self._refusal(release.job)
        if reason is not None:
            await self._conclude(self._ended(live, *reason))
            return None
        del self._owed[release.id]
        self._waiting[release.job.name] = live
        await trio.lowlevel.cancel_shielded_checkpoint()
        self._bus.publish(RunReleased(at=self._real_now(), record=live.record))
        return release

    async def start(self, release: Release, *, generation: int) -> Record:
        """The run has the browser.

        Args:
          release: one that waits.
          generation: which life of the browser.

        If the run was ended while the worker had it in hand, because muxd is being stopped, this
        never returns: the worker is about to be cancelled. Else shielded, as `release`.

        Raises:
          Withdrawn: it was ended meanwhile for another reason.
          InternalError: the run has started or ended before.
        """
        live = self._live.get(release.id)
        if self._ends_unstarted(release.id):
            if self._closed:
                await trio.sleep_forever()
            raise Withdrawn(release.id)
        if live is None or live.ending or release.id in self._running:
            raise InternalError(f"run {release.id} of job {release.job.name!r} can't start twice")
        del self._waiting[release.job.name]
        self._running[release.id] = live
        self.most_at_once = max(self.most_at_once, len(self._running))
        await self._writer.write(live.start(self._real_now(), generation))
        self._bus.publish(RunStarted(at=self._real_now(), record=live.record))
        return live.record

    async def end(
        self,
        record: Record,
        outcome: Outcome,
        *,
        error: BaseException | None = None,
        result: str | None = None,
        left: str | None = None,
        harm: str | None = None,
        mask: Callable[[str], str] | None = None,
    ) -> Record:
        """The run is over. When the store has its record, the bus is told.

        Args:
          record: what `start` gave.
          outcome: how it ended.
          error: what it ended with.
          result: a short account of what the body returned.
          left: what it left behind.
          harm: what it did that costs others.
          mask: takes out of texts what must not be kept.

        Returns:
          The record in its final form.

        Raises:
          InternalError: the run is not in progress.

        Shielded, as `release`.
        """
        live = self._running.get(record.id)
        if live is None or live.ending:
            raise InternalError(f"run {record.id} of job {record.job!r} is not in progress")
        final = self._ended(live, outcome, error, result, left=left, harm=harm, mask=mask)
        await self._conclude(final)
        return final

    async def wait_ended(self, run_id: str) -> Record:
        """Wait until a run has ended, and return its record; at once if it has ended before.

        Raises:
          KeyError: there is no such run.
          LedgerError: it ended long ago and the store can't be read.

        When cancelled, nothing has changed.
        """
        live = self._live.get(run_id)
        if live is not None:
            await live.ended.wait()
            return live.record
        record = self._past.get(run_id)
        if record is not None:
            await trio.lowlevel.checkpoint()
            return record
        record = await self.store.get(run_id)
        if record is None or record.outcome is None:
            raise KeyError(run_id)
        return record

    async def close(self) -> None:
        """Let nothing wait any more: runs that do end as ``interrupted``. Again does nothing.

        A run in progress goes on and may end later. Shielded, as `release`.
        """
        self._closed = True
        self._never |= {live.release.id for live in self._waiting.values()}
        await self._conclude(
            *(
                self._ended(live, Outcome.interrupted, NEVER_STARTED)
                for live in list(self._waiting.values())
            )
        )

    def _ends_unstarted(self, run_id: str) -> bool:
        if run_id in self._never:
            return True
        live = self._live.get(run_id)
        if live is not None:
            return live.ending and live.record.started_at is None
        record = self._past.get(run_id)
        return record is not None and record.started_at is None

    def _refusal(self, job: Job) -> tuple[Outcome, str] | None:
        """Why the timetable's release of a job is not to wait; None if it is."""
        if self._closed:
            return Outcome.interrupted, NEVER_STARTED
        waits = self._waiting.get(job.name)
        runs = next((id_ for id_, v in self._running.items() if v.record.job == job.name), None)
        return refusal(job, waits=waits.release.id if waits else None, runs=runs)

    async def _admit(self, release: Release) -> Release | None:
        live = LiveRun(release, new_record(release, speed=self._speed))
        self._live[release.id] = self._waiting[release.job.name] = live
        await self._writer.write(live.record)
        if live.ending:  # `close` came in between
            return None
        self._bus.publish(RunReleased(at=self._real_now(), record=live.record))
        return release

    def _refused(self, release: Release, outcome: Outcome, reason: str) -> Record:
        return attrs.evolve(
            new_record(release, speed=self._speed),
            outcome=outcome,
            ended_at=self._real_now(),
            error=reason,
        )

    def _ended(
        self,
        live: LiveRun,
        outcome: Outcome,
        error: BaseException | str | None,
        result: str | None = None,
        **told: Any,
    ) -> Record:
        """The final record; from here on nothing else can happen to the run."""
        if self._owed.pop(live.release.id, None) is None and live.record.started_at is None:
            del self._waiting[live.record.job]
        return live.end(self._real_now(), outcome, error=error, result=result, **told)

    async def _conclude(self, *records: Record, beside: Sequence[Record] = ()) -> None:
        """Write records that have their outcome, then forget the runs and tell everyone.

        Args:
          records: those.
          beside: others, to be written with them, after them.
        """
        if not records and not beside:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        await self._writer.write(*records, *beside)
        for record in records:
            self._forget(record)
            self._past.add(record)
            self._bus.publish(RunEnded(at=self._real_now(), record=record))

    def _forget(self, record: Record) -> None:
        live = self._live.pop(record.id, None)
        if live is None:
            return
        live.record = record
        self._running.pop(record.id, None)
        live.ended.set()
