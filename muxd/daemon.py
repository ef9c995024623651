"""The daemon: the nursery tree, and the order of start and stop. No policy.

::

    outer    sinks, services, control socket
    └─ bodies   the bodies of runs; one that ignores its end is left behind here
       └─ inner    the supervisor (one browser, its worker), the scheduler

Start: lock -> ledger -> sinks -> services -> timetable -> control -> browser -> scheduler.
Stop: scheduler -> channel -> the run in progress, for as long as `grace` -> browser -> bodies ->
control, services -> sinks -> ledger -> lock.
"""

from __future__ import annotations

import math
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import trio

from muxd.book import RunBook
from muxd.browser.generation import open_generation
from muxd.browser.sessions import SessionFiles
from muxd.bus import Bus
from muxd.channel import open_priority_channel
from muxd.civil import Calendar
from muxd.clock import ScaledClock, WallClock
from muxd.companions import start_services, start_sinks
from muxd.control.server import serve_control
from muxd.errors import RunError, UnknownJob, UserError
from muxd.events import Draining, Started
from muxd.planner import Planner
from muxd.record import Outcome
from muxd.release import Release
from muxd.runner import Runner
from muxd.scheduler import Scheduler
from muxd.signals import stop_signals
from muxd.state import StateDir
from muxd.status import status_of
from muxd.supervisor import Supervisor
from muxd.worker import Worker
from muxd.zone import zone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from muxd.abc import Sink
    from muxd.browser.launch import LaunchPlan
    from muxd.clock import Clock
    from muxd.config import Config
    from muxd.events import Event
    from muxd.plugins import Plugins
    from muxd.record import Record

__all__ = ["Daemon"]

SINK_BOUND = 5.0
"""How long sinks may take to handle what they have been told when the daemon stops, seconds."""


LAST_BOUND = 10.0
"""How much longer services and bodies that were left behind may take to end, seconds."""


