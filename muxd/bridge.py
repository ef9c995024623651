"""The border between trio and asyncio: the only file in the house that knows asyncio.

`run` hosts trio as a guest of a native asyncio loop. `bridged` lets a coroutine await asyncio and
trio things alike (`muxd.coroutine_driver` does the work). So Playwright's calls work verbatim
beside trio's, at asyncio's speed. What works in a body, what does not and why is told in
``docs/bridge.md``.
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

from muxd.background import BackgroundErrors, owner
from muxd.coroutine_driver import Abandoned, CoroutineDriver
from muxd.forks import end_stray_forks
from muxd.unbridged import HelpfulErrors, UnbridgedAwait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from types import TracebackType
    from typing import Unpack

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
    scope, entry = trio.CancelScope(), bridged(async_fn)

    async def main() -> T:
        with scope:
            return await entry(*args)
        raise AssertionError("only cancelled when the host gives up")  # pragma: no cover

    with asyncio.Runner(loop_factory=_Loop) as runner:
        # Not Runner.run(): it would take SIGINT for itself, so that trio would leave it alone.
        loop = runner.get_loop()
        assert isinstance(loop, _Loop)
        end_stray_forks(loop)
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
                    instruments=[HelpfulErrors(), *instruments],
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
            # SystemExit or KeyboardInterrupt out of a callback or a task of asyncio's, or somebody
            # stopped the loop: it stops at once. The guest must not be left in the middle of its
            # life.
            if done.done():
                raise
            if not isinstance(error, KeyboardInterrupt) and loop.charge(error):
                continue  # a run's own doing: it ends that run and nothing else
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
        hint = "write start_soon(f, x) for start_soon(f(x))"
        raise TypeError(f"muxd.bridged() takes an async function, not {async_fn!r}: {hint}")

    @functools.wraps(async_fn)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio._get_running_loop()
        if not isinstance(loop, _Loop) or asyncio.current_task(loop) is not None:
            # No host here, or a driver (or an asyncio task) takes our futures already.
            return await async_fn(*args, **kwargs)
        awaitable = async_fn(*args, **kwargs)
        coro = awaitable if inspect.iscoroutine(awaitable) else _as_coroutine(awaitable)
        return await CoroutineDriver(coro, loop, _leash.get())

    return call


async def _as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


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
        self.drivers: set[CoroutineDriver] = set()
        """The drivers of the body and of its bridged children. Not yours to change."""

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
        """Give the body up. Never blocks. Not for the body itself; nothing under plain trio.run.

        `asyncio.CancelledError` is raised at the await that it is in, once more. Whether it ends
        then or ignores that, its task ends and its coroutine is never resumed; `run` raises
        `Abandoned`. The same holds for its bridged children. If nurseries are open in it, it gets
        a few steps to leave them, two for each at most.

        Two things can keep its task from ending, because trio would resume it later: a wait that
        trio can't abort (a thread), and an open nursery with children that are not bridged and do
        not end. Then the task sleeps, at no cost and without a step for its body, until they have.
        """
        self.gone = True
        for driver in tuple(self.drivers):
            driver.let_go()


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
            if others is not None:  # trio's cancellation in the same moment will come again
                others = others.split(trio.Cancelled)[1]
            task = asyncio.current_task() if asyncio._get_running_loop() else None
            if others is not None or cancelled is None or task is None or not task.cancelling():
                raise
        bare: BaseException = cancelled
        while isinstance(bare, BaseExceptionGroup):
            bare = bare.exceptions[0]
        raise bare


# --- asyncio's side -----------------------------------------------------------------------------


def background_errors(
    on_error: Callable[[BaseException], object] | None = None, *, limit: int = 100
) -> BackgroundErrors:
    """Collect what asyncio would only log: ``with background_errors() as background: ...``.

    While the block runs, ``background.errors`` gets the errors of asyncio's callbacks, of its
    tasks that nobody awaits, and of futures that are collected as garbage without anybody having
    looked at their error. One that comes of a task or callback that was started in such a block
    goes to that block (if it has ended, to the log, not to another); all others go to the
    innermost block. Each has a note with asyncio's words for it. A block under a plain
    `trio.run` collects nothing.

    Args:
      on_error: called with each error, at once, in the loop's thread but in no task. It may set
        a `trio.Event` or cancel a scope.
      limit: how many errors are kept, at least 0; the others are counted in ``dropped``.
    """
    loop = asyncio._get_running_loop()
    return BackgroundErrors(loop if isinstance(loop, _Loop) else None, on_error, limit)


class _Loop(asyncio.SelectorEventLoop):
    """The host: a plain asyncio loop that knows whom to tell of errors, and its processes."""

    cancelled_error = asyncio.CancelledError

    def __init__(self) -> None:
        super().__init__()
        self.collectors: list[BackgroundErrors] = []  # innermost last
        self._processes: weakref.WeakSet[Any] = weakref.WeakSet()  # transports
        self.swap_current_task = _swap_current_task

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Charge an error to whose it is; log it if it is nobody's."""
        message = context.get("message") or "an error in asyncio's background"
        error = context.get("exception")
        if isinstance(error, asyncio.CancelledError):
            return  # that of a gather() which nobody awaits any more, for example: no error
        if error is None:
            error = RuntimeError(message)
        else:
            error.add_note(f"(asyncio: {message})")
        culprit = self._find_owner(context)
        if culprit is None and self.collectors:
            culprit = self.collectors[-1]
        if culprit is not None and culprit.active:
            culprit.add(error)
        else:
            log = structlog.get_logger()
            log.error("background error", reason=message, late=culprit is not None, exc_info=error)

    def charge(self, error: BaseException) -> bool:
        """Charge to the innermost collector what has stopped the loop; False if there is none."""
        if not self.collectors:
            return False
        self.collectors[-1].add(error)
        return True

    def _find_owner(self, context: dict[str, Any]) -> BackgroundErrors | None:
        task = context.get("task") or context.get("future")
        if isinstance(task, asyncio.Task):
            return getattr(task, "_muxd_owner", None)
        handle = context.get("handle")
        return owner(getattr(handle, "_context", None)) if handle is not None else None

    def create_task(self, coro: Any, **options: Any) -> Any:
        """Start a task, and remember in whose block."""
        task: Any = super().create_task(coro, **options)
        culprit = owner(options.get("context"))
        if culprit is not None:
            # Not in a table of weak references: those go before a task that is found to be
            # garbage tells of its error.
            task._muxd_owner = culprit
            culprit.own(task)
        return task

    def pass_cancellation_on(self, coro: Any) -> None:
        """Do what asyncio's own waits would do if the error that is about to come were asyncio's.

        The end of a TaskGroup and, on Python 3.11, wait_for() await a future that stands for
        tasks, and cancel these when asyncio.CancelledError is raised there. trio's passes by.
        """
        while hasattr(inner := coro.cr_await, "cr_frame"):
            coro = inner
        with contextlib.suppress(AttributeError):  # of foreign coroutines
            variables = coro.cr_frame.f_locals
            group, fut = variables.get("self"), variables.get("fut")
            if isinstance(group, asyncio.TaskGroup):
                group._abort()  # type: ignore[attr-defined]  # cancels its tasks
            elif coro.cr_code is asyncio.wait_for.__code__ and asyncio.isfuture(fut):
                fut.cancel()

    def abandon(self, future: asyncio.Future[Any], callback: Any) -> None:
        """Cancel a future that is waited for no more; an error it ends with is not lost."""
        future.remove_done_callback(callback)
        if future.done():
            self._report_late_error(future)
        else:
            future.add_done_callback(self._report_late_error)
            future.cancel()

    def _report_late_error(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()  # now asyncio sees it as retrieved
        if error is not None:
            message = "what was awaited failed when the await had been cancelled"
            self.call_exception_handler({"message": message, "exception": error, "future": future})

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process, whose transport is closed at the end of the run."""
        return self._note(await super().subprocess_exec(*args, **kwargs))

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process, whose transport is closed at the end of the run."""
        return self._note(await super().subprocess_shell(*args, **kwargs))

    def _note(self, started: tuple[Any, Any]) -> tuple[Any, Any]:
        self._processes.add(started[0])
        return started

    async def shutdown_asyncgens(self) -> None:
        """Close what is left; asyncio.Runner calls this when all tasks have been cancelled."""
        await super().shutdown_asyncgens()
        transports = tuple(self._processes)
        for transport in transports:
            transport.close()  # kills the process, if it lives
        for transport in transports:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(transport._wait(), 1)
        for _ in range(3 if transports else 0):
            await asyncio.sleep(0)  # pipes are closed in callbacks


if sys.version_info >= (3, 12):
    _swap_current_task: Any = asyncio.tasks._swap_current_task
else:

    def _swap_current_task(loop: asyncio.AbstractEventLoop, task: Any) -> Any:
        before = asyncio.current_task(loop)
        if before is not None:
            asyncio.tasks._leave_task(loop, before)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)
        return before
