"""Keeps one browser alive: launches it, has work done on it, launches the next when it is lost."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import trio

from muxd.errors import BrowserLost, WorldError
from muxd.events import BrowserDown, BrowserUp

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from muxd.browser.generation import Generation
    from muxd.bus import Bus
    from muxd.events import Event
    from muxd.worker import Worker

    OpenGeneration = Callable[[int], AbstractAsyncContextManager[Generation]]

__all__ = ["Supervisor"]

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds before the next launch: the first after a launch that failed, and the most."""
FIRST_TRIES = 5
"""How many launches may fail before the first that succeeds: then it's not a passing trouble."""
REMEMBERED = 20
"""How many launches are remembered, to know how long the next will take."""
HEALTHY_AFTER = 10.0
"""A browser that lived for so long, seconds, starts the back-off anew; so does one that has
served a run."""


class Supervisor:
    """The life of the browsers, one after another. The channel survives all of them."""

    def __init__(
        self,
        open_generation: OpenGeneration,
        worker: Worker,
        bus: Bus[Event],
        *,
        real_now: Callable[[], float],
        patience: float = math.inf,
    ) -> None:
        """Make one.

        Args:
          open_generation: launches the browser of this number (from 1) and closes it on leaving.
          worker: works on each.
          bus: is told of each browser's coming and going.
          real_now: Unix seconds.
          patience: how many launches in a row may fail before `run` raises, 0 or more. Before the
            first that succeeds, `FIRST_TRIES` at most.
        """
        self._open, self._worker = open_generation, worker
        self._bus, self._real_now, self._patience = bus, real_now, patience
        self._served = False
        """Whether a run has ended on the newest browser. One that is lost after that is no reason to
        wait: it could be launched, and who lost it is charged."""
        self.current: Generation | None = None
        """The browser that is up, or None."""
        self.up_since: float | None = None
        """When it came up, Unix seconds."""
        self.launched = 0
        """How many launches were begun."""
        self.now = 0
        """How many browsers are up: 0 or 1."""
        self.most_at_once = 0
        """The most browsers that were ever up at a time: never more than 1."""
        self.up = trio.Event()
        """Set once the first browser is up."""
        self.last_loss = ""
        """Why the last browser went."""
        self.recycled = 0
        """How many browsers were replaced on purpose."""
        self.launches: deque[float] = deque(maxlen=REMEMBERED)
        """How long the newest launches took, real seconds, oldest first."""
        self.closes: deque[float] = deque(maxlen=REMEMBERED)
        """How long closing the newest that were replaced on purpose took."""

    async def run(self) -> None:
        """Keep a browser up and have the worker work on it.

        Returns when the worker's channel has ended. When cancelled, the browser is closed within
        its bounds.

        Raises:
          WorldError: no browser ever came up, and none will before somebody does something (the
            profile is in use, there is no screen), or patience is at its end.
        """
        wait, failures = 0.0, 0
        while True:
            born = trio.current_time()
            try:
                if await self._live():
                    return
                failures = 0
            except WorldError as error:
                failures += 1
                hopeless = not isinstance(error, BrowserLost)
                limit = self._patience if self.up.is_set() else min(self._patience, FIRST_TRIES)
                if (hopeless and not self.up.is_set()) or failures > limit:
                    raise
                self.last_loss = str(error)
            recycled = self.last_loss == self._worker.retired
            lived = trio.current_time() - born >= HEALTHY_AFTER
            if lived or recycled or self._served:
                wait = 0.0
            self._bus.publish(
                BrowserDown(
                    at=self._real_now(),
                    generation=self.launched,
                    reason=self.last_loss,
                    retry_in=wait,
                )
            )
            await trio.sleep(wait)
            wait = min(max(FIRST_WAIT, 2 * wait), LONGEST_WAIT)

    async def _live(self) -> bool:
        """One browser's life; True when the channel has ended, False when it was lost."""
        self.launched += 1
        self._served = False
        before, begun, retired_at = self.now, trio.current_time(), None
        try:
            async with self._open(self.launched) as generation:
                self.launches.append(trio.current_time() - begun)
                self.now += 1
                self.most_at_once = max(self.most_at_once, self.now)
                self.current, self.up_since = generation, self._real_now()
                self._bus.publish(
                    BrowserUp(
                        at=self.up_since,
                        generation=generation.generation,
                        pid=generation.pid,
                        version=generation.version,
                    )
                )
                self.up.set()
                try:
                    return await self._worker.work(generation, generation.wait_gone)
                finally:
                    self.current = self.up_since = None
                    self._served = self._worker.runs > 0
                    self.last_loss = str(generation.lost or self._worker.retired or "closed")
                    if generation.lost is None and self._worker.retired is not None:
                        self.recycled += 1
                        retired_at = trio.current_time()
        finally:
            self.now = before  # only here its processes are known to be gone
            if retired_at is not None:
                self.closes.append(trio.current_time() - retired_at)
