"""One simulation: daemons living and dying on one machine, held to the rules."""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final

import attrs
import trio

from muxd.builtin.ledger import Ledger
from muxd.builtin.slotter import SolvingSlotter
from muxd.civil import Calendar
from muxd.config import SlottingConfig
from muxd.core import Core
from muxd.errors import WorldError
from muxd.events import Event, PlanMade, Started
from muxd.recycling import Limits
from muxd.simulation.bodies import Bodies
from muxd.simulation.faults import FaultRates
from muxd.simulation.leap import run_virtual
from muxd.simulation.life import Circumstances, End, Life, at_once
from muxd.simulation.plan_rules import PlanRules
from muxd.simulation.record_rules import RecordRules
from muxd.simulation.report import Report
from muxd.simulation.rules import MOST, Notes
from muxd.simulation.run_rules import RunRules
from muxd.simulation.tally import Tally
from muxd.simulation.world import World
from muxd.testing import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from muxd.abc import Learned, Slotter, Store
    from muxd.job import Job
    from muxd.record import Record
    from muxd.simulation.world import Mishap

__all__ = ["Scenario", "simulate"]

DAY = 86_400.0
RESTART = 10.0
"""After how long a daemon that gave up is started again, seconds."""
CALM = 300.0
"""How long nothing goes wrong at the end, so that all can be brought to its end, seconds."""
EVERYTHING = 1 << 40


@attrs.frozen(kw_only=True)
class Scenario:
    """What is simulated."""

    jobs: tuple[Job, ...]
    """Their bodies are never run."""
    zone: tzinfo
    start: float
    """Unix seconds."""
    days: float = 30.0
    seed: int = 0
    rates: FaultRates = attrs.field(factory=FaultRates)
    phases: Mapping[str, tuple[int, int]] = attrs.field(factory=dict)
    """Phases in force, by name: interval and phase, seconds."""
    learned: Mapping[str, Learned] = attrs.field(factory=dict)
    """What is known of the jobs' durations, by name."""
    slotting: SlottingConfig = attrs.field(factory=SlottingConfig)
    limits: Limits = attrs.field(factory=Limits)
    """When the browser is recycled."""
    growth: float = 0.0
    """By how many bytes the browser grows with each run."""
    slotters: tuple[tuple[str, Slotter], ...] = (("muxd.slotter", SolvingSlotter()),)
    """Who makes the timetable, each with its plugin's name, best first."""
    core: Callable[..., Core] = Core
    """Makes the core of each life."""


@attrs.frozen
class _Plugins:
    """Jobs with imagined bodies, for the planner."""

    jobs: tuple[Job, ...]
    offers: tuple[tuple[str, Slotter], ...]

    def slotters(self) -> Sequence[tuple[str, Slotter]]:
        return self.offers

    def leave_out(self, plugin: str, hook: str, cause: BaseException) -> Exception:
        return RuntimeError(f"{plugin} ({hook}): {cause}")


def simulate(
    scenario: Scenario, *, ended: Callable[[Sequence[Record]], object] | None = None
) -> Report:
    """Simulate. The same scenario gives the same report.

    Args:
      scenario: what.
      ended: is given all records, oldest first, when all is over.

    Raises:
      UserError: the jobs ask for more of the browser's time than is allowed.
    """
    with tempfile.TemporaryDirectory(prefix="muxd-simulation-") as folder:
        simulation = _Simulation(scenario, Path(folder))
        return run_virtual(partial(simulation.run, ended), seed=scenario.seed)


