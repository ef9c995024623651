"""The daemon round the core: the nursery tree, and the order of start and stop. No policy.

::

    outer    sinks, services, control socket
    └─ bodies   the bodies of runs; one that ignores its end is left behind here
       └─ inner    the supervisor (one browser, its worker), the scheduler

Start: lock -> ledger -> sinks -> services -> timetable -> control -> browser -> scheduler.
Stop: scheduler -> channel -> the run in progress, for as long as `grace` -> browser -> bodies ->
control, services -> sinks -> ledger -> lock.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

import structlog
import trio

from muxd.audit import AuditTrail
from muxd.body.data import Data
from muxd.body.memory import Memory
from muxd.body.pruning import keep_data_in_shape
from muxd.browser.footprint import tree_memory
from muxd.browser.generation import open_generation
from muxd.browser.sessions import SessionFiles
from muxd.bus import Bus
from muxd.civil import Calendar
from muxd.clock import ScaledClock, WallClock
from muxd.companions import Served, start_services, start_sinks
from muxd.control.server import serve_control
from muxd.control.web import Web
from muxd.core import Core
from muxd.events import WebOpened
from muxd.floors import PATIENCE, Floors, FreeReader
from muxd.health import Checkup
from muxd.heap import trim_in_lulls
from muxd.helm import Helm
from muxd.keeping import artifacts_of, evidence_of, make_room, secrets_of
from muxd.lastrung import end_process
from muxd.leaks import Leaks
from muxd.logins import IDLE, Logins
from muxd.looking import Looking
from muxd.lookout import Lookout
from muxd.performance import split
from muxd.pulse import Signals, forget_fate, last_fate
from muxd.recycling import Limits
from muxd.reload import Reloader
from muxd.restarting import RestartGap
from muxd.retention import keep_in_shape
from muxd.runlog import RunLog
from muxd.servicemanager import keep_informed
from muxd.signals import stop_signals
from muxd.state import StateDir
from muxd.steering import Steering
from muxd.workplace import Workplace
from muxd.zone import zone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from muxd.abc import Sink
    from muxd.browser.launch import LaunchPlan
    from muxd.clock import Clock
    from muxd.config import Config
    from muxd.events import Event
    from muxd.floors import Shortage
    from muxd.logfile import LogFile
    from muxd.plugins import Plugins
    from muxd.pulse import Pulse
    from muxd.secrets import KnownSecrets
    from muxd.servicemanager import ServiceManager

__all__ = ["Daemon"]

SINK_BOUND = 5.0
"""How long sinks may take to handle what they have been told when the daemon stops, seconds."""


STOP_BOUND = 60.0
"""How long the rest of an orderly stop may take beside the grace of the run in progress, seconds."""
LAST_BOUND = 10.0
"""How much longer services and bodies that were left behind may take to end, seconds."""


class Daemon(Lookout, Helm):
    """One daemon, from lock to lock. It is run once."""

    def __init__(
        self,
        config: Config,
        plugins: Plugins,
        launch: LaunchPlan,
        *,
        sinks: Sequence[tuple[str, Sink]] = (),
        anew: bool = False,
        pulse: Pulse | None = None,
        manager: ServiceManager | None = None,
        secrets: KnownSecrets | None = None,
        read: Callable[[], Config] | None = None,
        log: LogFile | None = None,
    ) -> None:
        """Put it together; nothing happens yet.

        Args:
          config: what is in force.
          plugins: as loaded.
          launch: how the browser is started.
          sinks: the caller's own, by name, beside those of the plugins.
          anew: make the timetable anew, whatever phases are in force.
          pulse: the link to the guard that watches this process; None: nobody does.
          manager: the service manager that wants to know how muxd is; None: nobody does.
          secrets: what is masked in all that is kept or told; None: what the configuration names.
          read: reads the configuration anew; None: it can't be reloaded.
          log: the log in files that this process writes; None: there is none.
        """
        self.state = StateDir(config.daemon.state_dir)
        self.zone = zone(config)
        self.pid = os.getpid()
        self.speed = config.daemon.speed
        self.bus: Bus[Event] = Bus()
        self._calendar = Calendar(self.zone)
        self.secrets = secrets if secrets is not None else secrets_of(config)
        self._data = Data(self.state.root, real_now=time.time)
        self._leaks = Leaks(launch.scratch, own=[self._data.path])
        store = plugins.store(self.state.root)
        self.memory = Memory(self._data, store, real_now=time.time)
        self.core = Core(
            plugins,
            store,
            self.bus,
            open_generation=partial(
                open_generation, plan=launch, sessions=SessionFiles(self.state.sessions)
            ),
            calendar=self._calendar,
            make_clock=self._make_clock,
            real_now=time.time,
            slotting=config.slotting,
            speed=self.speed,
            grace=config.daemon.grace,
            anew=anew,
            limits=Limits(
                runs=config.browser.recycle_runs,
                age=config.browser.recycle_age,
                memory=config.browser.recycle_memory,
            ),
            measure=_measure,
            floors=Floors(memory=config.resources.memory_floor, disk=config.resources.disk_floor),
            read_free=FreeReader(self.state.root),
            prune=self._prune,
            evidence=evidence_of(config, self.state, self.secrets),
            watch=pulse,
            leaks=self._leaks,
            workplace=Workplace(
                secrets=self.secrets,
                artifacts=artifacts_of(config, self.state),
                memory=self.memory,
                publish=self.bus.publish,
            ),
        )
        self.book = self.core.book
        self._sinks = [*sinks, *plugins.sinks()]
        self.core.wrappers.replace(plugins.page_wrappers())
        self.served = Served()
        self._drained, self._ends = trio.Event(), trio.Event()
        self._cause: BaseException | None = None  # why it ends, if nobody told it to
        self.pulse, self._manager = pulse, manager
        self._run_log = RunLog(
            self.state.logs, mask=self.secrets.mask, publish=self.bus.publish, log=log
        )
        self.web = Web(self, config.web, self.state.root)
        self._is_chromium = launch.found.engine.is_chromium
        self._checkup = Checkup(self.core)
        self._signals = Signals()
        self._looking = Looking(self.core.look, lambda: self.book.running)
        self.trail = AuditTrail(self.state.root, self.bus, real_now=time.time)
        self.steering = Steering(self.core, self.trail, real_now=time.time)
        self.logins = Logins(
            self.core,
            self.trail,
            obstacle=self._no_login_page,
            # Whoever sits before the window need not look at its picture.
            idle=math.inf if launch.headed else IDLE,
        )
        self.reloader = Reloader(
            self.core, config, plugins, read=read, start=self.start_new, real_now=time.time
        )
        self.restart_gap = RestartGap(self.core, self._calendar)

    async def _prune(self, shortage: Shortage) -> None:
        """Make room on the disk. On one that does not answer, for half a second at most."""
        room = partial(make_room, artifacts_of(self.config, self.state), shortage)
        with trio.move_on_after(PATIENCE):
            await trio.to_thread.run_sync(room, abandon_on_cancel=True)

    async def _keep_in_shape(self) -> None:
        """Check and prune the ledger now and then, and settle it between runs."""
        wanted = self.config.ledger
        await keep_in_shape(
            self.book.store,
            keep=wanted.keep,
            max_runs=wanted.max_runs,
            real_now=time.time,
            lulls=self.core.lulls,
        )

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
        with (
            trio.open_signal_receiver(*stop_signals()) as signals,
            self._place(),
            self._leaks,
        ):
            async with self.book.store.open(), self._data, trio.open_nursery() as self.outer:
                outer = self.outer
                outer.start_soon(self._heed, signals)
                if self._manager is not None:
                    outer.start_soon(keep_informed, self._manager, self.core, self.bus)
                if self.pulse is not None:
                    outer.start_soon(self.pulse.listen, self._told, self._unguarded)
                outer.start_soon(self.book.run)
                outer.start_soon(self._last_rung)
                outer.start_soon(self.trail.run)
                outer.start_soon(self.logins.run)
                async with trio.open_nursery() as self.told:
                    told = self.told
                    await start_sinks(self._sinks, self.bus, told)
                    try:
                        await self._serve()
                    finally:
                        self.bus.close()
                        told.cancel_scope.deadline = trio.current_time() + SINK_BOUND
                await self.book.finish()
                await self.trail.finish()
                outer.cancel_scope.cancel()

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """Hold the state directory, together with the guard: it keeps it for the next daemon."""
        if self.pulse is None:
            with self.state.hold():
                yield
            return
        link = self.pulse.link
        with self.state.hold(guard=link.guard, lock=link.lock) as lock:
            self.pulse.holds(lock)
            yield

    def _no_login_page(self) -> str | None:
        """Why nobody could see the page of a login, and what to do; None: they can."""
        here = "or stop muxd: then `muxd login` opens a window on this machine's screen"
        if not self._is_chromium:
            return f"only Chromium shows its pages to the dashboard: configure it, {here}"
        if self.web.url is not None:
            return None
        problem = self.web.problem or (
            "the page of a login is on the dashboard, which is switched off: set web.enabled = true "
            "and restart"
        )
        return f"{problem}; {here}"

    async def _heed(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            self._signal(number, by_guard=False)

    def _told(self, number: int) -> None:
        self._signal(number, by_guard=True)

    def _signal(self, number: int, *, by_guard: bool) -> None:
        if self._signals.is_new(number, by_guard=by_guard):
            name = signal.Signals(number).name
            again = self.core.stopping.is_set() and not self.core.restarting
            self.stop(at_once=again, by=f"signal {name}")

    def _unguarded(self) -> None:
        """The guard is gone, and was not the daemon's to lose: nobody would start it again."""
        structlog.get_logger().error("the guard is gone: muxd stops")
        self.stop(at_once=True, by="the end of the guard")

    async def _last_rung(self) -> None:
        """End the process where something of a plugin's or a body's would keep it for ever."""
        async with trio.open_nursery() as either:
            for event in (self.core.stopping, self._ends):
                either.start_soon(_wait_and_cancel, event, either.cancel_scope)
        with trio.move_on_after(self.grace + STOP_BOUND):
            await self._drained.wait()
        await trio.sleep(SINK_BOUND + LAST_BOUND)
        await end_process(self.book.finish, self._clean_up, cause=self._cause)

    def _clean_up(self) -> None:
        self.state.socket.unlink(missing_ok=True)
        if self.pulse is None:  # else the guard removes it
            self.state.lock_file.unlink(missing_ok=True)
        else:
            self.pulse.bye()
        self._leaks.close()

    async def _serve(self) -> None:
        """Everything between the first sink and the last."""
        await self.core.recover(last_fate(self.state.root))
        if not self.book.unwritten:  # else the next start has to be told again
            forget_fate(self.state.root)
        async with trio.open_nursery() as self.beside:
            beside = self.beside
            with self._bounding(), trio.CancelScope() as starting:
                beside.start_soon(self._cut_short, starting)
                services = self.plugins.services(self)
                await start_services(services, beside, self._leave_out, self.served)
                await self.core.plan()
            if not starting.cancelled_caught:
                async with trio.open_nursery() as bodies:
                    with self._bounding():
                        self.core.assemble(bodies)
                        routes = self.served.routes
                        serve = partial(serve_control, self, self.state.socket, routes=routes)
                        await beside.start(serve)
                        await beside.start(self.web.serve, routes)
                        if self.web.url is not None:
                            self.bus.publish(WebOpened(at=time.time(), url=self.web.url))
                        # The guard's questions wake muxd up anyway: nothing else need.
                        beat = trio.sleep_forever if self.pulse is None else self.pulse.asked
                        beside.start_soon(self._checkup.look_now_and_then, beat)
                        beside.start_soon(self._keep_in_shape)
                        beside.start_soon(
                            partial(keep_data_in_shape, keep=self.config.data.keep),
                            self._data,
                            time.time,
                            self.core.lulls,
                        )
                        beside.start_soon(trim_in_lulls, self.core.lulls)
                        await self.core.work()
                        self._drained.set()
                    bodies.cancel_scope.cancel()
            beside.cancel_scope.cancel()

    @contextlib.contextmanager
    def _bounding(self) -> Iterator[None]:
        """If it raises inside, what is beside has no longer to end than after an order to stop."""
        try:
            yield
        except BaseException as error:
            self._cause, _cancelled = split(error)
            self._drained.set()
            self._ends.set()
            raise

    async def _cut_short(self, starting: trio.CancelScope) -> None:
        """Told to stop while it starts, the daemon does not start first."""
        await self.core.stopping.wait()
        starting.cancel()

    def _leave_out(self, plugin: str, cause: Exception) -> None:
        problem = self.plugins.leave_out(plugin, "muxd_services", cause)
        structlog.get_logger().error(str(problem))

    def _make_clock(self) -> Clock:
        clock: Clock = WallClock()
        if self.speed == 1:
            return clock
        # A rehearsal begins at midnight: the same in the morning as in the evening.
        today = self._calendar.local(time.time()).replace(hour=0, minute=0, second=0, microsecond=0)
        return ScaledClock(self.speed, clock, origin=today.timestamp())


async def _wait_and_cancel(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _measure(pid: int) -> int | None:
    """The memory of the browser with this main process. Cancelled, its thread is left to itself."""
    return await trio.to_thread.run_sync(tree_memory, pid, abandon_on_cancel=True)
