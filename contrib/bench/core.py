"""How many runs a second the core makes where browser, disk and time cost nothing.

    python contrib/bench/core.py [--runs 20000] [--jobs 60] [--at-once 1] [--day 1000] [--profile]

A whole core as in the daemon (planner, scheduler, channel, worker, runner, book) with pages and a
ledger in memory, on virtual time: jobs that do nothing, one release (``--at-once``: so many) a
second, so that the scheduler sleeps and wakes for it. It prints runs a second of processor time,
what one run costs in steps of trio's, and with ``--profile`` where the time goes, by file.

The floor is what trio takes for that by itself: a loop in this process that begins as many tasks, takes
as many turns and enters as many cancel scopes for each run, and does nothing else. Both take turns,
part by part, and the medians count.

The day is one of ``--day`` jobs (0: none) in the simulator (docs/simulate.md): what runs in the daemon
from timetable to ledger, which is SQLite's here, on a disk that nobody waits for. The jobs come hourly
to daily, hold the browser for some seconds, and fit on it. In its time are the simulator's own work
(it checks what muxd promises at each step) and that of the slotter, which is told apart: it plans once
and then looks at the timetable whenever durations have been learned.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import pstats
import random
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import attrs
import trio
from floor import Shape, idle_runs, scopes_counted

from muxd import Job
from muxd.builtin.slotter import SolvingSlotter
from muxd.bus import Bus
from muxd.civil import Calendar
from muxd.config import BrowserConfig, SlottingConfig
from muxd.core import Core
from muxd.recycling import Limits
from muxd.simulation import Scenario, simulate
from muxd.simulation.leap import LeapingClock
from muxd.simulation.life import at_once
from muxd.testing import FakePages, MemoryStore, VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from muxd.planner import InThread
    from muxd.slotting import Timetable

MONDAY = 1_704_067_200.0
WARM_UP = 1000
"""Runs before it is measured."""
CHUNKS = 10
"""In so many parts the runs are measured; the median counts, as the machine has others to serve."""
INTERVALS = (3600, 7200, 10800, 14400, 21600, 43200, 86400)
"""Of the jobs of the day, each as likely as the others, seconds: eight releases a job."""
DURATIONS = (1, 2, 3, 4, 5)
"""What they declare, seconds."""


@attrs.frozen
class Plugins:
    """Jobs, and muxd's own slotter."""

    jobs: tuple[Job, ...]

    def slotters(self) -> Sequence[tuple[str, SolvingSlotter]]:
        """The one."""
        return [("muxd.slotter", SolvingSlotter())]

    def leave_out(self, plugin: str, hook: str, cause: Exception) -> Exception:
        """Nobody is left out here."""
        raise cause


class Browser(FakePages):
    """A browser of nothing, as the supervisor wants it."""

    pid, version = 1, "none"


@contextlib.asynccontextmanager
async def launch(number: int) -> AsyncIterator[Any]:
    """Launch one."""
    await trio.lowlevel.checkpoint()
    yield Browser(number)


class Steps(trio.abc.Instrument):
    """Counts what trio does."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """A task begins."""
        self.counts["tasks"] += 1

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task goes on."""
        self.counts["steps"] += 1

    def before_io_wait(self, timeout: float) -> None:
        """A turn of trio's loop."""
        self.counts["turns"] += 1


async def idle_body(run: object) -> str:
    """A body that does nothing."""
    await trio.lowlevel.checkpoint()
    return "done"


async def work(
    jobs: int,
    at_once_: int,
    runs: int,
    *,
    steps: Steps | None = None,
    profile: cProfile.Profile | None = None,
    between: Callable[[], object] = lambda: None,
) -> list[tuple[float, Counter[str]]]:
    """Make so many runs; gives the processor time of each chunk, and what was counted in it.

    `between` is called after each chunk.
    """
    store, bus, interval = MemoryStore(), Bus[Any](), jobs // at_once_
    clock = VirtualClock(MONDAY)
    core = Core(
        Plugins(
            tuple(
                Job(
                    f"job-{n}",
                    idle_body,
                    interval=interval,
                    preferred_phase=n % interval,
                    pinned=True,
                    duration=1,
                )
                for n in range(jobs)
            )
        ),
        store,
        bus,
        open_generation=launch,
        calendar=Calendar(ZoneInfo("UTC")),
        make_clock=lambda: clock,
        real_now=clock.now,
        slotting=SlottingConfig(max_utilisation=10),
        in_thread=at_once,
    )

    def counted() -> Counter[str]:
        found = Counter(steps.counts if steps else ())
        found.update(ended=sum(core.book.counts.values()), published=bus.published)
        return found

    chunks: list[tuple[float, Counter[str]]] = []
    async with store.open(), trio.open_nursery() as outer:
        outer.start_soon(core.book.run)
        await core.recover()
        await core.plan()
        async with trio.open_nursery() as bodies:
            core.assemble(bodies)
            bodies.start_soon(core.work)
            await trio.sleep(WARM_UP / at_once_ + 0.5)  # between two releases
            if steps is not None:
                trio.lowlevel.add_instrument(steps)
            if profile is not None:
                profile.enable()
            for _ in range(CHUNKS):
                begun, before = time.process_time(), counted()
                await trio.sleep(runs / CHUNKS / at_once_)
                chunks.append((time.process_time() - begun, counted() - before))
                between()
            if profile is not None:
                profile.disable()
            core.stop()
        await core.book.finish()
        outer.cancel_scope.cancel()
    assert set(core.book.counts.values()) == {0, len(store.records)}, core.book.counts
    return chunks


