"""Requests that last: who follows events, or waits for a run to end, keeps a connection meanwhile."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, final

from muxd.errors import MuxdError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOST", "Crowded", "Lasting"]

MOST = 200
"""How many of a socket's or a port's connections may be kept so: half of them. The others are for
requests that are answered at once."""


class Crowded(MuxdError):
    """So many requests last already that there is no place for another."""


@final
class Lasting:
    """Counts those of one socket or port."""

    def __init__(self, most: int = MOST) -> None:
        """None yet. `most`: how many places there are."""
        self._most = most
        self.now = 0
        """How many there are."""

    @contextmanager
    def place(self) -> Iterator[None]:
        """Keep one of the places while inside. Raises `Crowded`: there is none."""
        if self.now >= self._most:
            raise Crowded(
                f"{self.now} requests follow events or wait for a run already, and there may be no more: "
                "end some of them, such as dashboards that nobody looks at"
            )
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1
