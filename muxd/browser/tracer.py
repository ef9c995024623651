"""Playwright's trace of one run, in a way that lets a body make one of its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import trio
from playwright.async_api import Error

from muxd.bridge import bridged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.async_api import BrowserContext

__all__ = ["Tracer", "dropped"]

DROP_BOUND = 1.0
"""How long throwing a trace away may take, seconds."""
_AGAIN = 0.02
"""When it is tried again to end what is just being ended, seconds."""


class Tracer:
    """A trace of one context, from `begin` to `take` or `drop`.

    There is one trace a context at a time. A body that starts its own gets it: ours is given up.
    Its methods are to be bridged and bounded by the caller, and raise what Playwright raises.
    """

    def __init__(self, context: BrowserContext, *, pictures: bool = True) -> None:
        """For this context; nothing happens yet. `pictures`: snapshots and screenshots, too."""
        self._tracing: Any = context.tracing
        self.name = uuid.uuid4().hex
        """Its files begin with it."""
        self._options = {"screenshots": True, "snapshots": True} if pictures else {}
        self.on = False
        """It is being made."""
        self._bodys_start: Callable[..., Any] | None = None

    async def begin(self) -> None:
        """Begin. The context is one that has no trace."""
        # Not the method of this very object: it takes notes of what bodies do (`Traces`).
        self.on = True  # also if this is cancelled half-way
        try:
            await type(self._tracing).start(self._tracing, name=self.name, **self._options)
        except Exception:
            self.on = False
            raise
        self._bodys_start = self._tracing.start
        self._tracing.start = self._give_way

    async def take(self, file: Path) -> None:
        """End it and write it. When cancelled it is `on` still, and to be dropped."""
        await self._tracing.stop(path=file)
        self._end()

    async def drop(self) -> None:
        """End it; nothing is kept. Does nothing if it has ended; it is `on` still if it is just ending."""
        if self.on:
            try:
                await self._tracing.stop()
            except Error as error:
                # Where ending it was begun before, what can't be ended again is no error.
                if "already stopping" in error.message:
                    return
            self._end()

    async def _give_way(self, **options: Any) -> Any:
        start = self._bodys_start
        assert start is not None
        await self.drop()
        return await start(**options)

    def _end(self) -> None:
        self.on = False
        if self._bodys_start is not None:
            self._tracing.start = self._bodys_start


async def dropped(tracer: Tracer | None, *, within: float = DROP_BOUND) -> str | None:
    """Throw away a trace that nobody has taken, within so many seconds; tells if that can't be done."""
    if tracer is None or not tracer.on:
        return None
    with trio.move_on_after(within):
        await bridged(tracer.drop)()
        while tracer.on:
            await trio.sleep(_AGAIN)  # nothing tells of the end that was begun before
            await bridged(tracer.drop)()
    return "a trace would not end" if tracer.on else None
