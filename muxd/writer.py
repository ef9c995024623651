"""Writes records, and loses none while the store can't be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import structlog
import trio

from muxd.errors import LedgerError

if TYPE_CHECKING:
    from muxd.abc import Store
    from muxd.record import Record

__all__ = ["RecordWriter"]

BOUND = 10.0
"""How long one attempt to write may take, seconds."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""How long after a failed attempt the next is made, seconds; it doubles from one to the other."""
CAPACITY = 10_000
"""How many records are kept in memory while the store fails."""


@final
class RecordWriter:
    """Puts records into a store; keeps them in memory while it fails, and tries again.

    The newest version of each record waits under its id, so versions are never written out of
    order. With more than `CAPACITY` waiting the oldest goes into the log, whole, at level
    ``critical``: the log is then its record.
    """

    def __init__(self, store: Store) -> None:
        """Write into this store, which must be open whenever `write` or `run` is running."""
        self.lost = 0
        """How many records went into the log instead of the store."""
        self._store = store
        # {run id: its newest version that is not in the store}, oldest first
        self._pending: dict[str, Record] = {}
        self._turn = trio.Lock()
        self._pause = 0.0
        self._not_before = 0.0  # trio's time
        self._behind = trio.Event()  # set while records wait for another attempt

    @property
    def pending(self) -> tuple[Record, ...]:
        """What is not in the store yet, oldest first. Empty when all is well."""
        return tuple(self._pending.values())

    async def write(self, *records: Record) -> bool:
        """Write records, with all that wait.

        Returns:
          True: they are in the store. False: they are in memory and will be tried again.

        It raises nothing, and takes at most 20 s: one attempt that is under way, and its own.
        Cancelling changes nothing: it is shielded, so that no record is half done.
        """
        for record in records:
            self._pending[record.id] = record
        self._keep_to_capacity()
        if trio.current_time() < self._not_before:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await self._flush()
        return not any(record.id in self._pending for record in records)

    async def run(self) -> None:
        """Try again what could not be written, after growing pauses, until cancelled.

        Without it, records that wait are tried again with the next that is written. When
        cancelled, an attempt under way is finished first.
        """
        while True:
            await self._behind.wait()
            await trio.sleep_until(self._not_before)
            await self._flush()

    async def finish(self) -> None:
        """Write what waits, now, for the last time; what can't be written goes into the log whole.

        Shielded and bounded, as `write`.
        """
        await self._flush(last=True)
        for record in self.pending:
            self._give_up(record)

    async def _flush(self, *, last: bool = False) -> None:
        try:
            self._turn.acquire_nowait()  # as a rule: then writing is the only checkpoint
        except trio.WouldBlock:
            with trio.CancelScope(shield=True):
                await self._turn.acquire()
        try:
            if not last and trio.current_time() < self._not_before:
                return  # the attempt that this one waited for has failed
            if self._pending:
                await self._attempt(self.pending)
            else:  # another's turn has written it
                self._recovered()
        finally:
            self._turn.release()

    async def _attempt(self, batch: tuple[Record, ...]) -> None:
        error: LedgerError | None = None
        deadline = trio.current_time() + BOUND
        with trio.CancelScope(deadline=deadline, shield=True) as bound:
            try:
                await self._store.write(*batch)
                self._settle(*batch)
            except LedgerError as failure:
                error = await self._one_by_one(batch, failure)
        if bound.cancelled_caught:
            error = LedgerError(f"the store did not answer within {BOUND:g} s")
        if error is None:
            self._recovered()
        else:
            self._failed(error)

    async def _one_by_one(
        self, batch: tuple[Record, ...], failure: LedgerError
    ) -> LedgerError | None:
        """Find out whether the store fails, or only refuses one of them; None if all are settled.

        A store refuses a record that it has in its final form: it may have got it in an attempt
        that was cut off.
        """
        for record in batch:
            try:
                await self._store.write(record)
            except LedgerError as refusal:
                failure = refusal
                try:
                    stored = await self._store.get(record.id)
                except LedgerError:
                    return failure
                if stored is None or stored.outcome is None:
                    return failure
                if stored.outcome is not record.outcome:
                    structlog.get_logger().error(
                        "the ledger has another end of this run and keeps it",
                        kept=stored.as_dict(),
                        refused=record.as_dict(),
                    )
            self._settle(record)
        return None

    def _settle(self, *written: Record) -> None:
        for record in written:
            if self._pending.get(record.id) is record:  # else a newer version waits
                del self._pending[record.id]

    def _failed(self, error: LedgerError) -> None:
        self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
        self._not_before = trio.current_time() + self._pause
        self._behind.set()
        structlog.get_logger().error(
            "the ledger can't be written: records are kept in memory and tried again",
            error=str(error),
            records=len(self._pending),
            again_in=self._pause,
        )

    def _recovered(self) -> None:
        if self._pause:
            structlog.get_logger().info("the ledger is written again: no record was lost")
        self._pause = self._not_before = 0.0
        if not self._pending and self._behind.is_set():
            self._behind = trio.Event()

    def _keep_to_capacity(self) -> None:
        while len(self._pending) > CAPACITY:
            self._give_up(next(iter(self._pending.values())))

    def _give_up(self, record: Record) -> None:
        del self._pending[record.id]
        self.lost += 1
        structlog.get_logger().critical(
            "the ledger could not take this record: it is in the log only",
            record=record.as_dict(),
        )