def floor_of(shape: Shape, runs: int) -> float:
    """The processor time of so many runs of nothing, seconds, in a trio run beside the present one."""
    with ThreadPoolExecutor(1) as threads:
        begun = time.process_time()
        threads.submit(trio.run, idle_runs, shape, runs, clock=LeapingClock()).result()
        return time.process_time() - begun


async def never(run: object) -> None:
    """The body of a job that is only simulated."""


def day(number: int) -> None:
    """Simulate a day of so many jobs; print what became of it."""
    chance, solved = random.Random(number), list[float]()
    jobs = tuple(
        Job(
            f"job-{n:04}",
            never,
            interval=chance.choice(INTERVALS),
            duration=chance.choice(DURATIONS),
        )
        for n in range(number)
    )

    def make_core(*parts: Any, in_thread: InThread, **more: Any) -> Core:
        async def timed(solve: Callable[[], Timetable]) -> Timetable:
            begun = time.process_time()
            found = await in_thread(solve)  # nothing else goes on meanwhile
            solved.append(time.process_time() - begun)
            return found

        return Core(*parts, in_thread=timed, **more)

    limits = Limits(runs=BrowserConfig().recycle_runs, age=BrowserConfig().recycle_age)
    begun, wall = time.process_time(), time.perf_counter()
    report = simulate(
        Scenario(
            jobs=jobs,
            zone=ZoneInfo("UTC"),
            start=MONDAY,
            days=1.0,
            limits=limits,
            core=make_core,
        )
    )
    took, wall = time.process_time() - begun, time.perf_counter() - wall
    print(
        f"a day of {number} jobs: {report.runs} runs, {report.collisions} collisions, "
        f"{report.broken_count} broken promises; {took:.1f} s of processor time ({wall:.1f} s in "
        f"all), of which the timetable took {solved[0]:.1f} s and {len(solved) - 1} looks at it "
        f"{sum(solved[1:]):.1f} s; {1e6 * (took - sum(solved)) / max(1, report.runs):.0f} us a run"
    )


def by_file(profile: cProfile.Profile, runs: int) -> None:
    """Print in which files the time was spent, and in which functions."""
    stats: Any = pstats.Stats(profile)
    files: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, _) in stats.stats.items():
        parts = Path(file).parts
        name = "/".join(parts[-2:]) if len(parts) > 1 else "built-in"
        files[name] += own
    print("\nwhere the time goes, microseconds a run (of the profiled run, which is slower):")
    for name, own in files.most_common(25):
        print(f"{1e6 * own / runs:8.1f}  {name}")
    print()
    stats.sort_stats("tottime").print_stats(45)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=20_000, help="(default: 20000)")
    parser.add_argument("--jobs", type=int, default=60, help="(default: 60)")
    parser.add_argument("--at-once", type=int, default=1, help="releases a second (default: 1)")
    parser.add_argument("--day", type=int, default=1000, help="of how many jobs (default: 1000)")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    options = parser.parse_args()

    def run(runs: int, **watching: Any) -> list[tuple[float, Counter[str]]]:
        made = partial(work, options.jobs, options.at_once, runs, **watching)
        return trio.run(made, clock=LeapingClock())

    steps = Steps()
    with scopes_counted(steps.counts):
        counted = run(1000, steps=steps)
    total = sum((counts for _, counts in counted), Counter[str]())
    shape = Shape.of(total, total["ended"])
    floor: list[float] = []
    part = max(1, options.runs // CHUNKS)
    chunks = run(options.runs, between=lambda: floor.append(floor_of(shape, part) / part))
    rates = [counts["ended"] / took for took, counts in chunks]
    print(
        f"{statistics.median(rates):.0f} runs a second of processor time "
        f"({min(rates):.0f} to {max(rates):.0f} in {CHUNKS} parts of {chunks[0][1]['ended']} runs)"
    )
    took = statistics.median(took / counts["ended"] for took, counts in chunks)
    least = statistics.median(floor)
    print(
        f"{1e6 * took:.0f} us a run; trio by itself takes {1e6 * least:.0f} us for as many tasks, "
        f"turns and scopes ({1e6 * min(floor):.0f} to {1e6 * max(floor):.0f}), "
        f"{least / took:.0%} of it"
    )
    for what in ("tasks", "steps", "turns", "scopes", "deadlines", "published"):
        print(f"{total[what] / total['ended']:8.2f} {what} a run")
    if options.day:
        day(options.day)
    if options.profile:
        profile = cProfile.Profile()
        run(options.runs, profile=profile)
        by_file(profile, options.runs)


if __name__ == "__main__":
    main()
