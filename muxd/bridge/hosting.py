"""Runs trio as the guest of an asyncio loop, from its first step to its last."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import trio

from muxd.bridge.bridging import bridged
from muxd.bridge.hostloop import HostLoop
from muxd.forks import end_stray_forks
from muxd.unbridged import HelpfulErrors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Unpack

    import outcome

__all__ = ["run"]

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

    with asyncio.Runner(loop_factory=HostLoop) as runner:
        # Not Runner.run(): it would take SIGINT for itself, so that trio would leave it alone.
        loop = runner.get_loop()
        assert isinstance(loop, HostLoop)
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
    loop: HostLoop, done: asyncio.Future[outcome.Outcome[T]], scope: trio.CancelScope
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
