"""The core: from the timetable to the record. What a daemon is, without signals, files and sockets.

The daemon runs it with a real browser on real time, the simulator with an imagined one on virtual
time: so what is simulated is what runs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import trio

from muxd.book import RunBook
from muxd.channel import open_priority_channel
from muxd.ended import recall
from muxd.errors import LoopBlocked, RunError, qualified_name
from muxd.events import Draining, Started
from muxd.evidence import RECALLED
from muxd.floors import Floors
from muxd.holding import Holding
from muxd.login import is_login
from muxd.loginneeds import LoginNeeds
from muxd.lulls import Lulls
from muxd.orders import Orders
from muxd.pauses import Pauses
from muxd.planner import Planner, solve_in_thread
from muxd.record import Outcome
from muxd.recycling import Limits, Recycler
from muxd.release import Release
from muxd.runner import Runner
from muxd.scheduler import Scheduler
from muxd.supervisor import Supervisor
from muxd.watch import Watch
from muxd.worker import Worker
from muxd.wrapping import Wrappers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from muxd.abc import Store
    from muxd.bus import Bus
    from muxd.civil import Calendar
    from muxd.clock import Clock
    from muxd.config import SlottingConfig
    from muxd.events import Event
    from muxd.evidence import Evidence
    from muxd.floors import ReadFree
    from muxd.holding import Prune
    from muxd.leaks import Leaks
    from muxd.planner import InThread, JobSource
    from muxd.record import Record
    from muxd.recovery import Fate
    from muxd.recycling import Measure
    from muxd.slotting import Timetable
    from muxd.supervisor import OpenGeneration
    from muxd.workplace import Workplace

__all__ = ["Core"]


async def _unknown(_pid: int) -> None:
    """The memory of a browser that nobody measures."""


@final
class Core(Orders):
    """Timetable, scheduler, channel, worker, browser and book, put together. It is run once.

    In this order: `recover`, `plan`, `assemble`, `work`; beside them `RunBook.run`, and after them
    `RunBook.finish`.
    """

    def __init__(
        self,
        plugins: JobSource,
        store: Store,
        bus: Bus[Event],
        *,
        open_generation: OpenGeneration,
        calendar: Calendar,
        make_clock: Callable[[], Clock],
        real_now: Callable[[], float],
        slotting: SlottingConfig,
        speed: float = 1.0,
        grace: float = 30.0,
        anew: bool = False,
        limits: Limits | None = None,
        measure: Measure = _unknown,
        floors: Floors | None = None,
        read_free: ReadFree | None = None,
        prune: Prune | None = None,
        in_thread: InThread = solve_in_thread,
        new_id: Callable[[], str] | None = None,
        evidence: Evidence | None = None,
        watch: Watch | None = None,
        leaks: Leaks | None = None,
        workplace: Workplace | None = None,
        wrappers: Wrappers | None = None,
    ) -> None:
        """Put it together; nothing happens yet.

        Args:
          plugins: whose jobs are run.
          store: keeps the records; open from `recover` on.
          bus: is told of everything.
          open_generation: launches the browser of this number and closes it on leaving.
          calendar: where the timetable is in time.
          make_clock: the timetable's clock, begun when the first release may come.
          real_now: gives Unix seconds.
          slotting: how the timetable is made.
          speed: the clock's, above 0.
          grace: how long the run in progress may go on once it is told to stop, seconds.
          anew: make the timetable anew, whatever phases are in force.
          limits: how long a browser is used; None: for ever.
          measure: gives the memory of the browser with this process, bytes.
          floors: how much memory and disk must be left; None: whatever.
          read_free: says how much is; None: nobody asks.
          prune: makes room on the disk, when that is short.
          in_thread: runs the solver.
          new_id: makes ids of runs; by default `RunIds`.
          evidence: keeps what pages of runs that don't end well show; None: nothing is kept.
          watch: sees whether bodies block muxd, and is told when it is up; None: nobody does.
          leaks: notices what runs leave outside the browser; None: nobody does.
          workplace: gives bodies what they have beside their page; None: they have no more.
          wrappers: what plugins do round the bodies; None: nothing.
        """
        self.bus, self.speed, self.grace = bus, speed, grace
        self.book = RunBook(store, bus, real_now=real_now, new_id=new_id, speed=speed)
        self.book.past.local = calendar.local
        self._begun = 0.0  # when `recover` began, real Unix seconds
        self.planner = Planner(
            plugins,
            store,
            bus,
            slotting,
            anew=anew,
            rehearsal=speed != 1,
            in_thread=in_thread,
            real_now=real_now,
        )
        self.pauses = Pauses(store, bus, real_now=real_now)
        self.login_needs = LoginNeeds(
            self.pauses, bus, jobs=lambda: self._plugins.jobs, real_now=real_now
        )
        self.lulls = Lulls(self.free_for)
        """When nothing runs, for what must not hold up a run."""
        self.supervisor: Supervisor
        """From `assemble` on."""
        self.scheduler: Scheduler | None = None
        """From the moment on that there is a browser."""
        self.recycler: Recycler | None = None
        """From the same moment on."""
        self.holding: Holding | None = None
        """From `assemble` on, if it is known what is left."""
        self.phase = "starting"
        """``starting``, ``running`` or ``draining``."""
        self.started_at: float | None = None
        self.stopping = trio.Event()
        """Set once it is told to stop."""
        self._plugins, self._open = plugins, open_generation
        self._limits, self._measure = limits or Limits(), measure
        self._floors, self._read_free, self._prune = floors or Floors(), read_free, prune
        self.worker: Worker
        """From `assemble` on."""
        self._calendar, self._make_clock, self._real_now = calendar, make_clock, real_now
        self.clock: Clock | None = None
        """The timetable's, from the moment on that there is a scheduler."""
        self.restarting = False
        """True if it is told to stop so that another is started."""
        self._runner: Runner
        self._leaks, self.workplace = leaks, workplace
        self.wrappers = wrappers if wrappers is not None else Wrappers()
        self._evidence, self._watch = evidence, watch if watch is not None else Watch()
        self._send, self._receive = open_priority_channel[Release](math.inf)
        self._settled = trio.Event()  # it has started, or is told to stop
        self._stop_at_once = trio.Event()
        self._motion = trio.Event()  # set, and made anew, when something has ended

    async def recover(self, fate: Fate | None = None) -> None:
        """End what another core left unfinished.

        Args:
          fate: what is known of the run during which muxd came to its end. What is charged to it
            counts as always; a job that blocked muxd is paused at once.

        Raises:
          LedgerError: the store can't be used.
        """
        await self.pauses.load()
        self._begun = self._real_now()
        recovered = await self.book.recover(fate)
        jobs = {job.name: job for job in self._plugins.jobs}
        for record in recovered:
            if record.harm is None:
                continue
            job, blocked = jobs.get(record.job), record.error_type == qualified_name(LoopBlocked)
            if blocked and record.job not in self.pauses.all:
                self.pauses.pause(record.job, record.harm, interval=job.interval if job else 0.0)
            else:
                self.pauses.ended(record, job)
        await self.pauses.save()
        if self._evidence is not None:
            await self._evidence.begin(await self.book.store.history(limit=RECALLED))
        elif self.workplace is not None:
            await self.workplace.tidy()

    async def plan(self) -> None:
        """Make the first timetable; see `Planner.begin` for what it raises."""
        await self.planner.begin()

    def assemble(self, bodies: trio.Nursery) -> None:
        """Get ready to work. `bodies`: where the bodies of runs live; it must outlive `work`."""
        self._runner = Runner(
            self.book,
            bodies,
            real_now=self._real_now,
            evidence=self._evidence,
            watch=self._watch,
            leaks=self._leaks,
            workplace=self.workplace,
            wrappers=self.wrappers,
        )
        if self._read_free is not None:
            self.holding = Holding(
                self._floors,
                self.book,
                self.bus,
                real_now=self._real_now,
                read=self._read_free,
                send=self._send.send_nowait,
                set_aside=self._set_aside,
                prune=self._prune,
            )
        self.worker = Worker(
            self._receive,
            self._runner,
            self._ended,
            holding=self.holding,
            rested=self._rested,
            coming=self._coming,
        )
        self.supervisor = Supervisor(self._open, self.worker, self.bus, real_now=self._real_now)

    async def work(self) -> None:
        """Browser and scheduler, until told to stop; then the order of stopping.

        Raises:
          WorldError: no browser ever came up.

        When cancelled, it stops at once, in order; the run in progress becomes ``interrupted`` at
        the next start.
        """
        async with trio.open_nursery() as inner:
            inner.start_soon(self.supervisor.run)
            inner.start_soon(self.pauses.run)
            inner.start_soon(recall, self.book.past, self.book.store, self._begun)
            async with trio.open_nursery() as releasing:
                releasing.start_soon(self._release)
                await self.stopping.wait()
                self.phase = "draining"
                grace = self.grace
                running = self.book.running
                self.bus.publish(
                    Draining(at=self._real_now(), grace=grace, job=running.job if running else None)
                )
                releasing.cancel_scope.cancel()
            await self._send.aclose()
            await self.book.close()
            await self._drain(grace)
            inner.cancel_scope.cancel()

    def now(self) -> float:
        """The time, real Unix seconds."""
        return self._real_now()

    @property
    def overdue(self) -> float:
        """For how long the scheduler has had a release to make, real seconds; 0 if it has none."""
        if self.scheduler is None or self.clock is None:
            return 0.0
        return max(0.0, (self.clock.now() - self.scheduler.next_instant) / self.speed)

    def stop(self, *, at_once: bool = False) -> None:
        """Begin to stop. `at_once`: the run in progress does not get its grace. Never blocks."""
        self.stopping.set()
        self._settled.set()
        self.moved()
        if at_once:
            self._stop_at_once.set()

    def waiting(self) -> Sequence[Release]:
        """What waits in the channel, in the order in which it would run now, then what is held."""
        return (*self._receive.snapshot(), *(self.holding.held if self.holding else ()))

    def take_over(self, plugins: JobSource) -> None:
        """Go on with these jobs, on the planner's timetable. Never blocks."""
        self._plugins = plugins
        self._replaced(self.planner.timetable)
        self._rested()

    def _ended(self, record: Record) -> None:
        self.planner.ended(record)
        jobs = {} if self.scheduler is None else self.scheduler.jobs
        if not is_login(record.job):  # whatever becomes of it, no job is to blame
            self.pauses.ended(record, jobs.get(record.job))
        self.login_needs.ended(record)
        if self.scheduler is not None:
            self.scheduler.ended(record)
        self.moved()

    def free_for(self) -> float:
        """For how long nothing is going to run, real seconds; 0 while something does, or who knows."""
        if self.scheduler is None or self.clock is None:
            return 0.0
        if self.book.running is not None or self.book.waiting:
            return 0.0
        return (self.scheduler.next_instant - self.clock.now()) / self.speed

    def _rested(self) -> None:
        self.lulls.news()
        if self.recycler is not None:
            self.recycler.rested()

    def _coming(self) -> Sequence[str]:
        """The sessions of which a page is to be ready: that of the next release, and ``main``."""
        if self.stopping.is_set():
            return ()
        following = None if self.scheduler is None else self.scheduler.next_job
        return ("main",) if following is None else (following.session, "main")

    def _set_aside(self, release: Release) -> None:
        if self.scheduler is not None:
            self.scheduler.set_aside(release)

    def _make_recycler(self, clock: Clock, scheduler: Scheduler) -> Recycler:
        return Recycler(
            self._limits,
            supervisor=self.supervisor,
            worker=self.worker,
            scheduler=scheduler,
            book=self.book,
            bus=self.bus,
            clock=clock,
            calendar=self._calendar,
            timetable=lambda: self.planner.timetable,
            measure=self._measure,
            holding=self.holding,
        )

    async def _make_scheduler(self, clock: Clock) -> Scheduler:
        last_releases = await self.book.store.last_releases()
        self.pauses.settle_skips(last_releases)
        return Scheduler(
            clock=clock,
            calendar=self._calendar,
            timetable=self.planner.timetable,
            jobs={job.name: job for job in self._plugins.jobs},
            channel=self._send,
            book=self.book,
            bus=self.bus,
            pauses=self.pauses,
            last_releases=last_releases,
            placed=await self.book.store.placed(),
        )

    async def _release(self) -> None:
        """The scheduler, from the moment on that there is a browser."""
        await self.supervisor.up.wait()
        clock = self.clock = self._make_clock()
        self.scheduler = await self._make_scheduler(clock)
        self.recycler = self._make_recycler(clock, self.scheduler)
        self._settled.set()
        for record in self.book.unsettled:
            self.scheduler.ended(record)  # what a dead daemon left may be tried again
            await trio.lowlevel.checkpoint()  # there may be thousands
        self.started_at, self.phase = self._real_now(), "running"
        self._watch.running()
        self.bus.publish(
            Started(at=self.started_at, jobs=len(self.planner.timetable.slots), speed=self.speed)
        )
        async with trio.open_nursery() as nursery:
            if self.speed == 1:  # a rehearsal learns nothing
                nursery.start_soon(self.planner.run, self._replaced)
            nursery.start_soon(self.recycler.run)
            if self.holding is not None:
                nursery.start_soon(self.holding.run)
            await self.scheduler.run()

    def _replaced(self, timetable: Timetable) -> None:
        assert self.scheduler is not None
        self.scheduler.replace(timetable, {job.name: job for job in self._plugins.jobs})

    async def _drain(self, grace: float) -> None:
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
            self._runner.end_current(Outcome.interrupted, RunError("muxd was stopped"))
            await self.book.wait_ended(running.id)
