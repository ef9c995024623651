"""Looking on at the run in progress: as often as once a second, however many look."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from muxd.record import Record

__all__ = ["EVERY", "Looking"]

EVERY = 1.0
"""How old a picture must be before another is taken, seconds."""


@final
class Looking:
    """Takes pictures for many, only while somebody asks."""

    def __init__(
        self, look: Callable[[], Awaitable[bytes | None]], running: Callable[[], Record | None]
    ) -> None:
        """Make one.

        Args:
          look: takes one; bounded.
          running: gives the run in progress.
        """
        self._look, self._running = look, running
        self._lock = trio.Lock()
        self._of, self._at, self._picture = "", 0.0, b""

    async def look(self, run_id: str | None = None) -> bytes | None:
        """What the page of the run in progress shows, if it is that run; never of one that has ended."""
        async with self._lock:
            run = self._running()
            if run is None or run_id not in (None, run.id):
                return None
            if run.id != self._of or trio.current_time() - self._at >= EVERY:
                self._picture = await self._look() or b""
                self._of, self._at = run.id, trio.current_time()
            now = self._running()
            return self._picture if self._picture and now is not None and now.id == run.id else None
