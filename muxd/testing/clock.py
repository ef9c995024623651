"""A clock for tests: on trio's own time, so that `autojump_clock` makes a day pass in no time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, final

import trio

from muxd.clock import Readings, WatchingClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["VirtualClock"]


@final
class VirtualClock(WatchingClock):
    """Timetable time that follows `trio.current_time`, and jumps when told to.

    It stands at `start` when it is first used, which must be inside a trio run, as must every use.
    Times in whole seconds are kept exactly under `trio.testing.MockClock`.

    Args:
      start: Unix seconds; by default 2024-01-01 00:00:00 UTC, a Monday.
    """

    def __init__(self, start: float = 1_704_067_200.0) -> None:
        super().__init__()
        self._start = start
        self._origin: float | None = None
        self._stepped = 0.0
        self._slept = 0.0
        self._alarms: set[trio.Event] = set()

    def read(self) -> Readings:
        """Return what the three clocks of the imagined machine show."""
        if self._origin is None:
            self._origin = trio.current_time()
        awake = trio.current_time() - self._origin
        boot = awake + self._slept
        return Readings(wall=self._start + boot + self._stepped, boot=boot, awake=awake)

    def now(self) -> float:
        """Return what the wall clock of the imagined machine shows."""
        now = trio.current_time()
        if self._origin is None:
            self._origin = now
        return self._start + (now - self._origin + self._slept) + self._stepped

    def step(self, seconds: float) -> None:
        """Set the wall clock forwards, or backwards if negative, as an administrator would."""
        self.read()
        self._stepped += seconds
        self._ring()

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep that long: wall time passes, and no trio deadline comes nearer.

        Raises:
          ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"a machine can't sleep for {seconds!r} s")
        self.read()
        self._slept += seconds
        self._ring()

    def _ring(self) -> None:
        for alarm in self._alarms:
            alarm.set()

    @contextlib.contextmanager
    def alarm(self, t: float) -> Iterator[Callable[[], Awaitable[None]]]:
        """Arm an alarm that rings at `t` and at each jump."""
        jumped = trio.Event()
        seconds = max(t - self.now(), 0.0)

        async def ring() -> None:
            with trio.move_on_after(seconds):
                await jumped.wait()

        self._alarms.add(jumped)
        try:
            yield ring
        finally:
            self._alarms.remove(jumped)
