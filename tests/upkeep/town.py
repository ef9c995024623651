"""A whole core on virtual time: real scheduler, worker, supervisor and book; browsers of nothing."""

from __future__ import annotations

import contextlib
from zoneinfo import ZoneInfo

import attrs
import trio

from muxd.builtin.slotter import SolvingSlotter
from muxd.bus import Bus
from muxd.civil import Calendar
from muxd.clock import ScaledClock
from muxd.config import SlottingConfig
from muxd.core import Core
from muxd.floors import Free
from muxd.job import Job
from muxd.resources import FreeDisk
from muxd.testing import FakePages, MemoryStore, VirtualClock

MONDAY = 1_704_067_200
MB = 1_000_000


@attrs.define
class Some:
    """Plugins with these jobs and muxd's own slotter."""

    jobs: tuple

    def slotters(self):
        return [("muxd.slotter", SolvingSlotter())]


@attrs.define
class Life:
    """One browser's, in seconds since the town's beginning."""

    up: float
    gone_from: float | None = None
    gone: float | None = None


class Town:
    """Jobs, and the core that runs them."""

    def __init__(self, *jobs, launch=1.0, close=0.5, speed=1.0, store=None, **options):
        self.launch, self.close = launch, close
        self.lives = []
        self.browsers = []
        self.up = self.most_up = 0
        self.took = {}  # {job name: how long its runs take, seconds}; else nearly its duration
        self.memory = 400 * MB
        self.growth = 0
        self.free = Free(memory=8000 * MB, disk=FreeDisk(8000 * MB, 10**6))
        self.readings = 0
        self.on_close = lambda: None
        self.events = []
        self.store = MemoryStore() if store is None else store
        self.bus = Bus()
        self.clock = VirtualClock(MONDAY)
        self.core = Core(
            Some(tuple(map(self._bodied, jobs))),
            self.store,
            self.bus,
            open_generation=self._open,
            calendar=Calendar(ZoneInfo("UTC")),
            make_clock=lambda: self.clock if speed == 1 else ScaledClock(speed, self.clock),
            real_now=self.clock.now,
            slotting=SlottingConfig(max_utilisation=5),
            speed=speed,
            measure=self._measure,
            in_thread=self._in_thread,
            **({"read_free": self._read} | options),
        )

    def _bodied(self, job):
        async def body(run):
            await trio.sleep(self.took.get(run.job.name, run.job.duration - 0.1))
            self.memory += self.growth

        return Job(
            job["name"], body, **{name: value for name, value in job.items() if name != "name"}
        )

    async def _in_thread(self, work):
        await trio.lowlevel.checkpoint()
        return work()

    async def _measure(self, pid):
        self.readings += 1
        await trio.sleep(0.02)
        return self.memory

    async def _read(self):
        await trio.sleep(0.001)
        return self.free

    @contextlib.asynccontextmanager
    async def _open(self, number):
        await trio.sleep(self.launch)
        pages = FakePages(number)
        pages.pid, pages.version = 1000 + number, "fake"
        self.memory = 400 * MB
        life = Life(self.now)
        self.lives.append(life)
        self.browsers.append(pages)
        self.up += 1
        self.most_up = max(self.most_up, self.up)
        try:
            yield pages
        finally:
            life.gone_from = self.now
            with trio.CancelScope(shield=True):
                await trio.sleep(self.close)
            self.on_close()
            self.up -= 1
            life.gone = self.now

    @property
    def now(self):
        return self.clock.now() - MONDAY

    async def _follow(self, task_status=trio.TASK_STATUS_IGNORED):
        with self.bus.subscribe("test", capacity=100_000) as events:
            task_status.started()
            async for event in events:
                self.events.append(event)

    @contextlib.asynccontextmanager
    async def alive(self):
        """It lives while inside."""
        core = self.core
        async with self.store.open(), trio.open_nursery() as outer:
            await outer.start(self._follow)
            outer.start_soon(core.book.run)
            await core.recover()
            await core.plan()
            self.first_timetable = core.planner.timetable
            async with trio.open_nursery() as bodies:
                core.assemble(bodies)
                bodies.start_soon(core.work)
                yield self
                core.stop(at_once=True)
            await core.book.finish()
            outer.cancel_scope.cancel()

    async def live(self, seconds):
        """Let it live for that long; then it is stopped."""
        async with self.alive():
            await trio.sleep(seconds)
        return self

    def told(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def records(self, name=None):
        found = [r for r in self.store.records.values() if name in (None, r.job)]
        return sorted(found, key=lambda r: r.id)

    def relaunches(self):
        """When there was no browser: from when to when."""
        return [
            (before.gone_from, after.up)
            for before, after in zip(self.lives, self.lives[1:], strict=False)
        ]


def a_job(name, interval, phase="0s", **fields):
    return {"name": name, "interval": interval, "preferred_phase": phase, "pinned": True} | fields
