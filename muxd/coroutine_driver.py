"""Drives a coroutine that awaits asyncio and trio things alike, inside a trio task.

The driver is the iterator between trio and the coroutine. What the coroutine yields is either
asyncio's (a future, or None for a bare yield) and waited for here, or trio's and handed on. It
knows asyncio only by what a `Host` does for it.

It is fast because a step that one asyncio future leads to is made right in that future's
callback, in the name of the trio task, while trio goes on to believe that the task sleeps: waking
trio, which waits for its own events in a thread, would cost more than many a call of Playwright's.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import outcome
import sniffio
import trio
from trio._core import _run as trio_run

from muxd.errors import MuxdError
from muxd.stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from typing import NoReturn, Self

__all__ = ["Abandoned", "CoroutineDriver", "Drivers", "Host"]

# What trio calls the current task. It is private, but as old as trio; without it (or what
# `_ask_again` needs) steps are made by trio, which holds the same promises at a higher price.
_NOW: Any = getattr(trio_run, "GLOBAL_RUN_CONTEXT", None)
DIRECT_STEPS = (
    _NOW is not None
    and hasattr(trio.lowlevel.Task, "_abort_func")
    and hasattr(trio.lowlevel.Task, "_attempt_delivery_of_any_pending_cancel")
)
"""Whether steps can be made in asyncio's callbacks with this version of trio."""


class Abandoned(MuxdError):
    """The body was let go (`muxd.bridge.Leash.let_go`); raised in its stead."""


class Host(Protocol):
    """The asyncio loop, and what the driver needs to know of asyncio."""

    @property
    def swap_current_task(self) -> Callable[[Any, Any], Any]:
        """A function of a loop and what is to be its current task; returns what it was."""

    @property
    def cancelled_error(self) -> type[BaseException]:
        """asyncio.CancelledError."""

    def pass_cancellation_on(self, coro: Any) -> None:
        """Cancel what asyncio cancels itself in the await that the coroutine is in."""

    def abandon(self, future: Any, callback: Any) -> None:
        """Cancel a future that is waited for no more and take back the callback."""

    def call_soon(self, fn: Callable[..., object], *args: Any, context: Any = None) -> Any:
        """As asyncio's."""

    def create_future(self) -> Any:
        """As asyncio's."""


class Drivers(Protocol):
    """Who may let drivers go (a leash)."""

    gone: bool
    """True once they have been let go."""
    drivers: set[CoroutineDriver]
    """Those that have not ended."""


def _protected(step: Callable[[Any], Any], argument: Any) -> Any:
    return step(argument)


@trio.lowlevel.disable_ki_protection
def _interruptible(step: Callable[[Any], Any], argument: Any) -> Any:
    return step(argument)  # Ctrl-C may raise anywhere in the body, as it may under trio.run


