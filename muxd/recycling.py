"""When the browser is replaced by a new one: when it is due, and in which gap of the timetable.

A browser gathers memory over its life, and nobody knows how to make it give all of that back but by
ending it. That costs a relaunch, in which no run can start: so it is done where the timetable has
room for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import attrs
import structlog
import trio

from muxd.bus import EventsLost
from muxd.events import BrowserUp, PlanMade
from muxd.gaps import first_free, longest_free
from muxd.sizes import format_size
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from muxd.book import RunBook
    from muxd.bus import Bus
    from muxd.civil import Calendar
    from muxd.clock import Clock
    from muxd.events import Event
    from muxd.holding import Holding
    from muxd.scheduler import Scheduler
    from muxd.slotting import Timetable
    from muxd.supervisor import Supervisor
    from muxd.worker import Worker

    Measure = Callable[[int], Awaitable[int | None]]

__all__ = ["Limits", "Recycler", "Ripe", "relaunch_time"]

OVERDUE = 2.0
"""How many times a limit is passed when the next gap is waited for no longer."""
GROWTH = 1.5
"""By which factor a browser must have grown, at least, to be recycled for its memory: a limit below
what a new one takes would have it recycled for ever."""
MEASURED_EVERY = 60.0
"""How long after one reading of its memory the next is made at the earliest, seconds."""
LEAST_RELAUNCH = 5.0
"""How long a relaunch is taken to need at the least, seconds."""
AHEAD = 86_400.0
"""How far ahead a gap is looked for, timetable seconds; the longest within that must do else."""
ROUNDING = 0.001
"""The shortest sleep, seconds: what is left of a wait by rounding may be too short to pass at all."""
LATE = 1.0
"""How late a gap may be come to until it is looked for anew, real seconds."""


@attrs.frozen
class Ripe:
    """Why a browser is to be recycled."""

    reason: str
    """As in ``512 MB``, ``1000 runs``, ``24h old``."""
    overdue: bool
    """True: it is not to wait for a gap any more."""


@attrs.frozen(kw_only=True)
class Limits:
    """How long a browser is used; 0 is for ever."""

    runs: int = 0
    age: float = 0.0
    """Seconds."""
    memory: int = 0
    """Of the browser with its driver and helpers, bytes."""

    def ripe(self, *, runs: int, age: float, memory: int | None, new: int | None) -> Ripe | None:
        """Whether a browser is to be recycled, and why; None if it isn't.

        Args:
          runs: how many it has made. One that has made none is as good as new.
          age: seconds.
          memory: what it takes now, bytes; None if that is not known.
          new: what it took when it was new.
        """
        if runs == 0:
            return None
        least = max(self.memory, GROWTH * (new or 0))
        found = [
            (runs, self.runs, f"{runs} runs"),
            (age, self.age, f"{format_duration(round(age))} old"),
            (memory or 0, least if self.memory else 0, format_size(memory or 0)),
        ]
        passed = [(is_ / limit, text) for is_, limit, text in found if limit and is_ >= limit]
        if not passed:
            return None
        times, text = max(passed)
        return Ripe(text, times >= OVERDUE)

    def next_change(self, age: float) -> float:
        """In how many seconds at the earliest age alone changes what `ripe` says."""
        waits = (limit - age for limit in (self.age, OVERDUE * self.age))
        return min((wait for wait in waits if self.age and wait > 0), default=math.inf)


def relaunch_time(launches: Collection[float], closes: Collection[float]) -> float:
    """How long it takes to close a browser and launch the next, at most times, seconds."""
    return max(LEAST_RELAUNCH, _p95(launches) + _p95(closes))


def _p95(values: Collection[float]) -> float:
    return sorted(values)[math.ceil(0.95 * len(values)) - 1] if values else 0.0


@attrs.frozen
class _Gap:
    """Where the relaunch goes, in timetable time."""

    at: float
    length: float


@final
class Recycler:
    """Has the browser replaced in time, in gaps of the timetable.

    - In a gap that is as long as the relaunch usually takes, and with nothing waiting, no run has
      to wait for it. Should the timetable have no such gap for a day, the longest is taken.
    - A browser that has passed a limit twice is replaced between the next two runs.
    - It wakes when a run has ended, when a browser comes up, for a gap, and when age makes the
      browser due.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        supervisor: Supervisor,
        worker: Worker,
        scheduler: Scheduler,
        book: RunBook,
        bus: Bus[Event],
        clock: Clock,
        calendar: Calendar,
        timetable: Callable[[], Timetable],
        measure: Measure,
        holding: Holding | None = None,
    ) -> None:
        """Make one; it does nothing before `run`.

        Args:
          limits: how long a browser is used.
          supervisor: has the browser that is up.
          worker: works on it. `news` must be called when it rests.
          scheduler: knows what comes next, and what was promised a place in a gap.
          book: knows what waits.
          bus: tells of browsers that come up, and of new timetables.
          clock: the timetable's.
          calendar: where the timetable is in time.
          timetable: gives the one in force.
          measure: gives the memory of the browser with this process, bytes.
          holding: knows what waits for something else than the browser.
        """
        self.limits = limits
        """How long a browser is used; what is changed counts from the next look on."""
        self._supervisor, self._worker = supervisor, worker
        self._scheduler, self._book, self._bus, self._clock = scheduler, book, bus, clock
        self._calendar, self._timetable, self._measure = calendar, timetable, measure
        self._holding = holding
        self.ripe: Ripe | None = None
        """Why the browser that is up is to be replaced; None if it isn't."""
        self.memory: int | None = None
        """What it took when that was read last, bytes; None if that is not known yet."""
        self._new: int | None = None
        self._generation = 0
        self._born = self._measured_at = -math.inf
        self._measured_runs = -1
        self._gap: _Gap | None = None
        self._told = False
        self._nap: trio.CancelScope | None = None
        self._looks_at = math.inf  # trio's time, if nothing happens before

    @property
    def next_at(self) -> float | None:
        """When the browser is going to be replaced, real Unix seconds; None if that is open."""
        return None if self._gap is None else self._clock.real(self._gap.at)

    def rested(self) -> None:
        """The worker rests. Never blocks, and wakes nobody as long as the browser is well."""
        if (
            self.ripe is not None
            or self._judge() is not None
            or (self._unread and trio.current_time() + self._next_reading < self._looks_at)
        ):
            self.news()

    def news(self) -> None:
        """Something has changed. Never blocks."""
        self._told = True
        if self._nap is not None:
            self._nap.cancel()

    async def run(self) -> None:
        """Do so until cancelled. A recycling that has begun goes on all the same."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            while True:
                self._told = False
                self._meet()
                await self._read_memory()
                instant = self._look()
                wait = self._next_look()
                self._looks_at = trio.current_time() + wait
                with trio.move_on_after(wait) as self._nap:
                    if self._told:
                        self._nap.cancel()
                    if instant == math.inf:  # no gap that a jump of time could spoil
                        await trio.sleep_forever()
                    elif await self._clock.sleep_until(instant) is not None:
                        self._gap = None  # time jumped
                self._nap = None

    async def _listen(self) -> None:
        with self._bus.subscribe("recycling", only=(BrowserUp, PlanMade)) as events:
            async for event in events:
                if isinstance(event, (PlanMade, EventsLost)):
                    self._gap = None
                self.news()

    def _meet(self) -> None:
        """Take note of the browser that is up, if it is another."""
        generation = self._supervisor.current
        if generation is not None and generation.generation != self._generation:
            self._generation, self._born = generation.generation, trio.current_time()
            self._new = self.memory = self._gap = None
            self._measured_at, self._measured_runs = -math.inf, -1

    async def _read_memory(self) -> None:
        generation = self._supervisor.current
        if generation is None or not self._unread or self._next_reading > 0:
            return
        runs = self._worker.runs
        size = await self._measure(generation.pid)
        if self._supervisor.current is not generation:
            return
        self._measured_at, self._measured_runs = trio.current_time(), runs
        if size is None:  # nobody knows; the next run may tell
            return
        self.memory = size
        if self._new is None and runs == 0:
            self._new = size
            if 0 < self.limits.memory < GROWTH * size:
                structlog.get_logger().warning(
                    "browser.recycle_memory is too small: a new browser takes "
                    f"{format_size(size)}; it is recycled at {format_size(int(GROWTH * size))}"
                )

    @property
    def _unread(self) -> bool:
        return self._measured_runs < self._worker.runs

    @property
    def _next_reading(self) -> float:
        """In how many seconds memory may be read again."""
        return max(0.0, self._measured_at + MEASURED_EVERY - trio.current_time())

    def _next_look(self) -> float:
        """In how many seconds to look again even if nothing happens."""
        if self._supervisor.current is None:
            return math.inf
        age = self.limits.next_change(trio.current_time() - self._born)
        wait = min(age, self._next_reading or math.inf) if self._unread else age
        return max(wait, ROUNDING)

    def _look(self) -> float:
        """Recycle if it is time; else say when it may be, in timetable time."""
        if self._supervisor.current is None or self._worker.retired is not None:
            return math.inf  # the next one's coming will be told
        self.ripe = self._judge()
        if self.ripe is None:
            self._reserve(None)
            return math.inf
        now = self._clock.now()
        need = relaunch_time(self._supervisor.launches, self._supervisor.closes) * self._clock.speed
        if self.ripe.overdue:
            return self._recycle(self.ripe, _Gap(now, need))
        if self._gap is None or now > self._gap.at + LATE * self._clock.speed:
            self._reserve(self._find(now, need))
        if self._gap is None:
            return math.inf
        if now < self._gap.at:
            return self._gap.at
        # Its time has come; is it as the timetable said?
        following = self._scheduler.next_instant
        if following <= now or not self._quiet():  # what is overdue is about to be released
            self._reserve(None)
            return math.inf  # looks again when the worker rests
        if following < self._gap.at + self._gap.length:
            self._reserve(self._find(following, need))
            return math.inf if self._gap is None else self._gap.at
        return self._recycle(self.ripe, self._gap)

    def _judge(self) -> Ripe | None:
        return self.limits.ripe(
            runs=self._worker.runs,
            age=trio.current_time() - self._born,
            memory=self.memory,
            new=self._new,
        )

    def _recycle(self, ripe: Ripe, gap: _Gap) -> float:
        self._reserve(gap)
        self._worker.retire(f"recycled: {ripe.reason}")
        return math.inf

    def _find(self, earliest: float, need: float) -> _Gap | None:
        """The first gap that is long enough within a day, else the longest."""
        self._reserve(None)
        table, until = self._timetable(), earliest + AHEAD
        taken = self._scheduler.promised()
        at = first_free(
            table, self._calendar, math.ceil(need), earliest=earliest, until=until, taken=taken
        )
        if at is not None:
            return _Gap(at, need)
        found = longest_free(table, self._calendar, earliest=earliest, until=until, taken=taken)
        return None if found is None else _Gap(*found)

    def _reserve(self, gap: _Gap | None) -> None:
        """Let nothing else be placed there."""
        self._gap = gap
        stretch = None if gap is None else (gap.at, gap.at + gap.length)
        self._scheduler.reserve("recycling", stretch)

    def _quiet(self) -> bool:
        """True if no run is in progress, and none waits for the browser."""
        held = set() if self._holding is None else {release.id for release in self._holding.held}
        waiting = {release.id for release in self._book.waiting}
        return self._worker.idle and self._book.running is None and waiting <= held
