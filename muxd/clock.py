"""The daemon's time: sleeping to an instant of the wall clock, and noticing when that jumps.

*Timetable time* is what slots and releases are reckoned in, as Unix seconds. With `WallClock` it is
the wall clock's; with `ScaledClock` it runs faster, for rehearsals. (`muxd.testing` has a clock for
tests, on trio's own time.)

A wall clock can jump in two ways, told apart by Linux's other clocks: CLOCK_MONOTONIC never jumps
and stands still while the machine sleeps; CLOCK_BOOTTIME never jumps and runs on. So what BOOTTIME
gained on MONOTONIC was sleep, and what the wall gained on BOOTTIME was a step: somebody set it.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Literal, final
from weakref import WeakKeyDictionary

import attrs
import trio

from muxd._timerfd import WallAlarm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from trio.lowlevel import Task

__all__ = ["TOLERANCE", "Clock", "ClockJump", "Readings", "ScaledClock", "WallClock"]

TOLERANCE = 0.5
"""Jumps up to this, in real seconds, are not reported until they add up to more: no timetable
cares, and a busy machine can't read three clocks at one instant."""


@attrs.frozen
class ClockJump:
    """A report that timetable time moved otherwise than by passing."""

    seconds: float
    """How far it moved, in timetable seconds: forwards if positive. Never 0."""
    kind: Literal["step", "sleep"]
    """"step": somebody set the wall clock. "sleep": the machine was suspended; always forwards."""


@attrs.frozen
class Readings:
    """Three clocks read at one instant, in seconds. Only the wall's zero means something."""

    wall: float
    """Unix time: steps when it is set, runs on while the machine sleeps."""
    boot: float
    """Never steps, runs on while the machine sleeps. Where the system has no such clock: `awake`'s,
    and then a sleep is reported as a step."""
    awake: float
    """Never steps, stands still while the machine sleeps."""


class Clock(ABC):
    """What the daemon asks for the time.

    The laws of an implementation (`tests/test_clock.py` holds every one here to them):

    - `now` passes at `speed` timetable seconds a real second, but for jumps.
    - `sleep_until(t)` returns None only when ``now() >= t``.
    - A jump is reported once to each task that sleeps here, before anything else, even if its
      instant has come meanwhile. What happened before a task's first sleep does not concern it.
    """

    speed: float = 1.0
    """Timetable seconds a real second, above 0."""

    @abstractmethod
    def now(self) -> float:
        """Return the timetable time, Unix seconds."""

    @abstractmethod
    def real(self, t: float) -> float:
        """Return the Unix time at which the timetable reaches the instant `t`, if nothing jumps."""

    @abstractmethod
    async def sleep_until(self, t: float) -> ClockJump | None:
        """Sleep until the timetable instant `t`, or until time jumps.

        Args:
          t: Unix seconds; at once if it has come; `math.inf` waits for a jump only.

        Returns:
          None at `t`; else the jump, within a second of it (of waking, if the machine slept). The
          caller thinks again, and sleeps again if it still wants to.

        Raises:
          ValueError: `t` is not a number.

        If cancelled, no report is lost: the task's next sleep here gives it. Always a checkpoint.
        """


def read_clocks() -> Readings:
    """Read the machine's clocks at one instant, as nearly as it goes."""
    best, spread = None, math.inf
    for _ in range(5):
        before = time.monotonic()
        wall, boot = time.time(), _boottime()
        after = time.monotonic()
        # The task may have lost the processor in between: the tightest reading is the truest.
        if after - before < spread:
            middle = (before + after) / 2
            best, spread = Readings(wall, middle if boot is None else boot, middle), after - before
        if spread < 0.001:
            break
    assert best is not None
    return best


def _boottime() -> float | None:
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return None


@attrs.define
class _Watch:
    """Compares each reading with the last that was reported on, for one sleeping task."""

    base: Readings

    def jump(self, now: Readings) -> ClockJump | None:
        """Return what happened since, if anything did, and take it as reported.

        If both kinds happened, the sleep now and the step at the next call.
        """
        base = self.base
        awake = now.awake - base.awake
        slept = now.boot - base.boot - awake
        stepped = now.wall - base.wall - awake - slept
        if slept > TOLERANCE:
            self.base = attrs.evolve(base, wall=base.wall + slept, boot=base.boot + slept)
            return ClockJump(slept, "sleep")
        if abs(stepped) > TOLERANCE:
            self.base = attrs.evolve(base, wall=base.wall + stepped)
            return ClockJump(stepped, "step")
        return None