class Daemon:
    """One daemon, from lock to lock. It is run once."""

    def __init__(
        self,
        config: Config,
        plugins: Plugins,
        launch: LaunchPlan,
        *,
        sinks: Sequence[tuple[str, Sink]] = (),
        anew: bool = False,
    ) -> None:
        """Put it together; nothing happens yet.

        Args:
          config: what is in force.
          plugins: as loaded.
          launch: how the browser is started.
          sinks: the caller's own, by name, beside those of the plugins.
          anew: make the timetable anew, whatever phases are in force.
        """
        self.config, self.plugins = config, plugins
        self.state = StateDir(config.daemon.state_dir)
        self.zone = zone(config)
        self.pid = os.getpid()
        self.started_at: float | None = None
        self.phase = "starting"
        """``starting``, ``running`` or ``draining``."""
        self.speed = config.daemon.speed
        self.grace = config.daemon.grace
        """How long the run in progress may go on once the daemon is told to stop, seconds."""
        self.bus: Bus[Event] = Bus()
        self.book = RunBook(
            plugins.store(self.state.root), self.bus, real_now=time.time, speed=self.speed
        )
        self.planner = Planner(plugins, self.book.store, self.bus, config.slotting, anew=anew)
        self.supervisor: Supervisor
        self.scheduler: Scheduler | None = None
        """From the moment on that there is a browser."""
        self._sinks = [*sinks, *plugins.sinks()]
        self._launch = launch
        self._send, self._receive = open_priority_channel[Release](math.inf)
        self._recovered: list[Record] = []
        self._settled = trio.Event()  # it has started, or is told to stop
        self._drained = trio.Event()
        self._stop = trio.Event()
        self._stop_at_once = trio.Event()

    async def run(self) -> None:
        """Run until `stop` is called or one of `stop_signals` comes (drain; again: at once).

        Raises:
          AlreadyRunning: another daemon holds the state directory.
          LedgerError: the ledger can't be opened.
          ProfileInUse: somebody else's browser holds the profile.

        When cancelled, it stops at once, in order; the run in progress becomes ``interrupted`` at
        the next start.
        """
        # Signals from the lock to its end: one that comes early or late leaves nothing behind.
        with trio.open_signal_receiver(*stop_signals()) as signals, self.state.hold():
            async with self.book.store.open(), trio.open_nursery() as outer:
                outer.start_soon(self._heed, signals)
                outer.start_soon(self.book.run)
                outer.start_soon(self._last_rung)
                async with trio.open_nursery() as told:
                    await start_sinks(self._sinks, self.bus, told)
                    try:
                        await self._serve()
                    finally:
                        self.bus.close()
                        told.cancel_scope.deadline = trio.current_time() + SINK_BOUND
                await self.book.finish()
                outer.cancel_scope.cancel()

    def stop(self, *, at_once: bool = False) -> None:
        """Begin to stop. `at_once`: the run in progress does not get its grace. Never blocks."""
        self._stop.set()
        self._settled.set()
        if at_once:
            self._stop_at_once.set()

    def status(self) -> dict[str, Any]:
        """What `muxd status` shows, for JSON."""
        return status_of(self)

    def waiting(self) -> Sequence[Release]:
        """What waits in the channel, in the order in which it would run now."""
        return self._receive.snapshot()

    async def request(self, job: str) -> Release:
        """Have a run of this job now, before everything that waits.

        Raises:
          UnknownJob: there is no such job.
          UserError: the daemon is stopping.

        Waits while it has no browser yet. When cancelled while it waits, nothing is asked for.
        """
        await self._settled.wait()
        if self._stop.is_set() or self.scheduler is None:
            raise UserError("muxd is stopping: no new run is taken")
        if job not in self.scheduler.jobs:
            raise UnknownJob(job, tuple(self.scheduler.jobs))
        return await self.scheduler.request(job)

    async def wait_ended(self, run_id: str) -> Record:
        """The record of a run, once it has ended."""
        return await self.book.wait_ended(run_id)

    async def _heed(self, signals: AsyncIterator[int]) -> None:
        async for _ in signals:
            self.stop(at_once=self._stop.is_set())

    async def _last_rung(self) -> None:
        """End the process where something of a plugin's or a body's would keep it for ever."""
        await self._drained.wait()
        await trio.sleep(SINK_BOUND + LAST_BOUND)
        await self.book.finish()
        culprits = sorted({task.name for task in _leaves(trio.lowlevel.current_root_task())})
        structlog.get_logger().critical(
            "something ignores that muxd stops: the process is ended", tasks=culprits
        )
        self.state.socket.unlink(missing_ok=True)
        self.state.lock_file.unlink(missing_ok=True)
        os._exit(1)

    async def _serve(self) -> None:
        """Everything between the first sink and the last."""
        self._recovered = await self.book.recover()
        async with trio.open_nursery() as beside:
            with trio.CancelScope() as starting:
                beside.start_soon(self._cut_short, starting)
                await start_services(self.plugins.services(), beside, self._leave_out)
                await self.planner.begin()
            if not starting.cancelled_caught:
                async with trio.open_nursery() as bodies:
                    runner = Runner(self.book, bodies, real_now=time.time)
                    self.supervisor = self._make_supervisor(runner)
                    await beside.start(serve_control, self, self.state.socket)
                    await self._work(runner)
                    bodies.cancel_scope.cancel()
            beside.cancel_scope.cancel()

    async def _cut_short(self, starting: trio.CancelScope) -> None:
        """Told to stop while it starts, the daemon does not start first."""
        await self._stop.wait()
        starting.cancel()

    def _leave_out(self, plugin: str, cause: Exception) -> None:
        problem = self.plugins.leave_out(plugin, "muxd_services", cause)
        structlog.get_logger().error(str(problem))

    def _make_supervisor(self, runner: Runner) -> Supervisor:
        return Supervisor(
            partial(open_generation, plan=self._launch, sessions=SessionFiles(self.state.sessions)),
            Worker(self._receive, runner, self._ended),
            self.bus,
            real_now=time.time,
        )

    def _ended(self, record: Record) -> None:
        self.planner.ended(record)
        if self.scheduler is not None:
            self.scheduler.ended(record)

    async def _make_scheduler(self) -> Scheduler:
        calendar = Calendar(self.zone)
        clock: Clock = WallClock()
        if self.speed != 1:
            # A rehearsal begins at midnight: the same in the morning as in the evening.
            today = calendar.local(time.time()).replace(hour=0, minute=0, second=0, microsecond=0)
            clock = ScaledClock(self.speed, clock, origin=today.timestamp())
        return Scheduler(
            clock=clock,
            calendar=calendar,
            timetable=self.planner.timetable,
            jobs={job.name: job for job in self.plugins.jobs},
            channel=self._send,
            book=self.book,
            bus=self.bus,
            last_releases=await self.book.store.last_releases(),
        )

    async def _work(self, runner: Runner) -> None:
        """Browser and scheduler, until the daemon is to stop; then the order of stopping."""
        async with trio.open_nursery() as inner:
            inner.start_soon(self.supervisor.run)
            async with trio.open_nursery() as releasing:
                releasing.start_soon(self._release)
                await self._stop.wait()
                self.phase = "draining"
                grace = self.grace
                running = self.book.running
                self.bus.publish(
                    Draining(at=time.time(), grace=grace, job=running.job if running else None)
                )
                releasing.cancel_scope.cancel()
            await self._send.aclose()
            await self.book.close()
            await self._drain(runner, grace)
            inner.cancel_scope.cancel()
        self._drained.set()

    async def _release(self) -> None:
        """The scheduler, from the moment on that there is a browser."""
        await self.supervisor.up.wait()
        self.scheduler = await self._make_scheduler()
        self._settled.set()
        for record in self._recovered:
            self.scheduler.ended(record)  # what a dead daemon cut off may be tried again
        self.started_at, self.phase = time.time(), "running"
        self.bus.publish(
            Started(at=self.started_at, jobs=len(self.planner.timetable.slots), speed=self.speed)
        )
        async with trio.open_nursery() as nursery:
            if self.speed == 1:  # a rehearsal learns nothing
                jobs = {job.name: job for job in self.plugins.jobs}
                nursery.start_soon(self.planner.run, partial(self.scheduler.replace, jobs=jobs))
            await self.scheduler.run()

    async def _drain(self, runner: Runner, grace: float) -> None:
        """Let the run in progress end, for as long as its grace; then end it."""
        running = self.book.running
        if running is None:
            return
        with trio.move_on_after(grace):
            async with trio.open_nursery() as nursery:

                async def hurry() -> None:
                    await self._stop_at_once.wait()
                    nursery.cancel_scope.cancel()

                nursery.start_soon(hurry)
                await self.book.wait_ended(running.id)
                nursery.cancel_scope.cancel()
        if self.book.running is not None:
            runner.end_current(Outcome.interrupted, RunError("muxd was stopped"))
            await self.book.wait_ended(running.id)


def _leaves(task: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    """The tasks below this one that wait for no others: where a nursery is kept open."""
    for nursery in task.child_nurseries if task else ():
        for child in nursery.child_tasks:
            if child.child_nurseries:
                yield from _leaves(child)
            else:
                yield child