class CoroutineDriver:
    """Drives one coroutine in the trio task that makes it. To be awaited there, once.

    While the coroutine is suspended the trio task is blocked in `_sleep`, a wait of ours, for
    one of two things: asyncio's `_future`, or something of trio's whose abort function is
    `_trap`. Trio's other messages (checkpoints) go to trio as they are.
    """

    __slots__ = (
        "__weakref__",
        "_aborted",
        "_asked",
        "_due",
        "_ending",
        "_for_future",
        "_future",
        "_leash",
        "_message",
        "_nurseries",
        "_patience",
        "_pausing",
        "_run_step",
        "_running",
        "_sleep",
        "_stand_in",
        "_trap",
        "callbacks",
        "cancel_message",
        "coro",
        "ended",
        "host",
        "must_cancel",
        "task",
    )

    def __init__(self, coro: Coroutine[Any, Any, Any], host: Host, leash: Drivers | None) -> None:
        self.coro, self.host, self._leash = coro, host, leash
        self.task = trio.lowlevel.current_task()
        self.ended = False
        self.callbacks: list[tuple[Any, Any]] = []
        self.must_cancel = False
        """Asyncio's CancelledError is owed to the coroutine."""
        self.cancel_message: Any = None
        self._stand_in = StandIn(self)
        self._run_step = _protected if trio.lowlevel.currently_ki_protected() else _interruptible
        self._for_future = False
        """It waits (or has just been woken) for something of asyncio's."""
        self._future: Any = None
        self._pausing = False  # the future stands for a bare yield
        self._trap: Callable[[Any], trio.lowlevel.Abort] | None = None
        self._aborted = False
        """What it waits for was told to end: trio allows that once."""
        self._due = False
        """What it waits for can't be aborted: it will wake the task with an outcome."""
        self._running = False  # the coroutine is making a step that trio does not know of
        self._asked = False
        """Trio has asked us to abort this sleep, in vain, and won't ask again."""
        self._ending: BaseException | None = None  # of the coroutine, until trio knows
        self._message: Any = None  # one for trio, until trio takes it
        self._patience: int | None = None  # steps left to a coroutine that was let go
        sleep: Any = trio.lowlevel.wait_task_rescheduled(self._abort)  # noqa: ASYNC105
        self._sleep = sleep.send(None)  # trio's message for "until somebody reschedules me"
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
        """The frame of the coroutine."""
        return getattr(self.coro, "cr_frame", None)

    @property
    def cr_await(self) -> Any:
        """What the coroutine awaits."""
        return getattr(self.coro, "cr_await", None)

    @trio.lowlevel.enable_ki_protection
    def send(self, value: Any) -> Any:
        """Trio resumes the task with an outcome (at first with None)."""
        self._asked = False
        if self._message is not None:
            message, self._message = self._message, None
            return message
        if self._ending is not None:
            ending, self._ending = self._ending, None
            try:
                raise ending
            finally:
                del ending  # or its traceback would hold it in a cycle
        if not self._for_future:
            return self._advance(self.coro.send, value)
        if isinstance(value, outcome.Error):
            self._for_future = False
            return self._advance(self.coro.throw, value.error)
        return self._advance(*self._after_future())

    @trio.lowlevel.enable_ki_protection
    def throw(self, error: Any, *rest: Any) -> Any:
        """Something is thrown in without an outcome: trio's complaint about a message."""
        self._forget()
        return self._advance(self.coro.throw, rest[0] if rest and rest[0] is not None else error)

    @trio.lowlevel.enable_ki_protection
    def close(self) -> None:
        """The coroutine around us is closed before its end."""
        self._forget()
        if not self.ended:
            self._end()
        self.coro.close()

    def _forget(self) -> None:
        if self._future is not None:
            self.host.abandon(self._future, self._on_done)
        self._future = self._trap = self._message = self._ending = None
        self._for_future = False

    # Steps.

    def _advance(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """Let the coroutine run to its next wait; return the message for trio."""
        while True:
            if self._leash is not None and self._leash.gone:
                return self._leave(step, argument)
            item = self._step(step, argument)
            if getattr(item, "_asyncio_future_blocking", None):
                item._asyncio_future_blocking = False
                if item.get_loop() is not self.host:
                    error = RuntimeError(f"{item!r} belongs to another asyncio loop")
                    step, argument = self.coro.throw, error
                    continue
                if self.must_cancel and item.cancel(msg=self.cancel_message):
                    self.must_cancel = False
                if item.done():
                    step, argument = self.coro.send, None
                    continue
                self._wait_for(item)
                return self._sleep
            if item is None:  # asyncio.sleep(0): on in the next round of its loop
                item = self.host.create_future()
                item.set_result(None)
                self._pausing = True
                self._wait_for(item)
                return self._sleep
            self._trap = getattr(item, "abort_func", None)
            if self._trap is None:
                return item
            if self.must_cancel and self._end_trap():
                step, argument = self.coro.send, outcome.Error(self._cancelled_error())
                continue
            return self._sleep

    def _step(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """Let the coroutine run to its next yield; raises when it ends, as `step` does."""
        self._trap, self._aborted, self._due, self._pausing = None, False, False, False
        before = self.host.swap_current_task(self.host, self._stand_in)
        try:
            return self._run_step(step, argument)
        except BaseException:  # StopIteration with the result, too
            self._end()
            raise
        finally:
            self.host.swap_current_task(self.host, before)

    def _end(self) -> None:
        self.ended = True
        if self._leash is not None:
            self._leash.drivers.discard(self)
        for fn, context in self.callbacks:
            self.host.call_soon(fn, self._stand_in, context=context)

    def _wait_for(self, future: Any) -> None:
        self._for_future, self._future = True, future
        future.add_done_callback(self._on_done, context=self.task.context)

    def _after_future(self) -> tuple[Callable[[Any], Any], Any]:
        self._for_future, future, self._future = False, self._future, None
        gone = self._leash is not None and self._leash.gone
        if future is not None and (self.must_cancel or gone):
            self.host.abandon(future, self._on_done)
        if self.must_cancel:
            # As in asyncio, a cancellation wins over a result that came in the same moment.
            return self.coro.throw, self._cancelled_error()
        return self.coro.send, None

    @trio.lowlevel.enable_ki_protection
    def _on_done(self, future: Any) -> None:
        """Asyncio calls this, in the task's context, when the future is done."""
        if future is not self._future or self._aborted:
            return
        if self._asked or not DIRECT_STEPS:
            trio.lowlevel.reschedule(self.task)
            return
        library, sniffio.thread_local.name = sniffio.thread_local.name, "trio"
        _NOW.task = self.task
        self._running = True
        try:
            message = self._advance(*self._after_future())
            if message is not self._sleep:
                self._message = message
                trio.lowlevel.reschedule(self.task)
        except BaseException as error:
            self._ending = error
            trio.lowlevel.reschedule(self.task)
        else:
            self._running = False
            if self._asked and message is self._sleep:
                self._ask_again()
        finally:
            self._running = False
            del _NOW.task
            sniffio.thread_local.name = library

    def _ask_again(self) -> None:
        """Do what trio does when a task goes to sleep: look for a cancellation that is due."""
        self._asked = False
        task: Any = self.task
        task._abort_func = self._abort
        task._attempt_delivery_of_any_pending_cancel()

    # Being cancelled.

    def _abort(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """Trio cancels what we wait for."""
        if not (self._running or self._aborted):
            if self._trap is not None:
                return self._abort_trap(raise_cancel)
            # If the future is done, then its callback is on its way, with the result.
            if self._future is not None and (self._pausing or not self._future.done()):
                self._give_up_future()
                return trio.lowlevel.Abort.SUCCEEDED
        self._asked = True
        return trio.lowlevel.Abort.FAILED

    def _give_up_future(self) -> None:
        self._aborted = True
        self.host.pass_cancellation_on(self.coro)
        self.host.abandon(self._future, self._on_done)
        self._future = None

    def _abort_trap(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        assert self._trap is not None
        self._aborted = True
        result = self._trap(raise_cancel)
        self._due = result is trio.lowlevel.Abort.FAILED
        return result

    def cancel_once(self, message: Any) -> None:
        """Asyncio cancels us: at the await that we are in, or else at the next one."""
        self.cancel_message = message
        if self._future is not None and self._future.cancel(msg=message):
            return  # its callback wakes us
        self.must_cancel = True
        self._interrupt_trap()

    def _interrupt_trap(self) -> None:
        # Without an abort function the task has been woken already, and must not be once more.
        if self._trap is None or self._aborted or not getattr(self.task, "_abort_func", None):
            return
        if self._end_trap():
            trio.lowlevel.reschedule(self.task, outcome.Error(self._cancelled_error()))

    def _end_trap(self) -> bool:
        """Abort what trio waits for in asyncio's name; True if that has ended the wait."""

        def raise_cancel() -> NoReturn:
            raise self._cancelled_error()

        return self._abort_trap(raise_cancel) is trio.lowlevel.Abort.SUCCEEDED

    def _cancelled_error(self) -> BaseException:
        self.must_cancel = False
        words = () if self.cancel_message is None else (self.cancel_message,)
        return self.host.cancelled_error(*words)

    # Being let go.

    def let_go(self) -> None:
        """Wake the trio task, so that it can leave the coroutine alone. See `Leash.let_go`."""
        for nursery in self._open_nurseries():
            nursery.cancel_scope.cancel()  # which may well abort us
        self._interrupt_trap()
        if self._future is not None and not self._future.done():
            self._give_up_future()
            trio.lowlevel.reschedule(self.task)

    def _leave(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """End the coroutine if it lets us, or leave it alone for ever.

        It gets one step, in which asyncio's CancelledError is raised. (Not GeneratorExit: then
        Python would drop what inner coroutines yield, and trio would resume a task that is gone.)
        While nurseries are open in it, it gets the steps that closing them takes.
        """
        if self._patience is None:
            self._patience = 1 + 2 * len(self._open_nurseries())
        while self._patience > 0:
            self._patience -= 1
            # An outcome may be for a nursery's end, which must get it.
            if not (self._open_nurseries() and isinstance(argument, outcome.Outcome)):
                step, argument = self.coro.throw, self._cancelled_error()
            try:
                item = self._step(step, argument)
            except StopIteration:
                raise Abandoned("the body was let go, and has ended") from None
            except BaseException as error:
                raise Abandoned("the body was let go, and has ended") from error
            step, argument = self.coro.send, outcome.Value(None)
            self._trap = getattr(item, "abort_func", None)
            if self._trap is not None:
                if not self._end_trap():
                    return self._sleep  # for a nursery's children, or a thread
                argument = outcome.Error(self._cancelled_error())
            elif hasattr(item, "_asyncio_future_blocking"):
                item._asyncio_future_blocking = False
                self.host.abandon(item, self._on_done)
                argument = None
            if not self._open_nurseries():
                break
        self._patience = 0
        self._trap, self._aborted = None, True
        if self.has_children():
            # trio would not bear it if the task ended before them.
            trio.lowlevel.add_instrument(_WakeWhenChildless(self))
            return self._sleep
        self._end()
        _make_immortal(self.coro)
        raise Abandoned("the body was let go, and is never resumed")

    def _open_nurseries(self) -> list[trio.Nursery]:
        return self.task.child_nurseries[self._nurseries :]

    def has_children(self) -> bool:
        """Whether a task lives in a nursery that is open in the coroutine."""
        return any(nursery.child_tasks for nursery in self._open_nurseries())


def _make_immortal(thing: object) -> None:
    """Never collect it as garbage, not even when Python ends: that would resume a coroutine."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


@attrs.frozen(eq=False)
class _WakeWhenChildless(trio.abc.Instrument):
    """Wakes a driver that has been let go when the last child of its task has ended."""

    driver: CoroutineDriver

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        if not self.driver.has_children():
            trio.lowlevel.remove_instrument(self)
            trio.lowlevel.reschedule(self.driver.task)
