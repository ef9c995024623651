"""The contract of what is told of events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muxd.events import Event

__all__ = ["Sink"]


class Sink(ABC):
    """Is told of events, in order, at its own pace.

    Laws: a slow sink loses the oldest events, and delays nobody; one that raises is logged, left
    out from then on, and costs nobody else anything.
    """

    name: str
    """For messages."""

    @abstractmethod
    async def handle(self, event: Event) -> None:
        """Take one event. Cancelled when the daemon has stopped and its time is over."""
