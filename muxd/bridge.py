"""The border between trio and asyncio: the only file in the house that knows asyncio.

`run` hosts trio as a guest of a native asyncio loop. `bridged` drives a coroutine step by step
inside a trio task: an asyncio future that it yields is waited for on trio's side, everything of
trio's goes to trio as it is. So Playwright's calls work verbatim beside trio's, at asyncio's
speed. What works in a body, what does not and why is told in ``docs/bridge.md``.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import sys
import weakref
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, TypeVarTuple

import outcome
import structlog
import trio

from muxd.errors import MuxdError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
    from types import FrameType, TracebackType
    from typing import NoReturn, Self, TypeAlias, Unpack

    Context: TypeAlias = dict[str, Any]  # what asyncio tells its exception handlers

__all__ = [
    "Abandoned",
    "BackgroundErrors",
    "BridgedNursery",
    "Leash",
    "UnbridgedAwait",
    "background_errors",
    "bridged",
    "open_nursery",
    "run",
]

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class UnbridgedAwait(MuxdError, RuntimeError):
    """A plain trio task awaited something of asyncio's. Raised at that await; a bug to be fixed.

    Start the task in `open_nursery`, or pass its function through `bridged`.
    """


class Abandoned(MuxdError):
    """The body was let go (`Leash.let_go`) and is never resumed; raised in its stead."""


def run(
    async_fn: Callable[[Unpack[Ts]], Awaitable[T]],
    *args: *Ts,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
    restrict_keyboard_interrupt_to_checkpoints: bool = False,
    strict_exception_groups: bool = True,
) -> T:
    """Like `trio.run`, with a native asyncio loop underneath: trio is its guest.

    `async_fn` is bridged: it may await asyncio and trio things alike. The options, the result,
    the errors and Ctrl-C are those of `trio.run`. At the end whatever is left of asyncio's side
    is ended too: tasks are cancelled, async generators and subprocesses closed.

    Raises:
      RuntimeError: called where a trio run or an asyncio loop is running already.
    """
    if trio.lowlevel.in_trio_run() or asyncio._get_running_loop() is not None:
        raise RuntimeError("muxd.run() called from inside a trio run or an asyncio loop")
    scope = trio.CancelScope()

    async def main() -> T:
        with scope:
            return await bridged(async_fn)(*args)
        raise AssertionError("only cancelled when the host gives up")  # pragma: no cover

    with asyncio.Runner(loop_factory=_Loop) as runner:
        # Not Runner.run(): it would take SIGINT for itself, so that trio would leave it alone.
        loop = runner.get_loop()
        assert isinstance(loop, _Loop)
        done: asyncio.Future[outcome.Outcome[T]] = loop.create_future()

        def start() -> None:
            # In a callback, so that no asyncio task is current in any step of the guest.
            try:
                trio.lowlevel.start_guest_run(
                    main,
                    run_sync_soon_threadsafe=loop.call_soon_threadsafe,
                    run_sync_soon_not_threadsafe=loop.call_soon,
                    done_callback=done.set_result,
                    host_uses_signal_set_wakeup_fd=True,
                    clock=clock,
                    instruments=[_HelpfulErrors(), *instruments],
                    restrict_keyboard_interrupt_to_checkpoints=(
                        restrict_keyboard_interrupt_to_checkpoints
                    ),
                    strict_exception_groups=strict_exception_groups,
                )
            except BaseException as error:
                done.set_exception(error)

        loop.call_soon(start)
        result = _run_to_end(loop, done, scope)
    return result.unwrap()


def _run_to_end(
    loop: _Loop, done: asyncio.Future[outcome.Outcome[T]], scope: trio.CancelScope
) -> outcome.Outcome[T]:
    """Run the loop until trio has ended, whatever is raised through the loop meanwhile."""
    fatal: BaseException | None = None
    while True:
        try:
            result = loop.run_until_complete(done)
            break
        except BaseException as error:
            # SystemExit or KeyboardInterrupt out of a callback or a task of asyncio's: its loop
            # stops at once. The guest must not be left in the middle of its life.
            if done.done():
                raise
            fatal = error
            scope.cancel()
    if fatal is not None:
        raise fatal
    return result


def bridged(async_fn: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same function, for use in a trio task: it may await asyncio and trio things alike.

    A call from a coroutine that is bridged already costs next to nothing, as does one under a
    plain `trio.run`, where there is no asyncio to wait for.

    Cancellation: while it waits for an asyncio future, trio's cancellation cancels the future
    and raises `trio.Cancelled` at that await, at once. While it waits for something of trio's,
    nothing changes.

    Raises:
      TypeError: `async_fn` is a coroutine (call it with the function, not with its result).
    """
    if not callable(async_fn):
        if inspect.iscoroutine(async_fn):
            async_fn.close()
        raise TypeError(f"muxd.bridged() takes an async function, not {async_fn!r}")

    @functools.wraps(async_fn)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio._get_running_loop()
        if loop is None or asyncio.current_task(loop) is not None:
            # No asyncio here, or a driver (or an asyncio task) takes our futures already.
            return await async_fn(*args, **kwargs)
        awaitable = async_fn(*args, **kwargs)
        coro = awaitable if inspect.iscoroutine(awaitable) else _as_coroutine(awaitable)
        return await _Driver(coro, loop, _leash.get())

    return call


