"""Keeps the timetable in force: makes it at the start, and another when durations call for it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

import attrs
import structlog
import trio

from muxd.errors import LedgerError, UserError
from muxd.events import PlanMade
from muxd.planning import demand_of, demands_of, make_timetable, slot_with, too_much
from muxd.record import Outcome
from muxd.replan import is_clearly_better, replan
from muxd.slotting import Timetable
from muxd.slotting.why import gap_ceiling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from muxd.abc import Learned, Slotter, Store
    from muxd.bus import Bus
    from muxd.config import SlottingConfig
    from muxd.events import Event
    from muxd.job import Job
    from muxd.planning import Slot
    from muxd.record import Record
    from muxd.slotting import Demand

    InThread = Callable[[Callable[[], Timetable]], Awaitable[Timetable]]

__all__ = ["JobSource", "Planner"]

REST = 600.0
"""How long the timetable is left alone after a look at it, seconds."""
TIGHT = 10
"""A smallest gap below this, seconds, is looked at: would a new timetable have more room?"""
EVERY = 20
"""After how many good runs the durations are looked at, if none overran its slot."""


class JobSource(Protocol):
    """Has jobs, and slotters to place them. `muxd.plugins.Plugins` is one."""

    @property
    def jobs(self) -> Sequence[Job]:
        """All jobs, without those of plugins that were left out."""

    def slotters(self) -> Sequence[tuple[str, Slotter]]:
        """Each with its plugin's name, best first."""

    def leave_out(self, plugin: str, hook: str, cause: BaseException) -> Exception:
        """Leave out a plugin because of what its hook gave; return what to tell people."""


async def solve_in_thread(solve: Callable[[], Timetable]) -> Timetable:
    """Solve in a thread. When cancelled, the thread is left to itself: what it finds is for nobody."""
    return await trio.to_thread.run_sync(solve, abandon_on_cancel=True)


