"""The priority channel under anything that may happen to it, against a plain model of it."""

from __future__ import annotations

import math
import random
import threading
from collections import Counter

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from muxd.channel import open_priority_channel

PRIORITIES = st.integers(-2, 2)
PICK = st.integers(0, 1000)


@attrs.define(eq=False)
class Item:
    """What is sent; the model writes down what has happened to it."""

    priority: int
    queued_before: int
    sender: Operation | None = None
    overtaken: int = 0
    waited_for: int = 0


@attrs.define(eq=False)
class Operation:
    """A task in `send` or `receive`: what really came of it, and what should have."""

    endpoint: object
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    result: object = "waiting"
    expected: object = "waiting"


@attrs.define
class Model:
    """The channel as its documentation describes it, by lists alone."""

    capacity: float
    overtakes: float
    items: list[Item] = attrs.field(factory=list)  # in the order of arrival
    receivers: list[Operation] = attrs.field(factory=list)
    sends: list[object] = attrs.field(factory=list)  # open endpoints
    receives: list[object] = attrs.field(factory=list)
    most_overtaken: int = 0
    peak: int = 0

    @property
    def blocked(self):
        return [item for item in self.items if item.sender]

    @property
    def buffered(self):
        return len(self.items) - len(self.blocked)

    def send(self, item, operation=None):
        if not self.receives:
            outcome = trio.BrokenResourceError
        elif self.receivers:
            self.receivers.pop(0).expected = item
            outcome = "sent"
        elif self.buffered < self.capacity:
            self.items.append(item)
            outcome = "sent"
        elif operation is None:
            outcome = trio.WouldBlock
        else:
            item.sender = operation
            self.items.append(item)
            outcome = "waiting"
        self.peak = max(self.peak, self.buffered)
        return outcome

    def receive(self, operation=None):
        if self.items:
            item = self.next(self.items)
            self.pass_over(item)
            self.leave(item)
            return item
        if not self.sends:
            return trio.EndOfChannel
        if operation is None:
            return trio.WouldBlock
        self.receivers.append(operation)
        return "waiting"

    def next(self, items):
        overdue = [item for item in items if item.overtaken >= self.overtakes]
        return overdue[0] if overdue else max(items, key=lambda item: item.priority)

    def pass_over(self, taken):
        for item in self.items:
            item.waited_for += item is not taken
        for older in self.items[: self.items.index(taken)]:
            older.overtaken += 1
            self.most_overtaken = max(self.most_overtaken, older.overtaken)
        assert taken.overtaken <= self.overtakes
        assert taken.waited_for <= taken.queued_before + self.overtakes

    def leave(self, item):
        self.items.remove(item)
        if item.sender:
            item.sender.expected, item.sender = "sent", None
        if self.blocked and self.buffered < self.capacity:
            first = self.blocked[0]
            first.sender.expected, first.sender = "sent", None
            self.peak = max(self.peak, self.buffered)

    def cancel(self, operation):
        if operation in self.receivers:
            self.receivers.remove(operation)
            operation.expected = "cancelled"
        for item in self.blocked:
            if item.sender is operation:
                self.items.remove(item)
                operation.expected = "cancelled"

    def close_send(self, endpoint):
        self.sends.remove(endpoint)
        for item in self.blocked:
            if item.sender.endpoint is endpoint:
                item.sender.expected = trio.ClosedResourceError
                self.items.remove(item)
        if not self.sends:
            while self.receivers:
                self.receivers.pop().expected = trio.EndOfChannel

    def close_receive(self, endpoint):
        self.receives.remove(endpoint)
        for operation in [one for one in self.receivers if one.endpoint is endpoint]:
            self.receivers.remove(operation)
            operation.expected = trio.ClosedResourceError
        if not self.receives:
            for item in self.blocked:
                item.sender.expected = trio.BrokenResourceError
            self.items.clear()

    def order(self):
        """Foretell the receptions, on copies."""
        copies = {attrs.evolve(item, waited_for=-math.inf): item for item in self.items}
        model = Model(self.capacity, self.overtakes, items=list(copies))
        order = []
        while model.items:
            copy = model.next(model.items)
            model.pass_over(copy)
            model.items.remove(copy)
            order.append(copies[copy])
        return tuple(order)


