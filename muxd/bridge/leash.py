"""A leash: what a body is run on, so that it can be given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import outcome
import trio

from muxd.bridge.bridging import bridged, in_force
from muxd.coroutine_driver import Abandoned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Unpack

    from muxd.coroutine_driver import CoroutineDriver

__all__ = ["Leash"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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
            in_force.set(self)
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