class WatchingClock(Clock):
    """The part that is the same for all clocks which read a wall clock at first hand."""

    def __init__(self) -> None:
        # {task that has slept here: what was last reported to it}
        self._watches: WeakKeyDictionary[Task, _Watch] = WeakKeyDictionary()

    @abstractmethod
    def read(self) -> Readings:
        """Read the clocks."""

    @abstractmethod
    def alarm(self, t: float) -> contextlib.AbstractContextManager[Callable[[], Awaitable[None]]]:
        """Arm an alarm for the instant `t`, and give what waits for it.

        It must ring at `t` and within a second of any jump after it was armed; it may ring at any
        other time.
        """

    def now(self) -> float:
        """Return the wall clock's time."""
        return self.read().wall

    def real(self, t: float) -> float:
        """Return `t`: the timetable is the wall clock's."""
        return t

    async def sleep_until(self, t: float) -> ClockJump | None:
        """See `Clock.sleep_until`."""
        if math.isnan(t):
            raise ValueError("can't sleep until nan")
        await trio.lowlevel.checkpoint_if_cancelled()
        task = trio.lowlevel.current_task()
        watch = self._watches.get(task)
        if watch is None:
            watch = self._watches[task] = _Watch(self.read())
        rang = False
        while True:
            # Armed before the clocks are read: a jump in between is one or the other's to notice.
            with self.alarm(t) as ring:
                is_over, jump = self._look(watch, t)
                if not is_over:
                    await ring()
                    rang = True
                elif not rang:
                    await trio.lowlevel.cancel_shielded_checkpoint()
            if not is_over:  # as a rule it is now, and need not be armed again to see that
                is_over, jump = self._look(watch, t)
            if is_over:
                return jump

    def _look(self, watch: _Watch, t: float) -> tuple[bool, ClockJump | None]:
        """Whether a sleep until `t` is over, and the jump that has ended it, if one has."""
        readings = self.read()
        jump = watch.jump(readings)
        return jump is not None or readings.wall >= t, jump


@final
class WallClock(WatchingClock):
    """The wall clock, at speed 1.

    On Linux it waits for a kernel timer that rings at the instant and at every jump: nothing is
    polled. Elsewhere, or where the kernel gives no such timer, it sleeps in slices of half a second
    and compares the clocks after each.
    """

    SLICE = 0.5
    """The longest sleep without a look at the clocks, where no kernel timer helps; seconds."""

    def __init__(
        self,
        *,
        read: Callable[[], Readings] = read_clocks,
        kernel_timer: bool = sys.platform == "linux",
    ) -> None:
        super().__init__()
        self._read = read
        self._kernel_timer = kernel_timer

    def read(self) -> Readings:
        """Read the machine's clocks."""
        return self._read()

    @contextlib.contextmanager
    def alarm(self, t: float) -> Iterator[Callable[[], Awaitable[None]]]:
        """Arm a kernel timer if it can be had, else a slice of sleep."""
        try:
            kernel = WallAlarm(t) if self._kernel_timer else None
        except OSError:
            kernel = None  # no such timers here, or no file descriptor is free just now
        if kernel is None:
            yield partial(trio.sleep, min(max(t - self.now(), 0.0), self.SLICE))
        else:
            with kernel:
                yield kernel.wait


@final
class ScaledClock(Clock):
    """Another clock's time, running `speed` times as fast from the moment of creation on.

    Its jumps are the other clock's, scaled like all its time.

    Args:
      speed: timetable seconds a second of `base`, finite and above 0.
      base: the clock that is scaled; by default a new `WallClock`.
      origin: what it shows at the moment of creation, Unix seconds; by default what `base` shows.

    Raises:
      ValueError: `speed` is not finite and above 0.
    """

    def __init__(
        self, speed: float, base: Clock | None = None, *, origin: float | None = None
    ) -> None:
        if not 0 < speed < math.inf:
            raise ValueError(f"speed must be finite and above 0, not {speed!r}")
        self._base = WallClock() if base is None else base
        self._scale = speed
        self._anchor = self._base.now()
        self._origin = self._anchor if origin is None else origin
        self.speed = speed * self._base.speed

    def now(self) -> float:
        """Return the timetable time, Unix seconds."""
        return self._at(self._base.now())

    def real(self, t: float) -> float:
        """Return the Unix time at which the timetable reaches the instant `t`, if nothing jumps."""
        return self._base.real(self._to_base(t))

    async def sleep_until(self, t: float) -> ClockJump | None:
        """See `Clock.sleep_until`."""
        jump = await self._base.sleep_until(self._to_base(t))
        return None if jump is None else ClockJump(jump.seconds * self._scale, jump.kind)

    def _at(self, base_time: float) -> float:
        return self._origin + (base_time - self._anchor) * self._scale

    def _to_base(self, t: float) -> float:
        base_time = self._anchor + (t - self._origin) / self._scale
        # Rounding may have put it just before `t`, and a sleeper there would wake too early.
        step = math.ulp(base_time)
        while self._at(base_time) < t:
            base_time += step
            step *= 2
        return base_time
