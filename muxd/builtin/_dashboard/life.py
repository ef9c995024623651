"""What the dashboard remembers of the browsers: their lives, and their memory over time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

import attrs

from muxd.events import BrowserUp

if TYPE_CHECKING:
    from muxd.events import BrowserDown

__all__ = ["Generation", "Life"]

LIVES = 200
"""How many browsers are remembered."""
READINGS = 2_000
"""How many readings of memory are."""


@attrs.define
class Generation:
    """One browser."""

    number: int
    pid: int
    version: str
    up: float
    """When it came up, Unix seconds."""
    down: float | None = None
    """When it went; None: it is up."""
    reason: str = ""
    """Why it went."""
    runs: int = 0
    """How many runs ended while it was up."""
    most: int = 0
    """The most memory that was read, bytes; 0: none was."""


@final
class Life:
    """The newest browsers of this daemon, oldest first."""

    def __init__(self) -> None:
        self.generations: deque[Generation] = deque(maxlen=LIVES)
        self.readings: deque[tuple[float, int]] = deque(maxlen=READINGS)
        """When (Unix seconds), and how much, bytes; oldest first."""

    def told(self, event: BrowserUp | BrowserDown) -> None:
        """A browser came or went."""
        if isinstance(event, BrowserUp):
            self.generations.append(
                Generation(event.generation, event.pid, event.version, event.at)
            )
        elif self.generations and self.generations[-1].number == event.generation:
            self.generations[-1].down, self.generations[-1].reason = event.at, event.reason
        if self.readings and self.readings[-1][1]:
            self.readings.append((event.at, 0))  # here the line is broken

    def measured(self, at: float, memory: int | None) -> None:
        """A run has ended; `memory` is what the browser took when it was read last, if it was."""
        if not self.generations or self.generations[-1].down is not None:
            return
        newest = self.generations[-1]
        newest.runs += 1
        if memory:
            newest.most = max(newest.most, memory)
            self.readings.append((at, memory))
