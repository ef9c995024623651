"""What plugins do round each run's page, so that their mistakes are no job's."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import attrs
import structlog
import trio

from muxd.errors import LoggedOut, PluginError, RunError
from muxd.performance import found_in, leaves_of, says_lost, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from muxd.job import Body, Job
    from muxd.pagewrapper import PageWrapper
    from muxd.running import Run

__all__ = ["BOUND", "PATIENCE", "Wrapped", "Wrappers"]

BOUND = 5.0
"""How long the setup of a wrapper may take, and its teardown, seconds."""
PATIENCE = 3
"""In how many of its runs, one after another, a wrapper may be broken, before it is left out."""
GRACE = 1.0
"""How much longer than all their bounds together wrappers may take, seconds."""
HOOK = "muxd_page_wrappers"


@attrs.define
class _Wrapper:
    """One of them, and how it does."""

    plugin: str
    wrapper: PageWrapper
    broken: int = 0
    problem: PluginError | None = None
    """Why it is left out."""


class Wrappers:
    """All of them, in order. They may be others after a reload."""

    def __init__(self) -> None:
        """There are none yet."""
        self._all: list[_Wrapper] = []

    @property
    def problems(self) -> list[PluginError]:
        """Why some are left out."""
        return [each.problem for each in self._all if each.problem is not None]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    def replace(
        self, wrappers: Iterable[tuple[str, PageWrapper]], *, kept: Iterable[str] = ()
    ) -> None:
        """These are the ones from now on, each with its plugin's name.

        Args:
          wrappers: the new ones.
          kept: the plugins, in their order, whose wrappers stay as they were.
        """
        before, fresh = self._all, [_Wrapper(*each) for each in wrappers]
        order = list(dict.fromkeys([*kept, *(each.plugin for each in fresh)]))
        kept = set(kept) - {each.plugin for each in fresh}
        found = [each for each in before if each.plugin in kept] + fresh
        self._all = sorted(found, key=lambda each: order.index(each.plugin))

    def round(self, job: Job, body: Body) -> Wrapped | None:
        """The body with all that is to be round it; None if nothing is. Never raises."""
        found = []
        for each in self._all:
            if each.problem is not None:
                continue
            try:
                if each.wrapper.wants(job):
                    found.append(each)
            except (Exception, SystemExit) as error:
                self.broke(each, error)
        return Wrapped(self, found, body) if found else None

    def broke(self, wrapper: _Wrapper, cause: BaseException, *, at_once: bool = False) -> None:
        """It was broken in a run; the last time that it may be it is left out."""
        wrapper.broken += 1
        part, words = f"page wrapper {_name(wrapper)!r}", _words(cause)
        log, told = structlog.get_logger(), f"{part} is broken: {words}"
        if wrapper.broken < PATIENCE and not at_once:
            log.error(told, plugin=wrapper.plugin, exc_info=cause)
            return
        times = "" if at_once else f" {PATIENCE} times one after another"
        reason = f"it was broken{times}: {words}"
        problem = PluginError(wrapper.plugin, HOOK, reason, part=part)
        wrapper.problem = problem
        log.error(str(problem), plugin=wrapper.plugin, exc_info=cause)


class Wrapped:
    """One run's body, and what is round it."""

    def __init__(self, all_: Wrappers, wrappers: Sequence[_Wrapper], body: Body) -> None:
        """Made by `Wrappers.round`."""
        self._all, self._wrappers, self._body = all_, wrappers, body
        self._at: _Wrapper | None = None  # the one at work
        self._begun_at: float | None = None
        self._ended_at: float | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self._moved: Callable[[], object] = lambda: None  # the body has begun, or ended
        self._run: Run

    @property
    def body(self) -> Body:
        """All of it as one body, by the name of the job's own."""

        async def wrapped(run: Run) -> Any:
            return await self._all_of(run)

        name = getattr(self._body, "__qualname__", None)
        return wrapped if name is None else functools.wraps(self._body)(wrapped)

    def limit(self, scope: trio.CancelScope, timeout: float) -> None:
        """Give the scope the deadline of what the run is at, now and from then on.

        Args:
          scope: is cancelled when the run is to be ended.
          timeout: the body's.
        """
        allowance = BOUND * len(self._wrappers) + GRACE  # of all setups, and of all teardowns

        def move() -> None:
            is_body = self._begun_at is not None and self._ended_at is None
            scope.deadline = trio.current_time() + (timeout if is_body else allowance)

        self._moved = move
        move()

    @property
    def took(self) -> float:
        """How long the body has had the page, seconds."""
        if self._begun_at is None:
            return 0.0
        end = trio.current_time() if self._ended_at is None else self._ended_at
        return end - self._begun_at

    def blame(self) -> PluginError | None:
        """Why the run has met a deadline that was not its body's: a wrapper that would not end."""
        at = self._at
        if at is None:
            return None
        cause = TimeoutError("it would not end, and the run had to be ended for it")
        self._all.broke(at, cause, at_once=True)
        return PluginError(at.plugin, HOOK, f"the page wrapper {_name(at)!r} would not end")

    @property
    def has_ended(self) -> bool:
        """Whether the body has."""
        return self._ended_at is not None

    @property
    def result(self) -> Any:
        """What the body returned."""
        return self._result

    @property
    def error(self) -> BaseException | None:
        """What it raised."""
        return self._error

    async def _all_of(self, run: Run) -> Any:
        """Setup, body, teardown. Raises and returns what the body does."""
        self._run = run
        await self._go(0)
        if self._error is not None:
            raise self._error
        return self._result

    async def _go(self, number: int) -> None:
        """From this wrapper on inwards. Raises only the cancellation of what is outside of it."""
        if number == len(self._wrappers):
            await self._perform()
            return
        wrapper, entered = self._wrappers[number], False
        with trio.CancelScope() as scope:  # round all of it: a nursery of the wrapper's may be open
            manager = await self._enter(wrapper, scope)
            if manager is not None:
                entered = True
                await self._inside(wrapper, manager, scope, number)
        if scope.cancelled_caught:
            self._all.broke(wrapper, TimeoutError(f"it took longer than {BOUND:g} s"))
        if not entered and self._error is None:
            await self._go(number + 1)

    async def _enter(
        self, wrapper: _Wrapper, scope: trio.CancelScope
    ) -> AbstractAsyncContextManager[object] | None:
        scope.deadline = trio.current_time() + BOUND
        self._at = wrapper
        try:
            manager = wrapper.wrapper.wrap(self._run)
            await manager.__aenter__()
        except BaseException as error:
            own, cancelled = split(error)
            if cancelled is not None:
                raise cancelled from None
            assert own is not None
            if (out := found_in(own, LoggedOut)) is not None:
                self._error = out
            else:
                self._failed(wrapper, own)
            return None
        finally:
            self._at = None
            scope.deadline = math.inf
        return manager

    async def _inside(
        self,
        wrapper: _Wrapper,
        manager: AbstractAsyncContextManager[object],
        scope: trio.CancelScope,
        number: int,
    ) -> None:
        cancelled: BaseException | None = None
        try:
            await self._go(number + 1)
        except BaseException as error:  # a cancellation, or a group of them
            cancelled = error
        scope.deadline = trio.current_time() + BOUND
        self._at = wrapper
        seen = cancelled or self._error
        own: BaseException | None = None
        try:
            took_back = await manager.__aexit__(
                None if seen is None else type(seen), seen, seen.__traceback__ if seen else None
            )
        except BaseException as error:
            raised, still = split(error)
            own = _without(raised, seen)
            if own is not None:
                self._failed(wrapper, own)
            if still is not None:
                raise still from None
            took_back = True
        finally:
            self._at = None
            scope.deadline = math.inf
        if own is None:
            wrapper.broken = 0
        if cancelled is not None:
            if not took_back:
                raise cancelled
            # By a scope of its own it has cancelled what is inside of it.
            self._error = self._error or RunError(
                f"the page wrapper {_name(wrapper)!r} of plugin {wrapper.plugin!r} has ended this run"
            )

    async def _perform(self) -> None:
        self._begun_at = trio.current_time()
        self._moved()
        try:
            self._result = await self._body(self._run)
        except BaseException as error:
            self._error, cancelled = split(error)
            if cancelled is not None:
                raise cancelled from None
        finally:
            self._ended_at = trio.current_time()
            self._moved()

    def _failed(self, wrapper: _Wrapper, error: BaseException) -> None:
        if not says_lost(error):  # that is the browser's, or a page's that the body has closed
            self._all.broke(wrapper, error)


def _without(error: BaseException | None, seen: BaseException | None) -> BaseException | None:
    """What is left of it without what was seen before; nurseries put that into groups."""
    if error is seen:
        return None
    if isinstance(error, BaseExceptionGroup):
        known = list(leaves_of(seen))
        _, error = error.split(lambda each: any(each is one for one in known))
    return error


def _name(wrapper: _Wrapper) -> str:
    return str(getattr(wrapper.wrapper, "name", type(wrapper.wrapper).__name__))


def _words(cause: BaseException) -> str:
    while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
        cause = cause.exceptions[0]  # a nursery's: what counts is what was raised in it
    try:
        return f"{type(cause).__name__}: {cause}"[:500]
    except (Exception, SystemExit):
        return type(cause).__name__
