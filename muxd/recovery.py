"""What a muxd that is gone left in the store, and what is to become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd.record import CUT_OFF, Outcome
from muxd.release import Cause

if TYPE_CHECKING:
    from muxd.abc import Store
    from muxd.record import Record

__all__ = ["NEVER_STARTED", "Fate", "Legacy", "look_back"]

NEVER_STARTED = "muxd was stopped before it started"
LOOKED_AT = 1000
"""How many of the newest records are looked at for runs that an orderly end kept from starting."""


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
    """What was still to be caught up with; it goes on to be."""
    kept_waiting: tuple[Record, ...]
    """Runs that waited when muxd ended in order, and that no other run stands for since."""


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
        kept_waiting=await _kept_waiting(store),
    )


def _is_owed(record: Record) -> bool:
    """True of what a scheduler catches up with; a rehearsal's debts end with it."""
    return record.cause is Cause.catch_up and record.started_at is None and record.speed == 1


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


async def _kept_waiting(store: Store) -> tuple[Record, ...]:
    newest = await store.history(limit=LOOKED_AT)
    tried_again = {record.first_id for record in newest}
    # {job name: its newest release by its slot}: one after it stands for it
    last = await store.last_releases()
    found = (
        record
        for record in newest
        if record.outcome is Outcome.interrupted
        and record.started_at is None
        and record.cause is not Cause.manual
        and (record.first_id or record.id) not in tried_again
        and record.released_at >= last.get(record.job, record.released_at)
    )
    return tuple(sorted(found, key=lambda record: record.released_at))