async def _as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


class _HelpfulErrors(trio.abc.Instrument):
    """Turns trio's error for an await of asyncio's into one that says what to do."""

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        # trio has just arranged for this error to be thrown in at the await. There is no public
        # way to get at it; should the attribute go, then trio's own error is what is raised.
        error = getattr(task, "_next_send", None)
        if type(error) is TypeError:
            what = str(error).removeprefix("trio.run received unrecognized yield message ")
            what = what.split(". Are you trying", 1)[0]
            task._next_send = UnbridgedAwait(
                f"this await needs asyncio: the trio task {task.name!r} awaited {what}. "
                "Start the task in a nursery of muxd.open_nursery(), or pass its function "
                "through muxd.bridged()."
            )


# --- Driving a coroutine ----------------------------------------------------------------------


class _StandIn:
    """What asyncio code sees as `asyncio.current_task()` while a trio task drives it.

    It has what is asked of a task from inside it: enough for `asyncio.timeout`, `TaskGroup`,
    `wait_for` and the libraries built on them.
    """

    def __init__(self, driver: _Driver) -> None:
        self._driver = driver
        self._requests = 0

    def cancel(self, msg: Any = None) -> bool:
        """Cancel as asyncio does: `asyncio.CancelledError` at the await, once."""
        if self._driver.ended:
            return False
        self._requests += 1
        self._driver.cancel_once(msg)
        return True

    def cancelling(self) -> int:
        return self._requests

    def uncancel(self) -> int:
        if self._requests > 0:
            self._requests -= 1
            if self._requests == 0:
                self._driver.must_cancel = False
        return self._requests

    def done(self) -> bool:
        return self._driver.ended

    def cancelled(self) -> bool:
        return False

    def result(self) -> NoReturn:
        raise asyncio.InvalidStateError("a trio task keeps no result for asyncio")

    exception = result

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._driver.loop

    def get_coro(self) -> Any:
        return self._driver.coro

    def get_context(self) -> contextvars.Context:
        return self._driver.task.context

    def get_name(self) -> str:
        return self._driver.task.name

    def set_name(self, value: object) -> None:
        pass

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        return [frame for frame, _line in self._driver.task.iter_await_frames()][-(limit or 0) :]

    def add_done_callback(self, fn: Any, *, context: contextvars.Context | None = None) -> None:
        self._driver.callbacks.append((fn, context or contextvars.copy_context()))

    def remove_done_callback(self, fn: Any) -> int:
        kept = [entry for entry in self._driver.callbacks if entry[0] != fn]
        removed = len(self._driver.callbacks) - len(kept)
        self._driver.callbacks = kept
        return removed


