"""One life of a daemon's core, which may end at any instant: real parts, pages of nothing, fast time.

What has happened for good is told to a witness, a pipe: each record once its write has returned,
and each event once the bus is told of it.
"""

from __future__ import annotations

import collections
import contextlib
import json
import math
import os
import random
import signal
import time
from zoneinfo import ZoneInfo

import attrs
import structlog
import trio

from muxd.abc import Slotter
from muxd.builtin.ledger import Ledger
from muxd.bus import Bus
from muxd.civil import Calendar
from muxd.clock import Clock
from muxd.config import SlottingConfig
from muxd.core import Core
from muxd.errors import UserError
from muxd.events import RunEnded, RunReleased, RunStarted
from muxd.job import Job
from muxd.slotting import Slot, Timetable
from muxd.testing import FakePages

SPEED = 50.0
"""How much faster than real time all of it goes."""
BEGINNING = 1_704_067_200.0
"""When it begins: a Monday, Unix seconds."""


class FastClock(Clock):
    """The world's time, fast. To the core it is the real one: its records count as such."""

    def __init__(self, began, skipped):
        self._began, self._skipped = began, skipped

    def now(self):
        """Unix seconds."""
        return BEGINNING + self._skipped + (time.monotonic() - self._began) * SPEED

    def real(self, t):
        """The same: there is no other."""
        return t

    async def sleep_until(self, t):
        """Sleep until then."""
        if t == math.inf:
            await trio.sleep_forever()
        seconds = (t - self.now()) / SPEED
        await trio.sleep(max(seconds, 0.0) + 1e-4)  # never before it


class Pinned(Slotter):
    """Everybody has a pinned place; there is nothing to solve."""

    name = "pinned"

    def solve(self, demands, *, fixed, headroom):
        """Where they want to be."""
        slots = tuple(Slot.of(demand, demand.wish) for demand in demands)
        return Timetable(slots=slots, warnings=("not solved",))


@attrs.frozen
class Some:
    """Plugins with these jobs."""

    jobs: tuple

    def slotters(self):
        """One that is quick."""
        return [("quick", Pinned())]

    def leave_out(self, plugin, hook, cause):
        """Nobody is."""
        raise cause


def jobs_of(rng):
    """Jobs of all policies; how their runs go is left to chance."""

    async def body(run):
        await trio.sleep(rng.random() * run.job.duration / SPEED)
        chance = rng.random()
        if chance < 0.15:
            raise RuntimeError("it did not work")
        if chance < 0.25:
            return []
        if chance < 0.30:
            await trio.sleep_forever()
        return "24 headlines"

    policies = [
        ("once", 20, 1, {}),
        ("skipper", 20, 4, {"misfire": "skip", "overlap": "skip"}),
        ("all", 20, 7, {"misfire": "all", "idempotent": True}),
        ("patient", 40, 10, {"overlap": "queue_one", "priority": "high"}),
        ("careful", 20, 13, {"on_interrupt": "leave"}),
        ("again", 120, 30, {"idempotent": True, "retries": 2, "priority": "low"}),
        ("slow", 100, 16, {"idempotent": True, "misfire": "all", "session": "shop"}),
        ("tries", 200, 18, {"retries": 3, "priority": "low"}),
        ("rare", 1800, 1000, {"idempotent": True, "retries": 1}),
    ]
    return tuple(
        Job(
            name,
            body,
            interval=interval,
            preferred_phase=phase,
            pinned=True,
            duration=1,
            timeout=0.06,  # of real time
            expects_result=True,
            **more,
        )
        for name, interval, phase, more in policies
    )


class Witness:
    """Hears of what has happened for good."""

    def __init__(self, pipe):
        self._pipe = pipe

    def tell(self, *what):
        """One line, at once."""
        os.write(self._pipe, (json.dumps(what) + "\n").encode())


class WitnessedLedger(Ledger):
    """Tells of each write that has returned."""

    witness: Witness

    async def write(self, *records):
        """Write, then tell."""
        await super().write(*records)
        for record in records:
            outcome = record.outcome and record.outcome.value
            self.witness.tell("written", record.id, outcome, record.started_at is not None)


class WitnessedBus(Bus):
    """Tells of what runs do."""

    witness: Witness

    def publish(self, event):
        """Tell, then publish."""
        if isinstance(event, RunReleased | RunStarted | RunEnded):
            self.witness.tell(type(event).__name__, event.record.id)
        super().publish(event)


class MortalPages(FakePages):
    """Pages that are sometimes lost."""

    pid, version = 1, "fake"


async def live(directory, pipe, *, seed, began, skipped):
    """Be a daemon until told to stop by SIGTERM (twice: at once), or killed."""
    rng = random.Random(seed)
    clock = FastClock(began, skipped)
    store, bus = WitnessedLedger(directory), WitnessedBus()
    store.witness = bus.witness = witness = Witness(pipe)
    browsers = []

    @contextlib.asynccontextmanager
    async def open_generation(number):
        await trio.sleep(rng.random() * 0.003)
        pages = MortalPages(number)
        browsers.append(pages)
        yield pages

    async def at_once(work):
        await trio.lowlevel.checkpoint()
        return work()

    core = Core(
        Some(jobs_of(rng)),
        store,
        bus,
        open_generation=open_generation,
        calendar=Calendar(ZoneInfo("UTC")),
        make_clock=lambda: clock,
        real_now=clock.now,
        slotting=SlottingConfig(max_utilisation=5),
        grace=0.1,
        in_thread=at_once,
    )

    async def people():
        """Ask for runs, and kill browsers."""
        await core.supervisor.up.wait()
        witness.tell("up")
        while True:
            await trio.sleep(rng.expovariate(8))
            if rng.random() < 0.2:
                browsers[-1].kill("it was killed from outside")
            else:
                with contextlib.suppress(UserError):  # it is stopping
                    await core.request(rng.choice(["once", "all", "careful", "patient"]))

    beats = collections.deque([clock.now()], maxlen=2)

    async def beat():
        """When it last had a processor, but for the turn that it is in."""
        while True:
            beats.append(clock.now())
            await trio.sleep(0.01)

    async def heed(signals):
        async for _ in signals:
            witness.tell("stopping", beats[0])
            core.stop(at_once=core.stopping.is_set())

    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with store.open(), trio.open_nursery() as outer:
            outer.start_soon(heed, signals)
            outer.start_soon(beat)
            outer.start_soon(core.book.run)
            await core.recover()
            witness.tell("recovered")
            await core.plan()
            witness.tell("planned", clock.now())
            async with trio.open_nursery() as bodies, trio.open_nursery() as beside:
                core.assemble(bodies)
                beside.start_soon(people)
                await core.work()
                beside.cancel_scope.cancel()
                bodies.cancel_scope.cancel()
            await core.book.finish()
            outer.cancel_scope.cancel()
        witness.tell("over", core.book.most_at_once, len(core.book.unwritten))


def begin(directory, pipe, log, **fate):
    """Live in this process, which is a copy of another, and never return."""
    code = 1
    try:
        file = open(log, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - until the end
        os.dup2(file.fileno(), 2)
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        trio.run(lambda: live(directory, pipe, **fate))
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)
