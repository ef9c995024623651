"""What trio takes for a run by itself: a loop that does nothing, of the same shape as a run."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

__all__ = ["Shape", "idle_runs", "scopes_counted"]

SECOND = 1.0
"""Between two runs."""
BOUND = 60.0
"""Of a scope with a deadline, seconds; it is never reached."""


@attrs.frozen
class Shape:
    """What one run has of trio's."""

    tasks: int
    """Begun."""
    steps: int
    """Of all tasks."""
    turns: int
    """Of trio's loop."""
    scopes: int
    """Cancel scopes entered, those of nurseries too."""
    deadlines: int
    """How many of these had a deadline."""

    @classmethod
    def of(cls, counts: Counter[str], runs: int) -> Shape:
        """From what was counted over so many runs."""
        return cls(*(round(counts[field.name] / runs) for field in attrs.fields(cls)))


@contextlib.contextmanager
def scopes_counted(counts: Counter[str]) -> Iterator[None]:
    """Count all cancel scopes that are entered meanwhile; trio's instruments aren't told of them."""
    scope: Any = trio.CancelScope
    enter = scope.__enter__

    def counted(self: trio.CancelScope) -> trio.CancelScope:
        entered: trio.CancelScope = enter(self)
        counts["scopes"] += 1
        counts["deadlines"] += self.deadline != math.inf
        return entered

    scope.__enter__ = counted
    try:
        yield
    finally:
        scope.__enter__ = enter


async def idle_runs(shape: Shape, number: int) -> None:
    """So many runs of nothing, a second each.

    A task in a nursery of its own takes two steps, one of them its parent's, in two turns, and a scope.
    Where there are more steps than turns, some tasks make their only step beside another's.
    """
    beside = min(max(shape.steps - shape.turns, 0), shape.tasks)
    waited_for = shape.tasks - beside
    waits = shape.turns - 2 * waited_for - beside - 1  # a sleep is one turn, and one scope
    scopes = shape.scopes - waited_for - 1
    deadlines = shape.deadlines - 1
    assert min(waits, scopes, deadlines) >= 0, f"no run has this shape: {shape}"
    async with trio.open_nursery() as nursery:
        for _ in range(number):
            await trio.sleep(SECOND)
            for _ in range(waited_for):
                async with trio.open_nursery() as own:
                    own.start_soon(_nothing)
            for _ in range(beside):
                nursery.start_soon(_nothing)
                await trio.lowlevel.checkpoint()
            for place in range(max(waits, scopes)):
                with _scope(place, scopes, deadlines):
                    if place < waits:
                        await trio.lowlevel.checkpoint()


async def _nothing() -> None:
    pass


_NO_SCOPE = contextlib.nullcontext()


def _scope(place: int, scopes: int, deadlines: int) -> contextlib.AbstractContextManager[object]:
    if place < deadlines:
        return trio.move_on_after(BOUND)
    return trio.CancelScope() if place < scopes else _NO_SCOPE
