"""A trio channel that hands out the most urgent item first, and lets no item starve.

`open_priority_channel` is to a priority queue what `trio.open_memory_channel` is to a plain one:
the same endpoints, the same errors, the same guarantees under cancellation. What differs is the
order, which is `muxd.ageing`'s.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, final

import attrs
import outcome
import trio
from trio.lowlevel import Abort, enable_ki_protection

from muxd._channel_state import ChannelState, PriorityChannelStatistics
from muxd.ageing import AgeingQueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from trio.lowlevel import RaiseCancelT, Task

    from muxd._channel_state import Item
    from muxd.ageing import Entry

__all__ = [
    "DEFAULT_OVERTAKES",
    "PriorityChannelStatistics",
    "PriorityReceiveChannel",
    "PrioritySendChannel",
    "open_priority_channel",
]

DEFAULT_OVERTAKES = 16
"""How many later items may overtake a queued one, unless asked otherwise."""

T = TypeVar("T")


def _priority_of(item: Any) -> int:
    return cast("int", item.priority)


# A class, so that one can write open_priority_channel[QueuedRun](64), as with trio's.
@final
class open_priority_channel(tuple["PrioritySendChannel[T]", "PriorityReceiveChannel[T]"]):
    """Open a channel between tasks whose items are received by priority.

    The highest priority is received first, and within one priority the first sent. A queued item
    may be overtaken by at most `overtakes` items that were sent later; after that it goes first.
    So an item is received after at most the items that were already queued when it was sent, plus
    `overtakes` others, whatever is sent later. (`muxd.ageing` has the rule and its proof.)

    The items of senders that are blocked because the buffer is full are in the order like any
    other: an urgent item does not wait for the buffer. When a place becomes free, the sender that
    has been blocked longest is let in.

    Every operation is atomic under cancellation, as with trio's memory channels: `send` and
    `receive` have either happened, or raise `trio.Cancelled` with the channel unchanged.

    Items that are in the buffer when the last receive endpoint is closed are dropped. A receiver
    that must account for each takes them out first: ``receive_channel.discard()``.

    Args:
      capacity: How many items fit before `send` blocks: an int >= 0, or `math.inf`.
      key: Gives an item's priority, an int of any size, higher first. Asked once, when the item is
        sent; what it raises is raised by `send`. By default the item's attribute ``priority``.
      overtakes: How many later items may overtake a queued one: an int >= 0 (0 is first in, first
        out), or `math.inf` (strict priority: an item may wait for ever).

    Returns:
      The pair ``(send_channel, receive_channel)``.

    Raises:
      TypeError: `capacity` or `overtakes` is neither an int nor `math.inf`.
      ValueError: `capacity` or `overtakes` is negative.
    """

    def __new__(  # type: ignore[misc]  # noqa: D102  # gives a pair, not an instance
        cls,
        capacity: float,
        key: Callable[[T], int] = _priority_of,
        *,
        overtakes: float = DEFAULT_OVERTAKES,
    ) -> tuple[PrioritySendChannel[T], PriorityReceiveChannel[T]]:
        state: ChannelState[T] = ChannelState(
            capacity=_count("capacity", capacity),
            key=key,
            queue=AgeingQueue(_count("overtakes", overtakes)),
        )
        return PrioritySendChannel(state), PriorityReceiveChannel(state)

    def __init__(  # what type checkers see: __new__ returns something else
        self,
        capacity: float,
        key: Callable[[T], int] = _priority_of,
        *,
        overtakes: float = DEFAULT_OVERTAKES,
    ) -> None: ...


def _count(name: str, value: float) -> float:
    if value != math.inf and not isinstance(value, int):
        raise TypeError(f"{name} must be an int or math.inf, not {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be >= 0, not {value!r}")
    return value


@attrs.define(eq=False, repr=False, slots=False)
class _Endpoint(ABC, Generic[T]):
    """What both kinds of endpoint have in common."""

    _state: ChannelState[T]
    _closed: bool = attrs.field(default=False, init=False)

    def statistics(self) -> PriorityChannelStatistics:
        """Return the channel's numbers; those of all its endpoints, not of this one alone."""
        return self._state.statistics()

    def snapshot(self) -> tuple[T, ...]:
        """Return all queued items, blocked senders' too, without taking any.

        They are in the order in which they will be received if nothing else is sent.
        """
        return tuple(entry.value.value for entry in self._state.queue.in_order())

    @abstractmethod
    def close(self) -> None:
        """Close this endpoint; again does nothing. Not a checkpoint."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @enable_ki_protection
    async def aclose(self) -> None:
        """Close this endpoint, as `close` does, then pass a checkpoint.

        If cancelled, it is closed all the same.
        """
        self.close()
        await trio.lowlevel.checkpoint()


@final
@attrs.define(eq=False, repr=False, slots=False)
class PrioritySendChannel(_Endpoint[T], trio.abc.SendChannel[T]):
    """The sending end of a priority channel. `open_priority_channel` makes it."""

    # Entries whose sender is blocked on this very endpoint, not on a clone.
    _blocked: set[Entry[Item[T]]] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._state.open_send += 1

    def __repr__(self) -> str:
        return f"<priority send channel at {id(self):#x}, state at {id(self._state):#x}>"

    @enable_ki_protection
    def send_nowait(self, value: T) -> None:
        """Send without waiting.

        Raises:
          trio.WouldBlock: the buffer is full and nobody waits for an item.
          trio.ClosedResourceError: this endpoint was closed.
          trio.BrokenResourceError: every receive endpoint was closed.
        """
        self._send(value, self._rank(value))

    @enable_ki_protection
    async def send(self, value: T) -> None:
        """Send, waiting until there is room for the item or somebody takes it.

        While it waits, the item is in the order and may be received or removed; either lets `send`
        return. Any number of tasks may be in `send` at a time.

        If cancelled, the item was not sent: it is no longer queued and nobody has received it.

        Raises:
          trio.ClosedResourceError: this endpoint was closed, also while waiting.
          trio.BrokenResourceError: every receive endpoint was closed, also while waiting.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        priority = self._rank(value)
        try:
            self._send(value, priority)
        except trio.WouldBlock:
            pass
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return

        task = trio.lowlevel.current_task()
        entry = self._state.block_sender(task, value, priority, self._blocked)

        def abort(_: RaiseCancelT) -> Abort:
            self._state.refuse(entry, None)
            return Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        if self._state.open_receive == 0:
            raise trio.BrokenResourceError

    def _rank(self, value: T) -> int:
        self._check_open()
        return operator.index(self._state.key(value))

    def _send(self, value: T, priority: int) -> None:
        self._check_open()  # again: the key is foreign code, and may have closed the channel
        self._state.put(value, priority)

    @enable_ki_protection
    def clone(self) -> PrioritySendChannel[T]:
        """Return another send endpoint of the same channel.

        Receivers see the end only when all are closed, so each producer can close its own.

        Raises:
          trio.ClosedResourceError: this endpoint was closed.
        """
        if self._closed:
            raise trio.ClosedResourceError
        return PrioritySendChannel(self._state)

    @enable_ki_protection
    def close(self) -> None:
        """Close this endpoint; again does nothing. Not a checkpoint.

        Tasks blocked in its `send` get `trio.ClosedResourceError`, their items unsent. With the
        last send endpoint gone, receivers get what is left and then `trio.EndOfChannel`.
        """
        if self._closed:
            return
        self._closed = True
        state = self._state
        for entry in list(self._blocked):
            state.refuse(entry, trio.ClosedResourceError())
        state.open_send -= 1
        if state.open_send == 0:
            for task in list(state.receivers):
                state.release_receiver(task, outcome.Error(trio.EndOfChannel()))


