"""The runs of today, in few bytes each: what the picture of the timetable is drawn from."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

import attrs
import trio

if TYPE_CHECKING:
    from muxd.abc import Controlled
    from muxd.record import Outcome, Record

__all__ = ["Bar", "Day"]

MOST = 10_000
"""How many runs are remembered: the newest."""
PAGE = 1_000


@attrs.frozen
class Bar:
    """A run that has ended. Instants are real Unix seconds."""

    id: str
    job: str
    outcome: Outcome
    by_slot: bool
    released: float
    started: float | None
    ended: float
    speed: float


def _bar(record: Record) -> Bar:
    assert record.outcome is not None
    ended = record.released_at if record.ended_at is None else record.ended_at
    return Bar(
        record.id,
        record.job,
        record.outcome,
        record.cause.value == "slot",
        record.released_at,
        record.started_at,
        ended,
        record.speed,
    )


@final
class Day:
    """Read from the ledger when somebody looks, and kept up by what happens from then on."""

    def __init__(self, daemon: Controlled) -> None:
        self._daemon = daemon
        self._bars: deque[Bar] = deque(maxlen=MOST)  # oldest end first
        self._since: float | None = None  # from when on they are known
        self._lock = trio.Lock()
        self._meanwhile: list[Bar] = []  # what ended while the ledger was read

    def ended(self, record: Record) -> None:
        """One more. Never blocks."""
        if record.outcome is not None:
            self._meanwhile.append(_bar(record))
            if self._since is not None:
                self._bars.append(self._meanwhile.pop())
            elif not self._lock.locked():
                self._meanwhile.clear()  # nobody has looked yet

    def forget(self) -> None:
        """Some have been missed: read all of them again."""
        self._since = None

    async def since(self, instant: float) -> list[Bar]:
        """Those that ended then or later, oldest first. Raises `LedgerError`."""
        async with self._lock:
            if self._since is None or instant < self._since:
                await self._read(instant)
        return [bar for bar in self._bars if bar.ended >= instant]

    async def _read(self, instant: float) -> None:
        self._since = None
        self._meanwhile.clear()
        found: list[Bar] = []
        last: Record | None = None
        while len(found) < MOST:
            page = await self._daemon.store.history(since=instant, before=last, limit=PAGE)
            found += map(_bar, page)
            if len(page) < PAGE:
                break
            last = page[-1]
        known = {bar.id for bar in found}
        self._bars.clear()
        self._bars.extend(reversed(found))
        self._bars.extend(bar for bar in self._meanwhile if bar.id not in known)
        self._meanwhile.clear()
        self._since = instant