@final
class _Simulation:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario, self._folder = scenario, folder
        self._calendar = Calendar(scenario.zone)
        self._jobs = {job.name: job for job in scenario.jobs}
        self._mishaps: Counter[str] = Counter()
        self._life: Life | None = None
        self._over = False
        self._runs: RunRules
        self._world: World
        self._notes: Notes
        self._records: RecordRules
        self._plans: PlanRules
        self._tally: Tally

    async def run(self, ended: Callable[[Sequence[Record]], object] | None) -> Report:
        scenario = self._scenario
        clock = VirtualClock(scenario.start)
        self._world = world = World(clock, scenario.rates, seed=scenario.seed, befell=self._befell)
        self._notes = notes = Notes(world)
        self._records = RecordRules(notes, self._jobs, self._calendar)
        self._plans = PlanRules(notes, self._jobs, scenario.phases)
        self._tally = Tally(world)
        circumstances = self._circumstances()
        store = Ledger(self._folder, durable=False, run_in_thread=at_once)
        await self._prepare(store)
        end = scenario.days * DAY
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.weather)
            nursery.start_soon(world.people)
            while not self._over:
                await self._live(store, circumstances, end)
            nursery.cancel_scope.cancel()
        kept = await self._read(store)
        self._records.finish(kept, world.real_now())
        if ended is not None:
            ended(kept)
        return Report.of(
            self._tally,
            {name: job.interval for name, job in self._jobs.items()},
            seed=scenario.seed,
            days=world.at / DAY,
            lives=world.life,
            mishaps=dict(self._mishaps),
            broken=tuple(notes.broken),
            broken_count=notes.count,
        )

    def _circumstances(self) -> Circumstances:
        scenario = self._scenario
        bodies = Bodies(
            self._world, scenario.learned, lambda: self._life.pages if self._life else None
        )
        jobs = tuple(bodies.instead_of(job) for job in scenario.jobs)
        return Circumstances(
            plugins=_Plugins(jobs, scenario.slotters),
            calendar=self._calendar,
            slotting=scenario.slotting,
            learned=scenario.learned,
            limits=scenario.limits,
            growth=scenario.growth,
            core=scenario.core,
        )

    async def _prepare(self, store: Store) -> None:
        async with store.open():
            await store.set_phases(self._scenario.phases)

    async def _live(self, store: Store, circumstances: Circumstances, end: float) -> None:
        """One life, and what is between it and the next; at the end of time it is stopped."""
        world, notes = self._world, self._notes
        world.life += 1
        life = Life(world, store, circumstances, tap=self._heard, written=self._written)
        self._life, world.mortal = life, life
        self._runs = RunRules(notes, life, self._jobs)
        life.freed = self._runs.freed
        notes.note("the daemon starts")
        self._tally.begins()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_at, end, life)
            how = await life.live()
            nursery.cancel_scope.cancel()
        self._tally.ends()
        world.mortal, world.running = None, None
        notes.note(f"the daemon has ended: {how}")
        if how is End.gave_up:
            # Where there is no ledger or no browser at its start, a daemon can't but end.
            excused = life.core.started_at is None and isinstance(life.cause, WorldError)
            notes.holds("alive", excused, f"it gave up: {life.cause!r}")
            self._over = notes.count > MOST
        if how is End.stopped:
            self._runs.stopped()
        if not self._over:
            await trio.sleep(RESTART if how is End.gave_up else world.downtime())

    async def _stop_at(self, end: float, life: Life) -> None:
        world = self._world
        while (rest := end - world.at) > 0:  # a sleep of the machine makes it shorter
            await world.clock.sleep_until(world.clock.now() + max(rest, 0.01))
        world.mortal = None  # nothing befalls it any more
        world.ledger_fails_until = world.ledger_slow_until = -1.0
        await trio.sleep(CALM)
        self._over = True
        life.stop(at_once=False)

    async def _read(self, store: Store) -> list[Record]:
        async with store.open(readonly=True):
            found = [*await store.history(limit=EVERYTHING), *await store.unfinished()]
        return sorted(found, key=lambda record: record.id)

    def _befell(self, mishap: Mishap) -> None:
        self._notes.note(mishap)
        self._mishaps[mishap.fault] += 1

    def _heard(self, life: Life, event: Event) -> None:
        self._notes.note(event)
        if isinstance(event, PlanMade):
            table = life.core.planner.timetable
            self._records.planned(table.phases)
            self._plans.planned(table)
        elif isinstance(event, Started):
            self._records.began(self._world.real_now())
            self._runs.began()
        self._runs.heard(event)
        self._tally.heard(event)

    def _written(self, _life: Life, records: Sequence[Record]) -> None:
        self._records.written(records, self._runs)