@final
@attrs.define(eq=False, repr=False, slots=False)
class PriorityReceiveChannel(_Endpoint[T], trio.abc.ReceiveChannel[T]):
    """The receiving end of a priority channel. `open_priority_channel` makes it."""

    # Tasks blocked in `receive` on this very endpoint, not on a clone.
    _waiting: set[Task] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._state.open_receive += 1

    def __repr__(self) -> str:
        return f"<priority receive channel at {id(self):#x}, state at {id(self._state):#x}>"

    @enable_ki_protection
    def receive_nowait(self) -> T:
        """Receive the next item without waiting.

        Raises:
          trio.WouldBlock: nothing is queued.
          trio.EndOfChannel: nothing is queued and every send endpoint was closed.
          trio.ClosedResourceError: this endpoint was closed.
        """
        if self._closed:
            raise trio.ClosedResourceError
        if self._state.queue:
            return self._state.take()
        if self._state.open_send == 0:
            raise trio.EndOfChannel
        raise trio.WouldBlock

    @enable_ki_protection
    async def receive(self) -> T:
        """Receive the next item, waiting until there is one.

        Any number of tasks may be in `receive` at a time; the longest waiting is served first.

        If cancelled, nothing was taken from the channel.

        Raises:
          trio.EndOfChannel: nothing is queued and every send endpoint was closed.
          trio.ClosedResourceError: this endpoint was closed, also while waiting.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            value = self.receive_nowait()
        except trio.WouldBlock:
            pass
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return value

        task = trio.lowlevel.current_task()
        self._state.block_receiver(task, self._waiting)

        def abort(_: RaiseCancelT) -> Abort:
            self._state.forget_receiver(task)
            return Abort.SUCCEEDED

        return cast("T", await trio.lowlevel.wait_task_rescheduled(abort))

    @enable_ki_protection
    def remove(self, item: object) -> bool:
        """Take one queued item that is, or equals, `item` out of the channel; say if there was one.

        Of several equal ones, the one that would be received first. It overtakes nobody. A sender
        blocked with it goes on as if it had been received.

        Raises:
          trio.ClosedResourceError: this endpoint was closed.
        """
        for entry in self._entries():
            if entry.value.value is item or entry.value.value == item:
                return bool(self._take_out([entry]))
        return False

    @enable_ki_protection
    def discard(self, predicate: Callable[[T], object] = lambda _: True) -> tuple[T, ...]:
        """Take all queued items for which `predicate` is true out of the channel; return them.

        By default all. They come in the order in which they would have been received, and overtake
        nobody. Senders blocked with one go on as if it had been received. What `predicate` raises
        is raised here, with nothing taken out.

        Raises:
          trio.ClosedResourceError: this endpoint was closed.
        """
        return self._take_out([e for e in self._entries() if predicate(e.value.value)])

    def _entries(self) -> list[Entry[Item[T]]]:
        if self._closed:
            raise trio.ClosedResourceError
        return self._state.queue.in_order()

    def _take_out(self, entries: list[Entry[Item[T]]]) -> tuple[T, ...]:
        # A predicate or an __eq__ may itself have received some of them: those are not queued now.
        return tuple(self._state.take_out(entry) for entry in entries if entry.queued)

    @enable_ki_protection
    def clone(self) -> PriorityReceiveChannel[T]:
        """Return another receive endpoint of the same channel.

        An item goes to one of them only. The channel is broken for senders when all are closed.

        Raises:
          trio.ClosedResourceError: this endpoint was closed.
        """
        if self._closed:
            raise trio.ClosedResourceError
        return PriorityReceiveChannel(self._state)

    @enable_ki_protection
    def close(self) -> None:
        """Close this endpoint; again does nothing. Not a checkpoint.

        Tasks blocked in its `receive` get `trio.ClosedResourceError`. With the last receive
        endpoint gone, blocked senders get `trio.BrokenResourceError` and the buffer is dropped.
        """
        if self._closed:
            return
        self._closed = True
        state = self._state
        for task in list(self._waiting):
            state.release_receiver(task, outcome.Error(trio.ClosedResourceError()))
        state.open_receive -= 1
        if state.open_receive == 0:
            for entry in list(state.queue):
                state.refuse(entry, trio.BrokenResourceError())
