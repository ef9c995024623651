"""The imagined machine on which the daemon lives and dies, and what befalls it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Protocol, final

import attrs
import trio

from muxd.simulation.faults import CALAMITIES, Fault, FaultPlan, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.simulation.faults import FaultRates
    from muxd.testing import VirtualClock

__all__ = ["Mishap", "Mortal", "Stamp", "World"]

HOUR = 3600.0
TROUBLE = 300.0
"""How long the ledger fails or is slow, seconds."""


class Mortal(Protocol):
    """The daemon that lives now, as far as it can be struck."""

    dead: bool

    def die(self) -> None:
        """End at once: nothing that it does from now on has an effect."""

    def stop(self, *, at_once: bool) -> None:
        """Be told to stop."""

    def lose_browser(self, reason: str) -> None:
        """Lose the browser that is up, if any."""

    async def ask_for_a_run(self, number: int) -> None:
        """Have somebody ask for a run of a job; `number` says of which."""

    async def be_steered(self, number: int) -> None:
        """Have somebody steer it; `number` says how."""


@attrs.frozen
class Stamp:
    """When and in which life an id was made."""

    at: float
    """Seconds since the beginning by the machine's time: no step changes it, it passes in sleep."""
    wall: float
    """What the wall clock showed, Unix seconds."""
    era: int
    """How often the wall clock had been set back before."""
    life: int
    """Which life of the daemon, from 1."""
    plan: int
    """Which timetable was in force, from 1; 0 before the first."""


@attrs.frozen
class Mishap:
    """Something that went wrong."""

    at: float
    place: Place
    fault: Fault
    run: str | None
    """The id of the run that it is to be charged to; None if it isn't known yet, or nobody's."""


@final
class World:
    """Time, fate, and who is charged with what."""

    def __init__(
        self,
        clock: VirtualClock,
        rates: FaultRates,
        *,
        seed: int,
        befell: Callable[[Mishap], object] = lambda _: None,
    ) -> None:
        """Make one, in a trio run.

        Args:
          clock: the machine's.
          rates: how likely mishaps are.
          seed: of all chance.
          befell: is told of each mishap.
        """
        self.clock, self.seed = clock, seed
        self.random = Random(f"world/{seed}")
        self.plan = FaultPlan(rates, seed)
        self.mortal: Mortal | None = None
        """The daemon that lives now."""
        self.life = 0
        """How many daemons have lived, this one included."""
        self.plans = 0
        """How many timetables have been in force, this one included."""
        self.launches = 0
        self.browsers = self.most_browsers = 0
        self.leases = self.most_leases = 0
        self.leasing = False
        """True while a lease is out, or being opened."""
        self.slept = 0.0
        """How long the machine has slept, seconds."""
        self.jumped_at = -1.0
        """When the wall clock last jumped forwards, by a step or in sleep."""
        self.steps_back: list[tuple[float, float]] = []
        """When the wall clock was set back, and by how many seconds."""
        self.ledger_fails_until = self.ledger_slow_until = -1.0
        self.running: str | None = None
        """The id of the run in progress."""
        # {run id: what befell it}
        self.charged: dict[str, list[Mishap]] = {}
        # {run id: when it was made}
        self.stamps: dict[str, Stamp] = {}
        self._befell = befell
        self._began = clock.read()
        # What befell a run whose id isn't known yet, because it has no page.
        self._before_page: list[Mishap] = []

    @property
    def at(self) -> float:
        """Seconds since the beginning: no step of the clock changes it, and it passes in sleep."""
        return self.clock.read().boot - self._began.boot

    def real_now(self) -> float:
        """What the wall clock shows, Unix seconds, to the microsecond as records have it."""
        return round(self.clock.now() * 1e6) / 1e6

    def new_id(self) -> str:
        """A run's id: the next number."""
        run_id = f"{len(self.stamps) + 1:08d}"
        self.stamps[run_id] = Stamp(
            self.at, self.real_now(), len(self.steps_back), self.life, self.plans
        )
        return run_id

    def run_started(self, run_id: str) -> None:
        """This run has the browser from now on."""
        self.running = run_id
        for mishap in self._before_page:
            self.charge(run_id, mishap)
        self._before_page = []

    def run_ended(self, run_id: str) -> None:
        """It has it no more."""
        if self.running == run_id:
            self.running = None

    def charge(self, run_id: str, mishap: Mishap) -> None:
        """Whatever comes of it may be this run's."""
        self.charged.setdefault(run_id, []).append(mishap)

    async def meet(
        self, place: Place, *, run: str | None = None, job: str | None = None
    ) -> Fault | None:
        """Be where something can happen.

        Args:
          place: where.
          run: the run in hand, to be charged.
          job: its job.

        Returns:
          What the caller is to have happen; None if all is well, or is taken care of. When the
          daemon was killed here, it is cancelled.
        """
        mortal = self.mortal
        if mortal is None or mortal.dead:
            await trio.lowlevel.checkpoint()
            return None
        fault = self.plan.draw(place, job)
        if fault is None:
            return None
        mishap = Mishap(self.at, place, fault, run)
        self._befell(mishap)
        if run is not None:
            self.charge(run, mishap)
        elif self.leasing:
            self._before_page.append(mishap)
        return await self._befall(mortal, fault)

    async def weather(self) -> None:
        """Calamities at any time, until cancelled."""
        while (coming := self.plan.next_calamity()) is not None:
            seconds, fault = coming
            await trio.sleep(seconds)
            mortal = self.mortal
            if mortal is None or mortal.dead:
                continue
            mishap = Mishap(self.at, Place.between, fault, self.running)
            self._befell(mishap)
            if self.running is not None:
                self.charge(self.running, mishap)
            elif self.leasing:
                self._before_page.append(mishap)
            if await self._befall(mortal, fault) is Fault.browser_lost:
                mortal.lose_browser("it was killed from outside")

    async def people(self) -> None:
        """Somebody steers the daemon now and then, until cancelled."""
        random, a_day = Random(f"people/{self.seed}"), self.plan.rates.people
        while a_day > 0:
            await trio.sleep(random.expovariate(a_day / 86_400))
            if self.mortal is not None and not self.mortal.dead:
                await self.mortal.be_steered(random.randrange(1 << 30))

    async def _befall(self, mortal: Mortal, fault: Fault) -> Fault | None:
        match fault:
            case Fault.step_forwards:
                self.clock.step(HOUR)
                self.jumped_at = self.at
            case Fault.step_back:
                self.steps_back.append((self.at, HOUR))
                self.clock.step(-HOUR)
            case Fault.sleep:
                self.sleep(8 * HOUR)
            case Fault.ledger_fails:
                self.ledger_fails_until = self.at + TROUBLE
            case Fault.ledger_slow:
                self.ledger_slow_until = self.at + TROUBLE
            case Fault.death:
                mortal.die()
            case Fault.stop | Fault.stop_at_once:
                mortal.stop(at_once=fault is Fault.stop_at_once)
            case Fault.request:
                await mortal.ask_for_a_run(self.random.randrange(1 << 30))
            case _:
                return fault
        await trio.lowlevel.checkpoint()
        return None

    def sleep(self, seconds: float) -> None:
        """Let the machine sleep."""
        self.slept += seconds
        self.clock.suspend(seconds)
        self.jumped_at = self.at

    def downtime(self) -> float:
        """How long nobody starts the daemon again, seconds."""
        return self.random.choices((2.0, 60.0, 900.0, 4 * HOUR, 14 * HOUR), (50, 25, 15, 3, 1))[0]


assert set(CALAMITIES) <= set(Fault)