class TrioThread:
    """A trio run that waits, in a thread of its own, for things to do."""

    def __init__(self):
        started = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main, started), daemon=True)
        self._thread.start()
        assert started.wait(10)

    async def _main(self, started):
        async with trio.open_nursery() as self.nursery:
            self._stop = trio.Event()
            self._token = trio.lowlevel.current_trio_token()
            started.set()
            await self._stop.wait()
            self.nursery.cancel_scope.cancel()

    def run(self, function, *args):
        """Call the function in the trio run and let everything there come to rest."""

        async def call():
            with trio.fail_after(10):
                result = function(*args)
                await trio.testing.wait_all_tasks_blocked()
                return result

        return trio.from_thread.run(call, trio_token=self._token)

    def stop(self):
        trio.from_thread.run_sync(self._stop.set, trio_token=self._token)
        self._thread.join(10)
        assert not self._thread.is_alive()


def attempt(function, *args):
    """Give the result of a call, or the class of what it raises."""
    try:
        return function(*args)
    except (
        trio.WouldBlock,
        trio.EndOfChannel,
        trio.ClosedResourceError,
        trio.BrokenResourceError,
    ) as error:
        return type(error)


class ChannelMachine(RuleBasedStateMachine):
    """Tasks send, receive, are cancelled; endpoints are cloned and closed; items are taken out."""

    @initialize(
        capacity=st.integers(0, 3) | st.just(math.inf),
        overtakes=st.integers(0, 3) | st.just(math.inf),
    )
    def open(self, capacity, overtakes):
        self.trio = TrioThread()
        self.model = Model(capacity, overtakes)
        self.operations = []
        send, receive = open_priority_channel[Item](capacity, overtakes=overtakes)
        self.send, self.receive = send, receive
        self.model.sends.append(send)
        self.model.receives.append(receive)

    def teardown(self):
        if hasattr(self, "trio"):
            self.trio.stop()

    def start(self, endpoint, async_fn, *args):
        operation = Operation(endpoint)
        self.operations.append(operation)

        async def task():
            with operation.scope:
                try:
                    received = await async_fn(*args)
                    operation.result = "sent" if received is None else received
                except (
                    trio.EndOfChannel,
                    trio.ClosedResourceError,
                    trio.BrokenResourceError,
                ) as error:
                    operation.result = type(error)
            if operation.scope.cancelled_caught:
                operation.result = "cancelled"

        self.trio.run(self.trio.nursery.start_soon, task)
        return operation

    def item(self, priority):
        return Item(priority, queued_before=len(self.model.items))

    @precondition(lambda self: self.model.sends)
    @rule(priority=PRIORITIES, pick=PICK)
    def send_in_a_task(self, priority, pick):
        endpoint = self.model.sends[pick % len(self.model.sends)]
        item = self.item(priority)
        operation = self.start(endpoint, endpoint.send, item)
        operation.expected = self.model.send(item, operation)

    @precondition(lambda self: self.model.sends)
    @rule(priority=PRIORITIES, pick=PICK)
    def send_nowait(self, priority, pick):
        endpoint = self.model.sends[pick % len(self.model.sends)]
        item = self.item(priority)
        result = self.trio.run(attempt, endpoint.send_nowait, item)
        assert (result or "sent") == self.model.send(item)

    @precondition(lambda self: self.model.receives)
    @rule(pick=PICK)
    def receive_in_a_task(self, pick):
        endpoint = self.model.receives[pick % len(self.model.receives)]
        operation = self.start(endpoint, endpoint.receive)
        operation.expected = self.model.receive(operation)

    @precondition(lambda self: self.model.receives)
    @rule(pick=PICK)
    def receive_nowait(self, pick):
        endpoint = self.model.receives[pick % len(self.model.receives)]
        assert self.trio.run(attempt, endpoint.receive_nowait) == self.model.receive()

    @precondition(lambda self: self.operations)
    @rule(pick=PICK)
    def cancel(self, pick):
        operation = self.operations[pick % len(self.operations)]
        self.trio.run(operation.scope.cancel)
        self.model.cancel(operation)

    @precondition(lambda self: self.model.receives and self.operations)
    @rule(pick=PICK)
    def receive_and_cancel_in_one_instant(self, pick):
        """Whoever was served before the cancellation stays served."""
        operation = self.operations[pick % len(self.operations)]
        endpoint = self.model.receives[pick % len(self.model.receives)]

        def both():
            received = attempt(endpoint.receive_nowait)
            operation.scope.cancel()
            return received

        assert self.trio.run(both) == self.model.receive()
        self.model.cancel(operation)

    @precondition(lambda self: self.model.sends and self.operations)
    @rule(priority=PRIORITIES, pick=PICK)
    def send_and_cancel_in_one_instant(self, priority, pick):
        """Whoever was served before the cancellation stays served."""
        operation = self.operations[pick % len(self.operations)]
        endpoint = self.model.sends[pick % len(self.model.sends)]
        item = self.item(priority)

        def both():
            result = attempt(endpoint.send_nowait, item)
            operation.scope.cancel()
            return result or "sent"

        assert self.trio.run(both) == self.model.send(item)
        self.model.cancel(operation)

    @precondition(lambda self: 0 < len(self.model.sends) < 4)
    @rule()
    def clone_send(self):
        self.model.sends.append(self.trio.run(self.model.sends[0].clone))

    @precondition(lambda self: 0 < len(self.model.receives) < 4)
    @rule()
    def clone_receive(self):
        self.model.receives.append(self.trio.run(self.model.receives[0].clone))

    # Closing the last endpoint ends the interesting part: not at the first occasion.
    @precondition(lambda self: len(self.model.sends) > 1 or len(self.operations) > 10)
    @rule(pick=PICK)
    def close_send(self, pick):
        if self.model.sends:
            endpoint = self.model.sends[pick % len(self.model.sends)]
            self.trio.run(endpoint.close)
            self.model.close_send(endpoint)

    @precondition(lambda self: len(self.model.receives) > 1 or len(self.operations) > 10)
    @rule(pick=PICK)
    def close_receive(self, pick):
        if self.model.receives:
            endpoint = self.model.receives[pick % len(self.model.receives)]
            self.trio.run(endpoint.close)
            self.model.close_receive(endpoint)

    @precondition(lambda self: self.model.receives and self.model.items)
    @rule(pick=PICK)
    def remove(self, pick):
        item = self.model.items[pick % len(self.model.items)]
        assert self.trio.run(self.model.receives[0].remove, item) is True
        assert self.trio.run(self.model.receives[0].remove, item) is False
        self.model.leave(item)

    @precondition(lambda self: self.model.receives)
    @rule(priority=PRIORITIES)
    def discard(self, priority):
        taken = self.trio.run(
            self.model.receives[0].discard, lambda item: item.priority == priority
        )
        assert taken == tuple(one for one in self.model.order() if one.priority == priority)
        for item in taken:
            self.model.leave(item)

    @invariant()
    def real_and_model_agree(self):
        if not hasattr(self, "trio"):
            return
        model, statistics = self.model, self.send.statistics()
        for operation in self.operations:
            assert operation.result == operation.expected
        assert self.receive.snapshot() == model.order()
        assert statistics.current_buffer_used == model.buffered <= model.capacity
        assert statistics.peak_buffer_used == model.peak
        assert statistics.tasks_waiting_send == len(model.blocked)
        assert statistics.tasks_waiting_receive == len(model.receivers)
        assert statistics.open_send_channels == len(model.sends)
        assert statistics.open_receive_channels == len(model.receives)
        assert statistics.most_overtaken == model.most_overtaken <= model.overtakes


ChannelMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestChannel = ChannelMachine.TestCase
TestChannel.__doc__ = (
    "Whatever is done, in any order: real channel and model agree on every result, every count and "
    "the order; and no item waits for more than the bound."
)


@pytest.mark.parametrize("capacity", [0, 1, 3, math.inf])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_nothing_is_lost_or_doubled_in_a_crowd(capacity, seed):
    """Senders and receivers that are cancelled at random moments: each item that was sent is
    received once, taken out once or still queued; none that was not sent is received."""
    sent, received, unsent = Counter(), Counter(), Counter()

    async def main():
        dice = random.Random(seed)
        send, receive = open_priority_channel[tuple[int, int, int]](
            capacity, lambda item: item[0], overtakes=2
        )

        async def sender(number, endpoint):
            async with endpoint:
                for n in range(10):
                    item = (dice.randrange(3), number, n)
                    with trio.move_on_after(dice.choice([0, 0.5, 1, math.inf])) as scope:
                        await endpoint.send(item)
                        sent[item] += 1
                    if scope.cancelled_caught:
                        unsent[item] += 1
                    await trio.sleep(dice.choice([0, 0, 0.5]))

        async def receiver(endpoint):
            while True:
                with trio.move_on_after(dice.choice([0, 0.5, 1, 2])):
                    try:
                        received[await endpoint.receive()] += 1
                    except trio.EndOfChannel:
                        return
                if dice.random() < 0.1:
                    received.update(endpoint.discard(lambda item: item[1] == 0))
                await trio.sleep(dice.choice([0, 0.5, 1]))

        with trio.fail_after(10_000):
            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(sender, number, send.clone())
                    nursery.start_soon(receiver, receive.clone())
                send.close()
                receive.close()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert received == sent
    assert max(received.values(), default=0) <= 1
    assert not unsent & received