if sys.version_info >= (3, 12):
    _swap_current_task: Any = asyncio.tasks._swap_current_task  # type: ignore[attr-defined]
else:

    def _swap_current_task(loop: asyncio.AbstractEventLoop, task: Any) -> Any:
        before = asyncio.tasks.current_task(loop)
        if before is not None:
            asyncio.tasks._leave_task(loop, before)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)
        return before


@trio.lowlevel.disable_ki_protection
def _interruptible(step: Callable[[Any], Any], argument: Any) -> Any:
    """Run the body, in which Ctrl-C may raise anywhere, as it may under `trio.run`."""
    return step(argument)


def _protected(step: Callable[[Any], Any], argument: Any) -> Any:
    return step(argument)


class _Driver:
    """Drives one coroutine inside one trio task. Awaited once, by `bridged`.

    It is the iterator between trio and the coroutine. What the coroutine is suspended in is one
    of: `_future`, an asyncio future; `_trap`, the abort function of what trio waits for; `_pause`,
    a checkpoint of ours that stands for asyncio's bare yield; or another of trio's messages.
    """

    __slots__ = (
        "__weakref__",
        "_aborted",
        "_due",
        "_future",
        "_leash",
        "_nurseries",
        "_patience",
        "_pause",
        "_run_step",
        "_sleep",
        "_stand_in",
        "_told",
        "_trap",
        "callbacks",
        "coro",
        "ended",
        "loop",
        "message",
        "must_cancel",
        "task",
    )

    def __init__(
        self, coro: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop, leash: Leash | None
    ) -> None:
        self.coro, self.loop, self._leash = coro, loop, leash
        self.task = trio.lowlevel.current_task()
        self.ended = self.must_cancel = self._told = False
        self.message: Any = None
        self.callbacks: list[tuple[Any, contextvars.Context]] = []
        self._future: asyncio.Future[Any] | None = None
        self._trap: Callable[[Any], trio.lowlevel.Abort] | None = None
        self._pause: Coroutine[Any, Any, None] | None = None
        self._aborted = False
        """What we wait for was told to end: trio allows that once."""
        self._due = False
        """It can't be aborted: it ends by itself and wakes us, and then has an outcome."""
        self._patience: int | None = None
        self._stand_in = _StandIn(self)
        protected = trio.lowlevel.currently_ki_protected()
        self._run_step = _protected if protected else _interruptible
        sleep: Any = trio.lowlevel.wait_task_rescheduled(self._abort)  # noqa: ASYNC105
        self._sleep = sleep.send(None)  # trio's message for "wake me by reschedule()"
        sleep.close()
        if leash is not None:
            leash.drivers.add(self)
            self._nurseries = len(self.task.child_nurseries)

    # What `await`, and trio's view of a task's stack, ask for.

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # it has all of a generator that await uses

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    @property
    def cr_frame(self) -> Any:
        return getattr(self.coro, "cr_frame", None)

    @property
    def cr_await(self) -> Any:
        return getattr(self.coro, "cr_await", None)

    @trio.lowlevel.enable_ki_protection
    def send(self, value: Any) -> Any:
        """Trio resumes the task with an outcome (at first with None)."""
        if self._pause is not None:
            return self._end_pause(value)
        if self._future is None:
            return self._advance(self.coro.send, value)
        self._future = None
        if isinstance(value, outcome.Error):
            return self._advance(self.coro.throw, value.error)
        if self.must_cancel:
            # Like asyncio: a cancellation wins over a result that came in the same moment.
            return self._advance(self.coro.throw, self._cancelled_error())
        return self._advance(self.coro.send, None)

    @trio.lowlevel.enable_ki_protection
    def throw(self, error: Any, *rest: Any) -> Any:
        """Something is thrown in without an outcome: trio's complaint about a message."""
        if rest and rest[0] is not None:
            error = rest[0]
        self._forget()
        return self._advance(self.coro.throw, error)

    @trio.lowlevel.enable_ki_protection
    def close(self) -> None:
        """The coroutine around us is closed before its end."""
        self._forget()
        self._end()
        self.coro.close()

    def _forget(self) -> None:
        if self._future is not None:
            _abandon(self._future, self._wake)
        if self._pause is not None:
            self._pause.close()
        self._future = self._pause = self._trap = None

    def _end(self) -> None:
        self.ended = True
        if self._leash is not None:
            self._leash.drivers.discard(self)
        for fn, context in self.callbacks:
            self.loop.call_soon(fn, self._stand_in, context=context)

    def _step(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """Let the coroutine run to its next wait; raises when it ends, as `step` does."""
        before = _swap_current_task(self.loop, self._stand_in)
        try:
            return self._run_step(step, argument)
        except BaseException:  # StopIteration with the result, too
            self._end()
            raise
        finally:
            _swap_current_task(self.loop, before)

    def _advance(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """Let the coroutine run, and return what trio is to wait for."""
        while True:
            if self._leash is not None and self._leash.gone:
                return self._leave(step, argument)
            self._trap, self._aborted, self._due = None, False, False
            item = self._step(step, argument)
            if getattr(item, "_asyncio_future_blocking", None):
                item._asyncio_future_blocking = False
                if item.get_loop() is not self.loop:
                    error = RuntimeError(f"{item!r} belongs to another asyncio loop")
                    step, argument = self.coro.throw, error
                    continue
                if self.must_cancel and item.cancel(msg=self.message):
                    self.must_cancel = False
                if item.done():
                    step, argument = self.coro.send, None
                    continue
                self._future = item
                item.add_done_callback(self._wake)
                return self._sleep
            if item is None:  # asyncio.sleep(0)
                if self.must_cancel:
                    step, argument = self.coro.throw, self._cancelled_error()
                    continue
                self._pause = trio.lowlevel.checkpoint()  # noqa: ASYNC105  # driven by us
                return self._pause.send(None)
            self._trap = getattr(item, "abort_func", None)
            if self._trap is None:
                return item
            if self.must_cancel and self._end_trap():
                step, argument = self.coro.send, outcome.Error(self._cancelled_error())
                continue
            return self._sleep

    def _end_pause(self, value: Any) -> Any:
        assert self._pause is not None
        step: Callable[[Any], Any]
        argument: BaseException | None
        try:
            return self._pause.send(value)
        except StopIteration:
            step, argument = self.coro.send, None
            if self.must_cancel:
                step, argument = self.coro.throw, self._cancelled_error()
        except BaseException as error:
            step, argument = self.coro.throw, error
        self._pause = None
        return self._advance(step, argument)

    # Being woken and being cancelled.

    def _wake(self, future: asyncio.Future[Any]) -> None:
        if self._future is future:
            trio.lowlevel.reschedule(self.task)

    def _abort(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """Trio cancels what we wait for."""
        if self._aborted:
            return trio.lowlevel.Abort.FAILED
        if self._future is not None:
            if self._future.done():  # its callback is on its way and will wake us
                return trio.lowlevel.Abort.FAILED
            self._aborted = True
            _abandon(self._future, self._wake)
            return trio.lowlevel.Abort.SUCCEEDED
        if self._trap is None:
            return trio.lowlevel.Abort.FAILED
        return self._abort_trap(raise_cancel)

    def cancel_once(self, message: Any) -> None:
        """Asyncio cancels us: at the await that we are in, or else at the next one."""
        self.message = message
        if self._future is not None:
            self.must_cancel = not self._future.cancel(msg=message)
            return
        self.must_cancel = True
        if self._trap is not None and not self._aborted and self._end_trap():
            trio.lowlevel.reschedule(self.task, outcome.Error(self._cancelled_error()))

    def _abort_trap(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        assert self._trap is not None
        self._aborted = True
        result = self._trap(raise_cancel)
        self._due = result is trio.lowlevel.Abort.FAILED
        return result

    def _end_trap(self) -> bool:
        """Abort what trio waits for in asyncio's name; True if that has ended the wait."""

        def raise_cancel() -> NoReturn:
            raise self._cancelled_error()

        return self._abort_trap(raise_cancel) is trio.lowlevel.Abort.SUCCEEDED

    def _cancelled_error(self) -> asyncio.CancelledError:
        self.must_cancel = False
        return asyncio.CancelledError(*(() if self.message is None else (self.message,)))

    # Being let go.

    def let_go(self) -> None:
        """Wake the trio task, so that it can leave the coroutine alone. See `Leash`."""
        for nursery in self.task.child_nurseries[self._nurseries :]:
            nursery.cancel_scope.cancel()  # may abort us, too
        if self._aborted:
            return
        if self._future is not None:
            if not self._future.done():
                self._aborted = True
                _abandon(self._future, self._wake)
                trio.lowlevel.reschedule(self.task)
        elif self._trap is not None and self._end_trap():
            trio.lowlevel.reschedule(self.task, outcome.Error(self._cancelled_error()))

    def _leave(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """End the coroutine if it lets us, or leave it alone for ever.

        GeneratorExit is thrown in, once. Then it gets as many steps as it takes to close the
        nurseries that are open in it, none of which waits for anything but their children.
        """
        if self._patience is None:
            opened = len(self.task.child_nurseries) - self._nurseries
            self._patience = 1 + opened + self._due
        while self._patience > 0:
            self._patience -= 1
            if not (self._told or self._due):
                self._told = True
                step, argument = self.coro.throw, GeneratorExit()
            self._trap, self._aborted, self._due = None, False, False
            try:
                item = self._step(step, argument)
            except BaseException as error:
                raise Abandoned("the body was let go, and has ended") from error
            self._trap = getattr(item, "abort_func", None)
            if self._trap is not None:
                if not self._end_trap():
                    return self._sleep  # for what can't be aborted: a nursery's children, a thread
                step, argument = self.coro.send, outcome.Error(self._cancelled_error())
            elif item is None:
                step, argument = self.coro.throw, self._cancelled_error()
            elif getattr(item, "_asyncio_future_blocking", None):
                item._asyncio_future_blocking = False
                _abandon(item, self._wake)
                step, argument = self.coro.throw, self._cancelled_error()
            else:
                step, argument = self.coro.send, outcome.Value(None)
        self._trap, self._aborted = None, True
        if any(n.child_tasks for n in self.task.child_nurseries[self._nurseries :]):
            # Their end would resume this task: it can't end before them. It sleeps, unabortable.
            return self._sleep
        self._end()
        assert self._leash is not None
        self._leash.keep(self.coro)
        raise Abandoned("the body was let go, and is never resumed")


def _abandon(future: asyncio.Future[Any], callback: Any) -> None:
    """Cancel a future that is waited for no more; an error that it ends with is not lost."""
    future.remove_done_callback(callback)
    if not future.done():
        future.add_done_callback(_report_late_error)
        future.cancel()


def _report_late_error(future: asyncio.Future[Any]) -> None:
    if future.cancelled():
        return
    error = future.exception()  # now asyncio sees it as retrieved
    # A cancelled gather() ends with CancelledError as its exception, and that is no news.
    if error is not None and not isinstance(error, asyncio.CancelledError):
        message = "an await failed after it had been cancelled"
        future.get_loop().call_exception_handler(
            {"message": message, "exception": error, "future": future}
        )


# --- Leashes ----------------------------------------------------------------------------------


class Leash:
    """Runs one body, such that it can be given up whatever the body does.

    ::

        leash = Leash()
        nursery.start_soon(leash.run, body)
        ...
        leash.let_go()

    What holds after `let_go` is told there. A leash is for one body.
    """

    def __init__(self) -> None:
        self.gone = False
        """True once it has been let go."""
        self.drivers: set[_Driver] = set()
        """The drivers of the body and of its bridged children. Not yours to change."""
        self._kept: list[object] = []

    async def run(self, async_fn: Callable[[Unpack[Ts]], Awaitable[T]], *args: *Ts) -> T:
        """Run `async_fn`, bridged, in a task of its own; return or raise what it does.

        Cancellation reaches the body as if it were awaited here.

        Raises:
          Abandoned: it was let go.
        """
        result: outcome.Outcome[T] | None = None

        async def body() -> None:
            nonlocal result
            _leash.set(self)
            result = await outcome.acapture(bridged(async_fn), *args)

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(body, name=getattr(async_fn, "__qualname__", None))
        except BaseException:
            # trio's complaint about nurseries that are left open: with a body that is let go
            # they can be.
            if not self.gone:
                raise
        if result is None:
            raise Abandoned("the body was let go, and is never resumed")
        return result.unwrap()

    def let_go(self) -> None:
        """Give the body up. Never blocks. Not to be called by the body itself.

        What it waits for is cancelled and `GeneratorExit` thrown in, once. If it ends then, or
        ignores that, its task ends, and its coroutine is never resumed; the same holds for its
        children that are bridged. `run` raises `Abandoned`.

        Two things can keep a task from ending, because trio would resume it later: a wait that
        trio can't abort (a thread) and an open nursery with children that are not bridged and do
        not end. Then the task sleeps on at no cost, its body not resumed, until those have ended.
        """
        self.gone = True
        for driver in tuple(self.drivers):
            driver.let_go()

    def keep(self, coro: object) -> None:
        """Keep a coroutine that was left in the middle: to collect it would resume it."""
        loop = asyncio._get_running_loop()
        kept = loop.kept if isinstance(loop, _Loop) else self._kept
        kept.append(coro)


_leash: contextvars.ContextVar[Leash | None] = contextvars.ContextVar("muxd leash", default=None)


# --- Nurseries --------------------------------------------------------------------------------


class BridgedNursery:
    """A nursery whose children may await asyncio and trio things alike. See `open_nursery`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.plain = nursery
        """The trio nursery it is made of: tasks started there are not bridged."""

    @property
    def cancel_scope(self) -> trio.CancelScope:
        """Cancels all children and the block."""
        return self.plain.cancel_scope

    @property
    def child_tasks(self) -> frozenset[trio.lowlevel.Task]:
        """The children that have not ended."""
        return self.plain.child_tasks

    @property
    def parent_task(self) -> trio.lowlevel.Task:
        """The task that opened the nursery."""
        return self.plain.parent_task

    def start_soon(
        self,
        async_fn: Callable[[Unpack[Ts]], Awaitable[object]],
        *args: *Ts,
        name: object = None,
    ) -> None:
        """Start a bridged child; like `trio.Nursery.start_soon`."""
        self.plain.start_soon(bridged(async_fn), *args, name=name or async_fn)

    async def start(
        self, async_fn: Callable[..., Awaitable[object]], *args: object, name: object = None
    ) -> Any:
        """Start a bridged child and wait until it calls ``task_status.started(value)``.

        Returns the value. Like `trio.Nursery.start`: cancelled here, the child is cancelled.
        """
        return await self.plain.start(bridged(async_fn), *args, name=name or async_fn)


class open_nursery:
    """Like `trio.open_nursery`, but children started in it are bridged.

    It can be used in any trio task of a `run`, bridged or not. `strict_exception_groups` is as
    in trio. When asyncio cancels the block (an `asyncio.timeout` around it), children are
    cancelled as in an `asyncio.TaskGroup`, and the error is a bare `asyncio.CancelledError`.
    """

    def __init__(self, strict_exception_groups: bool | None = None) -> None:
        self._manager = trio.open_nursery(strict_exception_groups=strict_exception_groups)

    async def __aenter__(self) -> BridgedNursery:
        return BridgedNursery(await self._manager.__aenter__())

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        try:
            return await self._manager.__aexit__(exc_type, exc, tb)
        except BaseExceptionGroup as group:
            cancelled, others = group.split(asyncio.CancelledError)
            if others is not None or cancelled is None:
                raise
        raise _first_leaf(cancelled)


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


# --- The asyncio loop, and the errors in its background -----------------------------------------


class BackgroundErrors:
    """What `background_errors` has collected."""

    def __init__(self, on_error: Callable[[BaseException], object] | None, limit: int) -> None:
        self.errors: list[BaseException] = []
        """The first errors, oldest first, at most `limit`."""
        self.dropped = 0
        """How many more there were."""
        self._on_error, self._limit = on_error, limit
        self._loop: _Loop | None = None
        self._handler: Any = None

    def __enter__(self) -> Self:
        loop = asyncio._get_running_loop()
        if isinstance(loop, _Loop):
            self._loop, self._handler = loop, loop.get_exception_handler()
            loop.collectors.append(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._loop is not None:
            self._loop.collectors.remove(self)
            self._loop.set_exception_handler(self._handler)

    def add(self, error: BaseException) -> None:
        """Charge an error. An error in the callback is logged."""
        if len(self.errors) < self._limit:
            self.errors.append(error)
        else:
            self.dropped += 1
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:
                structlog.get_logger().exception("a callback of background_errors raised")


def background_errors(
    on_error: Callable[[BaseException], object] | None = None, *, limit: int = 100
) -> BackgroundErrors:
    """Collect what asyncio would only log, while the block is the innermost such block.

    Use it as ``with background_errors() as background:`` and look at ``background.errors``. Each
    error has a note with asyncio's words for it.

    Args:
      on_error: called with each error, at once, in the loop's thread but in no task. It may set
        a `trio.Event` or cancel a scope. It must not raise.
      limit: how many errors are kept, at least 0; the others are counted in ``dropped``.
    """
    return BackgroundErrors(on_error, limit)


class _Loop(asyncio.SelectorEventLoop):
    """The host: a plain asyncio loop that knows who is to be told of errors, and its processes."""

    def __init__(self) -> None:
        super().__init__()
        self.collectors: list[BackgroundErrors] = []  # innermost last
        self.kept: list[object] = []  # coroutines that must not be resumed, not even collected
        self._processes: weakref.WeakSet[Any] = weakref.WeakSet()  # subprocess transports

    def default_exception_handler(self, context: Context) -> None:
        """Charge an error to the innermost collector; log it if there is none."""
        message = context.get("message") or "error in a callback of asyncio's"
        error = context.get("exception")
        if error is None:
            error = RuntimeError(message)
        else:
            error.add_note(f"(asyncio: {message})")
        if self.collectors:
            self.collectors[-1].add(error)
        else:
            structlog.get_logger().error("background error", reason=message, exc_info=error)

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process; its transport is closed at the end of the run."""
        transport, protocol = await super().subprocess_exec(*args, **kwargs)
        self._processes.add(transport)
        return transport, protocol

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process; its transport is closed at the end of the run."""
        transport, protocol = await super().subprocess_shell(*args, **kwargs)
        self._processes.add(transport)
        return transport, protocol

    async def shutdown_asyncgens(self) -> None:
        """Close what is left: called by asyncio.Runner once all tasks have been cancelled."""
        await super().shutdown_asyncgens()
        transports = list(self._processes)
        for transport in transports:
            transport.close()  # kills the process
        for transport in transports:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(transport._wait(), 1)
        for _ in range(3 if transports else 0):
            await asyncio.sleep(0)  # their pipes are closed in callbacks
