"""One life of the daemon on the imagined machine, from its start to its end, however it ends."""

from __future__ import annotations

import contextlib
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

import attrs
import trio

from muxd.audit import AuditTrail
from muxd.bus import Bus
from muxd.core import Core
from muxd.errors import LedgerError, UserError
from muxd.events import PlanMade, RunEnded, RunStarted
from muxd.simulation.pages import SimulatedPages, open_browser
from muxd.simulation.store import MortalStore
from muxd.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from muxd.abc import Learned, Store
    from muxd.browser.generation import Generation
    from muxd.civil import Calendar
    from muxd.config import SlottingConfig
    from muxd.events import Event
    from muxd.planner import JobSource
    from muxd.record import Record
    from muxd.recycling import Limits
    from muxd.simulation.world import World

__all__ = ["Circumstances", "End", "Life"]

GRACE = 30.0
SOMEBODY = "somebody"


class End(StrEnum):
    """How a life ends."""

    stopped = "stopped"
    killed = "killed"
    gave_up = "gave up"
    """It ended by itself: the ledger could not be opened, no browser came up, or worse."""


@attrs.frozen(kw_only=True)
class Circumstances:
    """What is the same in every life."""

    plugins: JobSource
    calendar: Calendar
    slotting: SlottingConfig
    learned: Mapping[str, Learned]
    limits: Limits
    growth: float
    """By how many bytes the browser grows with each run."""
    core: Callable[..., Core] = Core
    """Makes the core."""


class _TappedBus:
    """A bus with somebody at the line: told of each event while it happens."""

    def __init__(self, tap: Callable[[Event], object]) -> None:
        self._tap = tap
        self._bus: Bus[Event] = Bus()
        self.subscribe = self._bus.subscribe

    def publish(self, event: Event) -> None:
        self._tap(event)
        self._bus.publish(event)


@final
class Life:
    """A daemon. It is lived once."""

    def __init__(
        self,
        world: World,
        store: Store,
        circumstances: Circumstances,
        *,
        tap: Callable[[Life, Event], object],
        written: Callable[[Life, Sequence[Record]], object],
    ) -> None:
        """Put a daemon together.

        Args:
          world: where it lives.
          store: what it keeps its records in; not open.
          circumstances: what is the same for all.
          tap: is told of each event, while it happens.
          written: is told of what has reached the store, each time.
        """
        self.dead = False
        """True: it was killed; what it still does has no effect."""
        self.world = world
        self.pages: SimulatedPages | None = None
        """The browser that is up."""
        self.freed: Callable[[], object] = lambda: None
        """Called whenever a page has been closed."""
        self.cause: BaseException | None = None
        """Why it gave up."""
        self._tap = tap
        self._scope = trio.CancelScope()
        self._circumstances = circumstances
        self.store = MortalStore(
            store, world, known=circumstances.learned, written=partial(written, self)
        )
        self.core = circumstances.core(
            circumstances.plugins,
            self.store,
            cast("Bus[Event]", _TappedBus(self._hear)),
            open_generation=self._open,
            calendar=circumstances.calendar,
            make_clock=lambda: world.clock,
            real_now=world.real_now,
            slotting=circumstances.slotting,
            grace=GRACE,
            limits=circumstances.limits,
            measure=self._measure,
            in_thread=at_once,
            new_id=world.new_id,
        )
        trail = AuditTrail(Path(), self.core.bus, real_now=world.real_now)  # never written
        self._steering = Steering(self.core, trail, real_now=world.real_now)

    async def live(self) -> End:
        """Start, work, stop: in the order of the daemon. When cancelled, it stops at once.

        Raises:
          UserError: the jobs can't be planned.
        """
        try:
            with self._scope:
                await self._live()
        except* Exception as error:
            self.cause = _leaf(error)
        if isinstance(self.cause, UserError):
            raise self.cause
        if self.cause is not None and not self.dead:
            return End.gave_up
        return End.killed if self.dead else End.stopped

    async def _live(self) -> None:
        core = self.core
        async with self.store.open(), trio.open_nursery() as outer:
            outer.start_soon(core.book.run)
            await core.recover()
            await core.plan()
            async with trio.open_nursery() as bodies:
                core.assemble(bodies)
                await core.work()
                bodies.cancel_scope.cancel()
            await core.book.finish()
            outer.cancel_scope.cancel()

    def die(self) -> None:
        """End at once: nothing that it does from now on has an effect."""
        self.dead = self.store.dead = True
        self._scope.cancel()

    def stop(self, *, at_once: bool) -> None:
        """Be told to stop."""
        self.core.stop(at_once=at_once)

    def lose_browser(self, reason: str) -> None:
        """Lose the browser that is up, if any."""
        if self.pages is not None:
            self.pages.kill(reason)

    async def ask_for_a_run(self, number: int) -> None:
        """Have somebody ask for a run of a job."""
        jobs = self._circumstances.plugins.jobs
        if self.core.scheduler is None or not jobs:
            return
        with trio.move_on_after(1):
            try:
                await self.core.request(jobs[number % len(jobs)].name)
            except UserError:  # it is stopping
                return

    async def be_steered(self, number: int) -> None:
        """Have somebody steer it."""
        scheduler, jobs = self.core.scheduler, self._circumstances.plugins.jobs
        if scheduler is None or self.core.stopping.is_set() or not jobs:
            return
        number, what = divmod(number, 7)
        job = jobs[number % len(jobs)].name
        with trio.move_on_after(60), contextlib.suppress(UserError, LedgerError):
            match what:
                case 0:
                    live = self.core.book.find("")
                    if live:
                        await self._steering.cancel(live[number % len(live)].id, by=SOMEBODY)
                case 1:
                    self._steering.skip(job, "", by=SOMEBODY)
                case 2:
                    self._steering.pause(None, "", seconds=1800.0, by=SOMEBODY)
                case 3:
                    self._steering.resume(None, by=SOMEBODY)
                case 4:
                    await self._steering.request_in_gap(job, by=SOMEBODY)
                case 5:
                    self._steering.drain("", by=SOMEBODY)
                    with trio.move_on_after(20):
                        await self._steering.wait_drained()
                    self.core.pauses.end_drain(by=SOMEBODY)
                    scheduler.news()
                case 6:
                    await self._be_reloaded()

    async def _be_reloaded(self) -> None:
        """Have the same jobs once more: nothing may move."""
        planner, plugins = self.core.planner, self._circumstances.plugins
        async with planner.lock:
            slot, slotting = planner.slot_of(plugins), self._circumstances.slotting
            table = await planner.draft(plugins, slot, slotting, renewed=())
            with trio.CancelScope(shield=True):
                await planner.take_over(table, plugins, slot, slotting)
                self.core.take_over(plugins)

    def _hear(self, event: Event) -> None:
        if self.dead:
            return
        if isinstance(event, RunStarted):
            self.world.run_started(event.record.id)
        if isinstance(event, PlanMade):
            self.world.plans += 1
        self._tap(self, event)
        if isinstance(event, RunEnded):
            self.world.run_ended(event.record.id)

    def _open(self, number: int) -> AbstractAsyncContextManager[Generation]:
        return cast("AbstractAsyncContextManager[Generation]", open_browser(number, self))

    async def _measure(self, _pid: int) -> int:
        await trio.lowlevel.checkpoint()
        return round(300e6 + self.core.worker.runs * self._circumstances.growth)


def _leaf(error: BaseException) -> BaseException:
    """The first of the errors in a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def at_once(work: Callable[[], Any]) -> Any:
    """Run it here and now, where others would use a thread: virtual time waits for nobody."""
    await trio.lowlevel.checkpoint()
    return work()
