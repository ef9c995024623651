"""What is known of a job from run to run: its state, and how it went before."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, final

import attrs
import structlog
import trio

from muxd.body.rundata import RunData
from muxd.body.schema import state_of
from muxd.errors import DataError, MuxdError
from muxd.last import Last
from muxd.record import Outcome

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from muxd.abc import Store
    from muxd.body.data import Data
    from muxd.record import Record

__all__ = ["Known", "Memory", "counts", "forget"]

BEGIN_BOUND = 5.0
"""How long it may take to find what is known of a job, seconds. The browser waits meanwhile."""
MOST = 1000
"""Of how many jobs it is kept in memory: those that ran last."""
RECENT = 20
"""So many of its newest runs are looked through before each outcome is asked for."""


@attrs.define
class Known:
    """What is known of one job."""

    state: str | None = None
    """JSON; None: there is none."""
    last: Last = attrs.field(factory=Last)
    written: tuple[str, str] | None = None
    """The run that has written a state and is not recorded yet, and that state."""
    trouble: MuxdError | None = None
    """Why it is not known."""


@final
class Memory:
    """One for all jobs: reads what is known when a job first runs, and keeps it up to date then.

    A state is written before its run is recorded, together with the one before. Which of the two
    counts, the record decides: so a run that is cut off in between has changed nothing. What it has
    decided against is taken back, for the store does not keep the record for ever.
    """

    def __init__(self, data: Data, store: Store, *, real_now: Callable[[], float]) -> None:
        """Nothing is read yet.

        Args:
          data: where the states are.
          store: where the records are; to be open while this is used.
          real_now: gives Unix seconds.
        """
        self._data, self._store, self._real_now = data, store, real_now
        self._known: OrderedDict[str, Known] = OrderedDict()  # {job: what is known}

    @property
    def warnings(self) -> Sequence[str]:
        """What people should know about the data file."""
        return tuple(self._data.warnings)

    async def begin(self, job: str, run: str) -> RunData:
        """What a run of the job saves and knows. Bounded, and never raises."""
        return RunData(job, run, self._data, self, await self.recall(job), self._real_now)

    async def recall(self, job: str) -> Known:
        """What is known of a job. Bounded, and never raises: see `Known.trouble`."""
        known = self._known.get(job)
        if known is not None:
            self._known.move_to_end(job)
            await trio.lowlevel.checkpoint()
            return known
        trouble: MuxdError = DataError(
            f"what is known of job {job!r} was not found in {BEGIN_BOUND:g} s: the disk does not answer"
        )
        with trio.move_on_after(BEGIN_BOUND):
            try:
                known = Known(await self._state(job), await self._last(job))
            except MuxdError as error:
                trouble = error
            except Exception as error:  # of a plugin's store
                trouble = DataError(f"what is known of job {job!r} can't be read: {error!r}")
        if known is None:
            structlog.get_logger().warning(
                "what is known of a job can't be read", error=str(trouble)
            )
            return Known(trouble=trouble)
        self._known[job] = known
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return known

    async def write(self, job: str, known: Known, run: str, state: str) -> None:
        """Write a state; it counts once the run is recorded as good. Raises `DataError`."""
        before = known.state

        def put(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO _state (job, value, run, previous) VALUES (?, ?, ?, ?)",
                (job, state, run, before),
            )

        await self._data.change(put)
        known.written = (run, state)

    async def forget(self, job: str) -> bool:
        """See `forget`. What the job's run in progress changes counts all the same."""
        gone = await forget(self._data, job)
        known = self._known.get(job)
        if known is not None:
            known.state = known.written = None
        return gone

    def ended(self, record: Record) -> None:
        """A run is recorded. Never blocks, never raises."""
        known = self._known.get(record.job)
        if known is None:
            return
        known.last = known.last.after(record)
        if known.written is not None:
            run, state = known.written
            if run == record.id and record.outcome is Outcome.ok:
                known.state = state
            known.written = None

    async def _state(self, job: str) -> str | None:
        found = await self._data.look(partial(state_of, job=job))
        if found is None:
            return None
        value, run, previous = found
        record = await self._store.get(run)
        if counts(record):
            return value
        if record is not None and record.outcome is not None:
            await self._data.look(partial(_take_back, job, run))
        return previous

    async def _last(self, job: str) -> Last:
        last = Last()
        recent = await self._store.history(job=job, limit=RECENT)
        for record in reversed(recent):
            last = last.after(record)
        if len(recent) < RECENT:
            return last
        if last.good is None:
            last = attrs.evolve(last, good=await self._newest(job, Outcome.ok))
        if last.failure is None:
            found = [await self._newest(job, outcome) for outcome in Last.FAILURES]
            ended = [record for record in found if record is not None]
            newest = max(ended, key=lambda record: record.ended_at or 0.0, default=None)
            last = attrs.evolve(last, failure=newest)
        return last

    async def _newest(self, job: str, outcome: Outcome) -> Record | None:
        found = await self._store.history(job=job, outcome=outcome, limit=1)
        return found[0] if found else None


async def forget(data: Data, job: str) -> bool:
    """Forget the state of a job; False if there was none. Raises `DataError`."""

    def remove(connection: sqlite3.Connection) -> bool:
        return connection.execute("DELETE FROM _state WHERE job = ?", (job,)).rowcount > 0

    return bool(await data.look(remove))


def _take_back(job: str, run: str, connection: sqlite3.Connection) -> None:
    """Have the state be again as it was before this run."""
    which = (job, run)
    connection.execute("DELETE FROM _state WHERE job = ? AND run = ? AND previous IS NULL", which)
    connection.execute("UPDATE _state SET value = previous WHERE job = ? AND run = ?", which)


def counts(record: Record | None) -> bool:
    """Whether a state counts that this run has written; None: the store has it no more.

    A run that writes one has ended well; only its end remains to be recorded. So one that is not there
    was recorded, and deleted since, or went with a ledger that was damaged.
    """
    return record is None or record.outcome is Outcome.ok
