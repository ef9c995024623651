"""The ledger as the daemon sees it: it may fail, be slow, and it outlives the daemon."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar, final

import trio

from muxd.abc import Store
from muxd.errors import LedgerError
from muxd.simulation.faults import Fault, Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from muxd.abc import Learned, Pace, Statistics
    from muxd.pause import Pause
    from muxd.record import Outcome, Record
    from muxd.simulation.world import World

__all__ = ["MortalStore"]

T = TypeVar("T")

SLOW = 2.5
"""How long each call of a slow ledger takes, seconds."""


@final
class MortalStore(Store):
    """A store that one daemon holds; what it writes stays when the daemon is gone.

    From the daemon's death on nothing reaches the store below.
    """

    def __init__(
        self,
        below: Store,
        world: World,
        *,
        known: Mapping[str, Learned],
        written: Callable[[Sequence[Record]], object],
    ) -> None:
        """Hold a store.

        Args:
          below: what is really written to.
          world: when it fails.
          known: what was learned before the simulation: it counts until there are as many runs.
          written: is told of what has been written, each time.
        """
        self.dead = False
        self._known = known
        self._below, self._world, self._written = below, world, written

    @contextlib.asynccontextmanager
    async def open(self, *, readonly: bool = False) -> AsyncIterator[Store]:
        """The store, opened, if the ledger does not fail now."""
        await self._meet(None)
        async with self._below.open(readonly=readonly):
            yield self

    async def write(self, *records: Record) -> None:
        """Write, or fail, or write and fail to say so."""
        await self._meet(Place.before_write)
        await self._below.write(*records)
        self._written(records)
        await self._meet(Place.after_write)

    async def unfinished(self) -> Sequence[Record]:
        """See `Store.unfinished`."""
        return await self._call(self._below.unfinished)

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
        """See `Store.history`."""
        return await self._call(
            self._below.history,
            job=job,
            outcome=outcome,
            since=since,
            until=until,
            before=before,
            limit=limit,
        )

    async def get(self, run_id: str) -> Record | None:
        """See `Store.get`."""
        return await self._call(self._below.get, run_id)

    async def statistics(
        self, *, job: str | None = None, since: float | None = None, until: float | None = None
    ) -> Statistics:
        """See `Store.statistics`."""
        return await self._call(self._below.statistics, job=job, since=since, until=until)

    async def last_releases(self) -> Mapping[str, float]:
        """See `Store.last_releases`."""
        return await self._call(self._below.last_releases)

    async def learned(self) -> Mapping[str, Learned]:
        """See `Store.learned`."""
        found = await self._call(self._below.learned)
        known = {
            job: learned
            for job, learned in self._known.items()
            if job not in found or found[job].runs < min(learned.runs, learned.NEWEST)
        }
        return {**found, **known}

    async def phases(self) -> Mapping[str, tuple[int, int]]:
        """See `Store.phases`."""
        return await self._call(self._below.phases)

    async def set_phases(
        self, phases: Mapping[str, tuple[int, int]], *, at: float | None = None
    ) -> None:
        """See `Store.set_phases`."""
        await self._call(self._below.set_phases, phases, at=at)

    async def placed(self) -> Mapping[str, float]:
        """See `Store.placed`."""
        return await self._call(self._below.placed)

    async def pauses(self) -> Mapping[str, Pause]:
        """See `Store.pauses`."""
        return await self._call(self._below.pauses)

    async def set_pauses(self, pauses: Mapping[str, Pause]) -> None:
        """See `Store.set_pauses`."""
        await self._call(self._below.set_pauses, pauses)

    async def prune(self, *, older_than: float, keep: int, pace: Pace | None = None) -> int:
        """See `Store.prune`."""
        return await self._call(self._below.prune, older_than=older_than, keep=keep, pace=pace)

    async def _call(self, call: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        await self._meet(None)
        return await call(*args, **kwargs)

    async def _meet(self, place: Place | None) -> None:
        world = self._world
        fault = None
        if not self.dead and place is not None:
            fault = await world.meet(place, run=None)
        if not self.dead and world.at < world.ledger_slow_until:
            await trio.sleep(SLOW)
        if self.dead:
            raise LedgerError("the daemon that held it is dead")
        if fault is Fault.fails or world.at < world.ledger_fails_until:
            raise LedgerError("disk I/O error (simulated)")
