"""The bus: tells every subscriber of every event, and waits for none."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from muxd.events import Event

__all__ = ["Bus", "Subscription"]

DEFAULT_CAPACITY = 1000
"""How many events wait for a subscriber before its oldest are lost."""


@attrs.define(eq=False)
class Subscription:
    """The events of one subscriber, oldest first. Made by `Bus.subscribe`; iterated over once."""

    name: str
    capacity: int
    """The most events that wait, 1 or more."""
    lost: int = 0
    """How many events this subscriber was too slow for."""
    _waiting: deque[Event] = attrs.field(factory=deque, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)

    def _put(self, event: Event) -> None:
        if len(self._waiting) >= self.capacity:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(event)
        self._news.set()

    def _close(self) -> None:
        self._closed = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Every event, as it comes; ends when the bus is closed and all were given.

        If cancelled while it waits, no event is lost.
        """
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                return
            self._news = trio.Event()
            await self._news.wait()


class Bus:
    """Fans events out. A slow subscriber loses its oldest events, and delays nobody."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._closed = False

    def publish(self, event: Event) -> None:
        """Tell every subscriber. Never blocks, never raises; after `close` nobody is told."""
        if not self._closed:
            for subscription in self._subscriptions:
                subscription._put(event)

    @contextlib.contextmanager
    def subscribe(self, name: str, *, capacity: int = DEFAULT_CAPACITY) -> Iterator[Subscription]:
        """Be told of every event from now on, while inside."""
        subscription = Subscription(name, capacity)
        self._subscriptions.append(subscription)
        if self._closed:
            subscription._close()
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)

    def close(self) -> None:
        """No more events. Subscribers get what waits for them, then their iteration ends."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription._close()
