"""Hands each event to everyone who listens, and never waits for any of them.

Publishing is a plain function call that neither blocks nor raises. Each subscriber has a buffer of
its own; one that falls behind loses its oldest events, and is told how many.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar, final

import attrs
import trio
from trio.lowlevel import ParkingLot, TrioToken, enable_ki_protection

from muxd.events import Event, EventsMissing

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Bus", "Events", "EventsLost", "Subscription", "SubscriptionStatistics"]

E = TypeVar("E")


@attrs.frozen
class EventsLost:
    """Stands where events are missing, because the subscriber fell behind."""

    count: int
    """How many are missing between the item received before this and the one after it; >= 1."""


@attrs.frozen(kw_only=True)
class SubscriptionStatistics:
    """How one subscriber keeps up."""

    name: str
    """Who it is, as given to `Bus.subscribe`."""
    capacity: int
    """How many events its buffer holds, >= 1."""
    waiting: int
    """Events in the buffer now, 0 to `capacity`."""
    received: int
    """Events that it has received."""
    lost: int
    """Events that were dropped before it came for them."""


@final
@attrs.define(eq=False, repr=False, slots=False)
class Subscription(trio.abc.ReceiveChannel["E | EventsLost"], Generic[E]):
    """A subscriber's end: events in the order of publication. `Bus.subscribe` makes it.

    Leaving its ``with`` or ``async with`` block, or `close`, ends the subscription.
    """

    _bus: Bus[E]
    _name: str
    _capacity: int
    _only: tuple[type[E], ...] | None
    _buffer: deque[E] = attrs.field(factory=deque, init=False)
    _receivers: ParkingLot = attrs.field(factory=ParkingLot, init=False)
    _received: int = attrs.field(default=0, init=False)
    _lost: int = attrs.field(default=0, init=False)
    # Of those, how many it was not told of yet. They are older than all that is in the buffer.
    _untold: int = attrs.field(default=0, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def __repr__(self) -> str:
        return f"<subscription {self._name!r} at {id(self):#x}>"

    @enable_ki_protection
    def receive_nowait(self) -> E | EventsLost:
        """Receive the next event, or the report that some are missing here, without waiting.

        Raises:
          trio.WouldBlock: there is none yet.
          trio.EndOfChannel: there is none, and the bus was closed.
          trio.ClosedResourceError: the subscription was closed.
        """
        if self._closed:
            raise trio.ClosedResourceError
        if self._untold:
            lost, self._untold = EventsLost(self._untold), 0
            return lost
        if self._buffer:
            self._received += 1
            return self._buffer.popleft()
        if self._bus.closed:
            raise trio.EndOfChannel
        raise trio.WouldBlock

    @enable_ki_protection
    async def receive(self) -> E | EventsLost:
        """Receive the next event, or the report that some are missing here, waiting for it.

        If several tasks receive, each event goes to one of them.

        If cancelled, nothing was taken.

        Raises:
          trio.EndOfChannel: all were received, and the bus was closed.
          trio.ClosedResourceError: the subscription was closed, also while waiting.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            item = self.receive_nowait()
        except trio.WouldBlock:
            pass
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return item
        while True:
            await self._receivers.park()
            try:
                return self.receive_nowait()
            except trio.WouldBlock:
                continue  # another task that receives here was quicker

    def statistics(self) -> SubscriptionStatistics:
        """Return this subscriber's numbers."""
        return SubscriptionStatistics(
            name=self._name,
            capacity=self._capacity,
            waiting=len(self._buffer),
            received=self._received,
            lost=self._lost,
        )

    @enable_ki_protection
    def close(self) -> None:
        """End the subscription, dropping what is in its buffer; again does nothing.

        Not a checkpoint. Tasks in `receive` get `trio.ClosedResourceError`.
        """
        if self._closed:
            return
        self._closed = True
        self._buffer.clear()
        self._bus._forget(self)
        self._receivers.unpark_all()

    @enable_ki_protection
    async def aclose(self) -> None:
        """End the subscription, as `close` does, then pass a checkpoint. Closed even if cancelled."""
        self.close()
        await trio.lowlevel.checkpoint()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, event: E) -> None:
        if len(self._buffer) == self._capacity:
            self._buffer.popleft()
            self._lost += 1
            self._untold += 1
        self._buffer.append(event)
        if self._receivers:
            self._receivers.unpark()


