"""Virtual time: hours in which nothing happens take none, and the same seed gives the same order."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, final

import structlog
import trio
from trio._core import _run as trio_run

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["LeapingClock", "run_virtual"]

T = TypeVar("T")

THREAD_SLICE = 0.001
"""How long to really wait for a thread before looking again, seconds."""


@final
class LeapingClock(trio.abc.Clock):
    """Leaps to the next deadline whenever no task can run.

    trio asks a clock how long to wait exactly when all tasks are waiting, so nothing private of
    trio's is needed, and no further turn of its loop as with `trio.testing.MockClock`. While one of
    trio's worker threads is at work, time stands still: what it takes on this machine has no part
    in what is simulated.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        self._threads: trio.CapacityLimiter | None = None

    def start_clock(self) -> None:
        """Nothing to start."""

    def watch_threads(self) -> None:
        """Stand still for worker threads from now on; to be called in the trio run."""
        self._threads = trio.to_thread.current_default_thread_limiter()

    def current_time(self) -> float:
        """Virtual seconds."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Leap, unless a thread is at work."""
        if self._threads is not None and self._threads.borrowed_tokens:
            return THREAD_SLICE
        if deadline == float("inf"):
            return THREAD_SLICE
        self._now = max(self._now, deadline)
        return 0.0


def run_virtual(main: Callable[[], Awaitable[T]], *, seed: int) -> T:
    """Run `main` under trio in virtual time, without logs. The same seed gives the same run."""

    async def watching() -> T:
        clock.watch_threads()
        return await main()

    clock = LeapingClock()
    with _same_order(seed), _silence():
        return trio.run(watching, clock=clock)


@contextlib.contextmanager
def _same_order(seed: int) -> Iterator[None]:
    """Have trio shuffle its tasks by this seed, as its plugin for Hypothesis does."""
    module: Any = trio_run
    shuffling: random.Random = module._r
    before, state = module._ALLOW_DETERMINISTIC_SCHEDULING, shuffling.getstate()
    module._ALLOW_DETERMINISTIC_SCHEDULING = True
    shuffling.seed(seed)
    try:
        yield
    finally:
        module._ALLOW_DETERMINISTIC_SCHEDULING = before
        shuffling.setstate(state)


def _drop(_logger: object, _method: str, _event: object) -> NoReturn:
    raise structlog.DropEvent


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No logs: what is simulated didn't happen."""
    configured, before = structlog.is_configured(), structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        processors=[_drop],
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.reset_defaults()
        if configured:
            structlog.configure(**before)
