"""What a muxd that is gone left in the store, and what is to become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd.record import CUT_OFF, Outcome
from muxd.release import Cause
from muxd.retry import TRIED_AGAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd.abc import Store
    from muxd.record import Record

__all__ = ["NEVER_STARTED", "Fate", "Legacy", "look_back"]

NEVER_STARTED = "muxd was stopped before it started"
LOOKED_AT = 1000
"""How many of the newest records are looked at for runs of which a further try may be wanted."""


@attrs.frozen(kw_only=True)
class Fate:
    """What is known of the run during which muxd came to its end."""

    run: str
    """Its id."""
    at: float
    """When that was, real Unix seconds."""
    outcome: Outcome = Outcome.interrupted
    error: str
    error_type: str = CUT_OFF
    harm: str
    """What is charged to it."""


@attrs.frozen(kw_only=True)
class Legacy:
    """What was found. Records in the order of their releases."""

    ended: tuple[Record, ...]
    """Runs whose end nobody saw, as ``interrupted``: these are to be written."""
    owed: tuple[Record, ...]
    """What was still to be caught up with, or to get a gap; it goes on to be."""
    unsettled: tuple[Record, ...]
    """Ended runs that no other run stands for since, and of which a further try may be wanted: muxd
    ended in order while they waited or ran, or before a further try was released."""


async def look_back(store: Store, now: float, *, fate: Fate | None = None) -> Legacy:
    """Sort what is in the store.

    Args:
      store: open.
      now: Unix seconds.
      fate: what is known of the run that was in progress, if anything is.

    Raises:
      LedgerError: the store can't be read.

    Nothing is changed; safe to cancel.
    """
    unfinished = await store.unfinished()
    return Legacy(
        ended=tuple(_cut_off(record, now, fate) for record in unfinished if not _is_owed(record)),
        owed=tuple(record for record in unfinished if _is_owed(record)),
        unsettled=await _unsettled(store, unfinished),
    )


def _is_owed(record: Record) -> bool:
    """True of what a scheduler finds a gap for; a rehearsal's debts end with it."""
    later = record.cause in (Cause.catch_up, Cause.in_gap)
    return later and record.started_at is None and record.speed == 1


def _cut_off(record: Record, now: float, fate: Fate | None) -> Record:
    started = record.started_at is not None
    if fate is not None and fate.run == record.id and started:
        return attrs.evolve(
            record,
            outcome=fate.outcome,
            ended_at=max(fate.at, record.started_at or 0.0),
            error=fate.error,
            error_type=fate.error_type,
            harm=fate.harm,
        )
    return attrs.evolve(
        record,
        outcome=Outcome.interrupted,
        ended_at=max(now, record.released_at, record.started_at or 0.0),
        error="muxd ended while it ran" if started else NEVER_STARTED,
        error_type=CUT_OFF if started else None,
    )


async def _unsettled(store: Store, unfinished: Sequence[Record]) -> tuple[Record, ...]:
    newest = await store.history(limit=LOOKED_AT)
    # {id of a first try: how many tries were made}
    tries: dict[str, int] = {}
    for record in (*newest, *unfinished):
        first = record.first_id or record.id
        tries[first] = max(tries.get(first, 0), record.attempt)
    # {job name: its newest release by its slot}: one after it stands for it
    last = await store.last_releases()
    found = (
        record
        for record in newest
        if _ended_badly(record)
        and record.attempt == tries[record.first_id or record.id]
        and record.released_at >= last.get(record.job, record.released_at)
    )
    return tuple(sorted(found, key=lambda record: record.released_at))


def _ended_badly(record: Record) -> bool:
    if record.started_at is None:
        # What a person asked for and did not get, the person has seen.
        return record.outcome is Outcome.interrupted and record.cause is not Cause.manual
    return record.outcome in (*TRIED_AGAIN, Outcome.interrupted)
