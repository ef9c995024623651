"""What the endpoints of one priority channel share: see `muxd.channel`."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs
import outcome
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.lowlevel import Task

    from muxd.ageing import AgeingQueue, Entry

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class PriorityChannelStatistics:
    """What a priority channel looks like at this moment, over all clones of its endpoints.

    The fields that `trio.MemoryChannelStatistics` has too mean the same.
    """

    current_buffer_used: int
    """Items in the buffer, 0 to `max_buffer_size`. Items of blocked senders are not among them."""
    max_buffer_size: int | float
    """The capacity: how many items fit before `send` blocks; an int >= 0 or `math.inf`."""
    peak_buffer_used: int
    """The most items that were ever in the buffer at once."""
    open_send_channels: int
    """Send endpoints that are open."""
    open_receive_channels: int
    """Receive endpoints that are open."""
    tasks_waiting_send: int
    """Tasks blocked in `send`. Each holds one item, which is in the order like any other."""
    tasks_waiting_receive: int
    """Tasks blocked in `receive`."""
    overtakes: int | float
    """The limit: how often a queued item may be overtaken by later ones."""
    most_overtaken: int
    """The most often that any item was overtaken so far, 0 to `overtakes`."""


@attrs.define(eq=False)
class Item(Generic[T]):
    """What is queued: the value, and who waits for it to be taken."""

    value: T
    """What was sent."""
    sender: Task | None = None
    """The task that is blocked in `send` with it; None if it is in the buffer."""
    endpoint: set[Entry[Item[T]]] | None = attrs.field(default=None, repr=False)
    """The entries blocked on the same endpoint as this one, this one among them."""


@attrs.define(eq=False)
class ChannelState(Generic[T]):
    """The queue, the tasks blocked on either side of it, and the counts.

    Always true between two operations: a blocked receiver means that nothing is queued, and a
    blocked sender means that the buffer is full.
    """

    capacity: int | float
    """How many items fit into the buffer."""
    key: Callable[[T], int]
    """Gives an item's priority."""
    queue: AgeingQueue[Item[T]]
    """Everything that can be received: the buffer and the items of the blocked senders."""
    # {entry of a blocked sender: None}, longest blocked first
    blocked: OrderedDict[Entry[Item[T]], None] = attrs.field(factory=OrderedDict)
    # {blocked receiver: the tasks blocked on the same endpoint, it among them}, longest first
    receivers: OrderedDict[Task, set[Task]] = attrs.field(factory=OrderedDict)
    open_send: int = 0
    open_receive: int = 0
    peak_buffer_used: int = 0

    @property
    def buffered(self) -> int:
        """How many items are in the buffer."""
        return len(self.queue) - len(self.blocked)

    def put(self, value: T, priority: int) -> None:
        """Hand the value to the longest waiting receiver, or into the buffer; or WouldBlock."""
        if self.receivers:
            self.release_receiver(next(iter(self.receivers)), outcome.Value(value))
        elif self.buffered < self.capacity:
            self.queue.push(Item(value), priority)
            self.peak_buffer_used = max(self.peak_buffer_used, self.buffered)
        else:
            raise trio.WouldBlock

    def take(self) -> T:
        """Take out the next item; IndexError if there is none."""
        entry = self.queue.pop()
        self._taken(entry)
        return entry.value.value

    def take_out(self, entry: Entry[Item[T]]) -> T:
        """Take out a given entry that is queued; it overtakes nobody."""
        self.queue.remove(entry)
        self._taken(entry)
        return entry.value.value

    def _taken(self, entry: Entry[Item[T]]) -> None:
        """Let its sender go on, and the longest blocked one fill a place that became free."""
        self._release_sender(entry, outcome.Value(None))
        if self.blocked and self.buffered < self.capacity:
            self._release_sender(next(iter(self.blocked)), outcome.Value(None))

    def block_sender(
        self, task: Task, value: T, priority: int, endpoint: set[Entry[Item[T]]]
    ) -> Entry[Item[T]]:
        """Queue the value of a sender that found the buffer full."""
        entry = self.queue.push(Item(value, task, endpoint), priority)
        self.blocked[entry] = None
        endpoint.add(entry)
        return entry

    def refuse(self, entry: Entry[Item[T]], error: Exception | None) -> None:
        """Take an entry out unsent; if its sender is blocked, raise the error there.

        With no error the sender is left alone: trio itself is waking it, with `Cancelled`.
        """
        self.queue.remove(entry)
        if error is not None:
            self._release_sender(entry, outcome.Error(error))
        else:
            self._forget_sender(entry)

    def _release_sender(self, entry: Entry[Item[T]], result: outcome.Outcome[None]) -> None:
        task = self._forget_sender(entry)
        if task is not None:
            trio.lowlevel.reschedule(task, result)

    def _forget_sender(self, entry: Entry[Item[T]]) -> Task | None:
        item = entry.value
        task, endpoint = item.sender, item.endpoint
        if endpoint is not None:
            del self.blocked[entry]
            endpoint.remove(entry)
        item.sender = item.endpoint = None
        return task

    def block_receiver(self, task: Task, endpoint: set[Task]) -> None:
        """Note a receiver that found nothing queued."""
        self.receivers[task] = endpoint
        endpoint.add(task)

    def forget_receiver(self, task: Task) -> None:
        """Drop a blocked receiver without waking it: trio itself does, with `Cancelled`."""
        self.receivers.pop(task).remove(task)

    def release_receiver(self, task: Task, result: outcome.Outcome[T]) -> None:
        """Wake a blocked receiver with a value or an error."""
        self.forget_receiver(task)
        trio.lowlevel.reschedule(task, result)

    def statistics(self) -> PriorityChannelStatistics:
        """Return the numbers of this moment."""
        return PriorityChannelStatistics(
            current_buffer_used=self.buffered,
            max_buffer_size=self.capacity,
            peak_buffer_used=self.peak_buffer_used,
            open_send_channels=self.open_send,
            open_receive_channels=self.open_receive,
            tasks_waiting_send=len(self.blocked),
            tasks_waiting_receive=len(self.receivers),
            overtakes=self.queue.overtakes,
            most_overtaken=self.queue.most_overtaken,
        )
