"""A store in memory, for tests: the same laws as the ledger's, held by the same contract suite."""

from __future__ import annotations

import functools
import math
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio

from muxd.abc import Learned, Statistics, Store
from muxd.errors import LedgerError
from muxd.pause import Pause
from muxd.record import Outcome, Record
from muxd.release import Cause
from muxd.statistics import Summary, row_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from muxd.abc import Pace

__all__ = ["MemoryStore"]

_Words = TypeVar("_Words", Record, Pause)


class MemoryStore(Store):
    """A `~muxd.abc.Store` that keeps its records as long as the object lives.

    Like a file it may be closed and opened again. `~muxd.testing.contracts.StoreContract` holds that it
    behaves as the ledger does.
    """

    failure: LedgerError | None
    """Set it, and every method raises it from then on, as when a disk fails. None: all is well."""

    def __init__(self) -> None:
        self.failure = None
        self._records: dict[str, Record] = {}
        self._phases: dict[str, tuple[int, int]] = {}
        self._since: dict[str, float | None] = {}
        self._pauses: dict[str, Pause] = {}
        self._is_open = False
        self._readonly = False

    @property
    def records(self) -> Mapping[str, Record]:
        """All records by their ids, with an outcome or not, in the order of their first write."""
        return MappingProxyType(self._records)

    @asynccontextmanager
    async def open(self, *, readonly: bool = False) -> AsyncIterator[MemoryStore]:
        """The store, opened. Raises `LedgerError` where it is open already."""
        await trio.lowlevel.checkpoint()
        if self._is_open:
            raise LedgerError("the store is open already")
        if self.failure is not None:
            raise self.failure
        self._is_open, self._readonly = True, readonly
        try:
            yield self
        finally:
            self._is_open = False

    async def write(self, *records: Record) -> None:
        """Insert or update records, all or none. Cancelled, it has done nothing."""
        await self._ready(writes=True)
        new: dict[str, Record] = {}
        for record in records:
            before = new.get(record.id) or self._records.get(record.id)
            if before is not None and before.outcome is not None:
                raise LedgerError(
                    f"run {record.id!r} of job {record.job!r} is not written: "
                    "a run with an outcome is never changed"
                )
            new[record.id] = _kept(record)
        # Not replaced: `records` that a test holds shows what is written later.
        self._records.update(new)

    async def unfinished(self) -> Sequence[Record]:
        """Records without an outcome, oldest first."""
        await self._ready()
        waiting = [record for record in self._records.values() if record.outcome is None]
        return sorted(waiting, key=lambda record: (record.released_at, record.id))

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
        """The newest `limit` (0 or more) ended records, newest end first."""
        if limit < 0:
            raise ValueError(f"limit={limit} is not possible: give 0 or more")
        first = -math.inf if since is None else _instant(since)
        end = math.inf if until is None else _instant(until)
        await self._ready()
        return self._wanted(job, outcome, first, end, before)[:limit]

    async def statistics(
        self, *, job: str | None = None, since: float | None = None, until: float | None = None
    ) -> Statistics:
        """What the records say job by job."""
        first = -math.inf if since is None else _instant(since)
        end = math.inf if until is None else _instant(until)
        await self._ready()
        summary = Summary()
        summary.add([row_of(record) for record in self._wanted(job, None, first, end, None)])
        return summary.result()

    async def get(self, run_id: str) -> Record | None:
        """The record of this id, None if there is none."""
        await self._ready()
        return self._records.get(run_id)

    async def last_releases(self) -> Mapping[str, float]:
        """For each job the newest release by its slot, real Unix seconds."""
        await self._ready()
        newest: dict[str, float] = {}
        for record in self._records.values():
            if record.cause in (Cause.slot, Cause.catch_up) and record.speed == 1:
                newest[record.job] = max(newest.get(record.job, -math.inf), record.released_at)
        return newest

    async def learned(self) -> Mapping[str, Learned]:
        """For each job what its newest 50 good runs at speed 1 took."""
        await self._ready()
        taken: dict[str, list[float]] = {}
        for record in self._ended():
            good = record.outcome is Outcome.ok and record.speed == 1
            if good and (seconds := _seconds(record)) is not None:
                taken.setdefault(record.job, []).append(seconds)
        return {job: Learned.of(seconds[: Learned.NEWEST]) for job, seconds in taken.items()}

    async def phases(self) -> Mapping[str, tuple[int, int]]:
        """The phases in force: job to (interval, phase), seconds."""
        await self._ready()
        return dict(self._phases)

    async def set_phases(
        self, phases: Mapping[str, tuple[int, int]], *, at: float | None = None
    ) -> None:
        """Replace the phases in force. Cancelled, it has done nothing."""
        await self._ready(writes=True)
        now = None if at is None else round(at * 1e6) / 1e6
        since = {job: self._since.get(job) for job in phases}
        self._since = {job: now if begun is None else begun for job, begun in since.items()}
        self._phases = dict(phases)

    async def placed(self) -> Mapping[str, float]:
        """Since when jobs have a place on the timetable, Unix seconds."""
        await self._ready()
        return {job: at for job, at in self._since.items() if at is not None}

    async def pauses(self) -> Mapping[str, Pause]:
        """The jobs that are paused, by name."""
        await self._ready()
        return dict(self._pauses)

    async def set_pauses(self, pauses: Mapping[str, Pause]) -> None:
        """Replace the pauses. Cancelled, it has done nothing."""
        await self._ready(writes=True)
        self._pauses = {job: _exact(pause) for job, pause in pauses.items()}

    async def prune(self, *, older_than: float, keep: int, pace: Pace | None = None) -> int:
        """Delete old records, but none that is needed. Cancelled, it has done nothing."""
        if math.isnan(older_than):
            raise ValueError("older_than is no instant: give Unix seconds")
        if keep < 0:
            raise ValueError(f"keep={keep} is not possible: give 0 or more")
        if pace is not None:
            await pace()
        await self._ready(writes=True)
        ended, needed = self._ended(), self._needed()
        old = [r for at, r in enumerate(ended) if at >= keep or _age(r)[0] < older_than]
        gone = [record for record in old if record.id not in needed]
        for record in gone:
            del self._records[record.id]
        return len(gone)

    def _needed(self) -> set[str]:
        """The ids of each job's newest release, and of the runs that are learned from."""
        newest: dict[str, Record] = {}
        for record in self._records.values():
            if record.cause in (Cause.slot, Cause.catch_up) and record.speed == 1:
                last = newest.get(record.job)
                if last is None or record.released_at >= last.released_at:
                    newest[record.job] = record
        good: dict[str, list[str]] = {}
        for record in self._ended():
            is_good = record.outcome is Outcome.ok and record.speed == 1
            if is_good and _seconds(record) is not None:
                good.setdefault(record.job, []).append(record.id)
        needed = {record.id for record in newest.values()}
        return needed.union(*(ids[: Learned.NEWEST] for ids in good.values()))

    async def _ready(self, *, writes: bool = False) -> None:
        # The one checkpoint of each method: before anything is done.
        await trio.lowlevel.checkpoint()
        if not self._is_open:
            raise LedgerError("the store is not open")
        if self.failure is not None:
            raise self.failure
        if writes and self._readonly:
            raise LedgerError("the store is open for reading only")

    def _wanted(
        self,
        job: str | None,
        outcome: Outcome | None,
        first: float,
        end: float,
        before: Record | None,
    ) -> list[Record]:
        last = None if before is None else _age(_exact(before))
        found = [
            record
            for record in self._records.values()
            if record.outcome is not None
            and job in (None, record.job)
            and outcome in (None, record.outcome)
            and first <= _age(record)[0] < end
            and (last is None or _age(record) < last)
        ]
        return sorted(found, key=_age, reverse=True)

    def _ended(self) -> list[Record]:
        ended = [record for record in self._records.values() if record.outcome is not None]
        return sorted(ended, key=_age, reverse=True)


def _age(record: Record) -> tuple[float, str]:
    return (record.released_at if record.ended_at is None else record.ended_at, record.id)


def _instant(given: float) -> float:
    if math.isnan(given):
        raise ValueError("nan is no instant: give Unix seconds")
    return given if math.isinf(given) else round(given * 1e6) / 1e6


def _seconds(record: Record) -> float | None:
    """What the run took, counted in whole microseconds; None if the clock was set back in it."""
    if record.started_at is None or record.ended_at is None:
        return None
    microseconds = round(record.ended_at * 1e6) - round(record.started_at * 1e6)
    return microseconds / 1e6 if microseconds >= 0 else None


def _kept(record: Record) -> Record:
    """The record as it comes back: to the microsecond, in text that UTF-8 can hold."""
    return _exact(record)


def _exact(words: _Words) -> _Words:
    changed: dict[str, Any] = {}
    kind: Any = type(words)
    for name in _fields(kind):
        value = getattr(words, name)
        if type(value) is str:
            kept: Any = value if value.isascii() else _text(value)
        elif type(value) is float and name.endswith(("_at", "since")):
            kept = round(value * 1e6) / 1e6
        else:
            continue
        if kept != value:
            changed[name] = kept
    return attrs.evolve(words, **changed) if changed else words


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


@functools.cache
def _fields(words: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(words))