@final
class Bus(Generic[E]):
    """Fans events out to subscribers.

    It belongs to the thread whose trio run its subscribers are in, the asyncio callbacks of a guest
    run's host among them. Only `publish` may be called from other threads too.
    """

    def __init__(self) -> None:
        self._subscriptions: list[Subscription[E]] = []
        self._closed = False
        self._published = 0
        # Where the subscribers are: the thread's identifier, and the way into its trio run.
        self._home: tuple[int, TrioToken] | None = None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def published(self) -> int:
        """How many events were published here, from the first to `close`."""
        return self._published

    @enable_ki_protection
    def publish(self, event: E) -> None:
        """Put the event into every subscriber's buffer. Never blocks, never raises.

        A full buffer loses its oldest event. Once the bus is closed, the event goes nowhere.

        From another thread the event is delivered as soon as the trio run comes to it, after all
        that this thread published before; if that run has ended, nowhere.
        """
        if self._home is not None and self._home[0] != threading.get_ident():
            with contextlib.suppress(trio.RunFinishedError):
                self._home[1].run_sync_soon(self._deliver, event)
        else:
            self._deliver(event)

    def _deliver(self, event: E) -> None:
        if self._closed:
            return
        self._published += 1
        for subscription in self._subscriptions:
            if subscription._only is None or isinstance(event, subscription._only):
                subscription._put(event)

    def subscribe(
        self, name: str, *, capacity: int = 1000, only: tuple[type[E], ...] | None = None
    ) -> Subscription[E]:
        """Start a subscription: it gets every event that is published from now on.

        On a closed bus it ends at once. Use it as ``with bus.subscribe("ledger") as events: async for event in events: ...``.

        Args:
          name: Who subscribes, for the statistics; need not be unique.
          capacity: How many events may wait for it, >= 1, before it loses the oldest.
          only: Of which classes; the others don't wake it. None: of all.

        Raises:
          ValueError: `capacity` is below 1.
          RuntimeError: not called from within a trio run.
        """
        if capacity < 1:
            raise ValueError(f"the capacity of {name!r} must be >= 1, not {capacity!r}")
        self._home = threading.get_ident(), trio.lowlevel.current_trio_token()
        subscription: Subscription[E] = Subscription(self, name, capacity, only)
        self._subscriptions.append(subscription)
        return subscription

    def statistics(self) -> tuple[SubscriptionStatistics, ...]:
        """Return the numbers of all open subscriptions, the oldest first."""
        return tuple(subscription.statistics() for subscription in self._subscriptions)

    @enable_ki_protection
    def close(self) -> None:
        """Publish nothing more; again does nothing. Not a checkpoint.

        Subscribers receive what is in their buffers, then `trio.EndOfChannel`.
        """
        self._closed = True
        for subscription in self._subscriptions:
            subscription._receivers.unpark_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _forget(self, subscription: Subscription[E]) -> None:
        self._subscriptions.remove(subscription)


@final
class Events:
    """The events of a subscription, for ``async for``: what is missing is an event as well."""

    def __init__(self, subscription: Subscription[Event]) -> None:
        """Take them from `subscription`, which stays the caller's to close."""
        self._subscription = subscription

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next one. If cancelled, nothing was taken. Raises `StopAsyncIteration`: there is none."""
        try:
            event = await self._subscription.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        if isinstance(event, EventsLost):
            return EventsMissing(at=time.time(), count=event.count)
        return event