class Planner:
    """Owns the timetable in force."""

    def __init__(
        self,
        plugins: JobSource,
        store: Store,
        bus: Bus[Event],
        config: SlottingConfig,
        *,
        anew: bool = False,
        rehearsal: bool = False,
        in_thread: InThread = solve_in_thread,
        real_now: Callable[[], float] = time.time,
    ) -> None:
        """Make one; there is no timetable before `begin`.

        Args:
          plugins: whose jobs and slotters count.
          store: open; knows phases and durations, and keeps the phases.
          bus: is told of each timetable.
          config: how the timetable is made.
          anew: don't keep the phases in force.
          rehearsal: jobs that are new are not to be released from now on by whoever comes later.
          in_thread: runs the solver. A thousand jobs take it seconds, in which no run must be
            held up.
          real_now: gives Unix seconds.
        """
        self.timetable = Timetable(slots=())
        """The one in force."""
        self._plugins, self._store, self._bus, self._config = plugins, store, bus, config
        self._rehearsal = rehearsal
        self._anew, self._run_in_thread, self._real_now = anew, in_thread, real_now
        self._slot = self.slot_of(plugins)
        self.lock = trio.Lock()
        """Held while the timetable is looked at, or another is made."""
        self._news = trio.Event()
        self._good_runs = 0

    async def begin(self) -> None:
        """Make the first timetable; phases that were in force stay where that is safe.

        Raises:
          UserError: the jobs ask for more of the browser's time than is allowed; they are named.
          LedgerError: the store can't be used.
        """
        learned = await self._store.learned()
        phases = {} if self._anew else await self._store.phases()
        while True:
            jobs = self._plugins.jobs
            # Before anything is solved: what is far too much would take longest.
            demands = demands_of(jobs, learned)
            refusal = too_much(demands, self._config.max_utilisation)
            if refusal is not None:
                raise UserError(refusal)
            table = await self._in_thread(
                partial(
                    make_timetable,
                    jobs,
                    learned=learned,
                    phases=phases,
                    headroom=self._config.headroom,
                    slot=self._slot,
                )
            )
            if self._plugins.jobs == jobs:
                break  # else a plugin was left out for its slotter, and its jobs with it
        hopeful = is_clearly_better(gap_ceiling(demands), table.min_gap) and table.min_gap < TIGHT
        if phases and table.feasible and hopeful:
            table = await self._in_thread(partial(self._with_hint, table, jobs, learned))
        await self._adopt(table)

    def ended(self, record: Record) -> None:
        """A run is over: its duration may call for another look. Never blocks."""
        if record.outcome is not Outcome.ok or record.duration is None:
            return
        self._good_runs += 1
        overran = (
            record.job in self.timetable.phases
            and record.duration > self.timetable.slot(record.job).duration
        )
        if overran or self._good_runs % EVERY == 0:
            self._news.set()

    async def run(self, adopt: Callable[[Timetable], object]) -> None:
        """Look at the timetable whenever durations have changed, until cancelled.

        Args:
          adopt: is given each new timetable, once its phases are in the store.
        """
        while True:
            await self._news.wait()
            self._news = trio.Event()  # what comes while we look, or rest, is for the next look
            try:
                async with self.lock:
                    await self._look(adopt)
            except LedgerError as error:
                self._news.set()  # what is in force stays so until it can be read and written
                structlog.get_logger().warning(
                    "the ledger fails: the timetable is looked at later", error=str(error)
                )
            await trio.sleep(REST)

    async def _look(self, adopt: Callable[[Timetable], object]) -> None:
        jobs, learned = self._plugins.jobs, await self._store.learned()
        table = await self._in_thread(
            lambda: replan(self.timetable, demands_of(jobs, learned), self._solve)
        )
        if table.slots != self.timetable.slots:
            await self._adopt(table)
            adopt(table)

    # Other jobs, while muxd runs; the caller holds `lock`

    def slot_of(self, plugins: JobSource) -> Slot:
        """What makes a timetable with the slotters of these plugins."""
        return slot_with(plugins.slotters(), partial(self._leave_out, plugins))

    async def draft(
        self, plugins: JobSource, slot: Slot, config: SlottingConfig, *, renewed: Collection[str]
    ) -> Timetable:
        """A timetable for other jobs, which is not in force yet.

        Jobs that are as they were keep their places, and the durations that these were made for,
        wherever that is possible.

        Args:
          plugins: whose jobs they are.
          slot: of `slot_of`.
          config: how it is made.
          renewed: the jobs that want another place than they have.

        Raises:
          UserError: the jobs ask for more of the browser's time than is allowed; they are named.
          LedgerError: the store can't be read.
        """
        before = {one.name: one for one in self.timetable.slots}
        kept = {job.name: job for job in self._plugins.jobs if job.name in before}
        learned = await self._store.learned()
        phases = dict(await self._store.phases()) | {
            name: (one.interval, one.phase) for name, one in before.items()
        }
        while True:
            jobs = plugins.jobs
            demands = [
                attrs.evolve(demand, duration=before[demand.name].duration)
                if demand.name in kept and _same_demand(kept[demand.name], job)
                else demand
                for job in sorted(jobs, key=lambda job: job.name)
                for demand in (demand_of(job, learned.get(job.name)),)
            ]
            refusal = too_much(demands, config.max_utilisation)
            if refusal is not None:
                raise UserError(refusal)
            intervals = {demand.name: demand.interval for demand in demands}
            fixed = {
                name: phase
                for name, (interval, phase) in phases.items()
                if intervals.get(name) == interval and name not in renewed
            }
            table = await self._in_thread(
                partial(slot, demands, fixed=fixed, headroom=config.headroom)
            )
            if plugins.jobs == jobs:
                break  # else a plugin was left out for its slotter, and its jobs with it
        moved = tuple(
            one.name
            for one in table.slots
            if one.name in before
            and one.interval == before[one.name].interval
            and one.phase != before[one.name].phase
        )
        return attrs.evolve(table, moved=moved)

    async def take_over(
        self, table: Timetable, plugins: JobSource, slot: Slot, config: SlottingConfig
    ) -> None:
        """A draft comes into force. Raises `LedgerError`: it can't be kept, and does not."""
        await self._adopt(table)
        self._plugins, self._slot, self._config = plugins, slot, config

    def _with_hint(
        self, table: Timetable, jobs: Sequence[Job], learned: Mapping[str, Learned]
    ) -> Timetable:
        """Tell where keeping the phases costs the room that a new timetable would have."""
        fresh = make_timetable(
            jobs, learned=learned, headroom=self._config.headroom, slot=self._slot
        )
        if not is_clearly_better(fresh.min_gap, table.min_gap):
            return table
        hint = (
            f"The phases in force leave gaps of {table.min_gap} s or more; a new timetable would "
            f"have {fresh.min_gap} s: `muxd start --anew` makes it."
        )
        return attrs.evolve(table, warnings=(*table.warnings, hint))

    def _solve(self, demands: Sequence[Demand], fixed: Mapping[str, int]) -> Timetable:
        return self._slot(demands, fixed=fixed, headroom=self._config.headroom)

    async def _in_thread(self, work: Callable[[], Timetable]) -> Timetable:
        return await self._run_in_thread(work)

    async def _adopt(self, table: Timetable) -> None:
        # Those of jobs that are not here now are kept: a plugin may be back tomorrow.
        phases = dict(await self._store.phases())
        phases |= {slot.name: (slot.interval, slot.phase) for slot in table.slots}
        # Releases count from now on, and not only when there is a browser to run them.
        at = None if self._rehearsal else self._real_now()
        await self._store.set_phases(phases, at=at)
        self.timetable = table
        self._bus.publish(
            PlanMade(
                at=self._real_now(),
                feasible=table.feasible,
                min_gap=table.min_gap,
                utilisation=table.utilisation,
                warnings=table.warnings,
                moved=table.moved,
            )
        )

    def _leave_out(self, plugins: JobSource, plugin: str, cause: BaseException) -> None:
        structlog.get_logger().error(
            str(plugins.leave_out(plugin, "muxd_slotter", cause)), exc_info=cause
        )


def _same_demand(before: Job, job: Job) -> bool:
    """True if a job asks for the same of the timetable as it did."""
    asked = ("interval", "duration", "timeout")
    return all(getattr(before, name) == getattr(job, name) for name in asked)
