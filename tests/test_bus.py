"""The bus tells everyone and waits for nobody."""

from __future__ import annotations

import asyncio
import threading

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from muxd.bus import Bus, EventsLost


@pytest.fixture
def bus():
    return Bus[int]()


class CancelAtYield(trio.abc.Instrument):
    """Cancels a scope the moment that a task yields to the others."""

    def __init__(self, scope):
        self.scope, self.task = scope, trio.lowlevel.current_task()

    def task_scheduled(self, task):
        if task is self.task:
            self.scope.cancel()


async def drained(subscription):
    """Give all that a subscription to a closed bus still has."""
    with trio.fail_after(5):
        return [item async for item in subscription]


async def test_every_subscriber_gets_every_event_in_order(bus, autojump_clock):
    """Each subscriber is told of all events from its subscription on, in order, at its own pace."""
    bus.publish(-1)
    got = {"a": [], "b": []}

    async def listen(name, pause, *, task_status):
        async with bus.subscribe(name) as events:
            task_status.started()
            async for event in events:
                got[name].append(event)
                await trio.sleep(pause)

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(listen, "a", 0)
            await nursery.start(listen, "b", 1)
            for n in range(5):
                bus.publish(n)
                await trio.sleep(0.1)
            bus.close()
            bus.publish(99)
    assert got == {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2, 3, 4]}
    assert bus.published == 6


async def test_a_slow_subscriber_loses_the_oldest_and_is_told_where(bus):
    """A full buffer drops its oldest events; the report stands where they would have been."""
    with bus.subscribe("slow", capacity=3) as slow, bus.subscribe("quick") as quick:
        for n in range(3):
            bus.publish(n)
        assert slow.receive_nowait() == 0
        for n in range(3, 10):
            bus.publish(n)
        bus.close()
        assert await drained(slow) == [EventsLost(6), 7, 8, 9]
        assert await drained(quick) == list(range(10))
        numbers = {s.name: (s.received, s.lost, s.waiting) for s in bus.statistics()}
        assert numbers == {"slow": (4, 6, 0), "quick": (10, 0, 0)}


@given(st.integers(1, 4), st.lists(st.sampled_from(["publish", "receive"]), max_size=40))
def test_received_and_lost_add_up(capacity, steps):
    """However publishing and receiving mix: with each report counted, no event is out of place."""

    async def main():
        bus = Bus[int]()
        with bus.subscribe("x", capacity=capacity) as events:
            items = []
            for step in steps:
                if step == "publish":
                    bus.publish(bus.published)
                else:
                    try:
                        items.append(events.receive_nowait())
                    except trio.WouldBlock:
                        continue
                assert bus.statistics()[0].waiting <= capacity
            bus.close()
            items += await drained(events)
            expected = 0
            for item in items:
                if isinstance(item, EventsLost):
                    assert item.count >= 1
                    expected += item.count
                else:
                    assert item == expected
                    expected += 1
            assert expected == bus.published
            statistics = events.statistics()
            assert statistics.lost + statistics.received == bus.published

    trio.run(main)


async def test_a_subscription_ends_with_its_block(bus):
    """After the block the bus forgets the subscriber, and receiving says that it is closed."""
    async with bus.subscribe("x") as events:
        bus.publish(1)
    assert bus.statistics() == ()
    bus.publish(2)
    events.close()
    with pytest.raises(trio.ClosedResourceError):
        events.receive_nowait()
    with pytest.raises(trio.ClosedResourceError):
        await events.receive()


async def test_closing_wakes_those_who_wait(bus):
    """Closing a subscription, or the bus, wakes its waiting receivers with the right error."""

    async def expect(error, subscription):
        with pytest.raises(error):
            await subscription.receive()

    a, b = bus.subscribe("a"), bus.subscribe("b")
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect, trio.ClosedResourceError, a)
            nursery.start_soon(expect, trio.EndOfChannel, b)
            nursery.start_soon(expect, trio.EndOfChannel, b)
            await trio.testing.wait_all_tasks_blocked()
            await a.aclose()
            bus.close()
            bus.close()
    b.close()


async def test_cancelled_receiving_loses_nothing(bus, autojump_clock):
    """A subscriber that is cancelled while it waits gets the next event when it comes back."""
    with bus.subscribe("x") as events:
        with trio.move_on_after(1) as waited:
            await events.receive()
        assert waited.cancelled_caught
        bus.publish(1)
        with trio.move_on_after(0) as late:
            await events.receive()
        assert late.cancelled_caught
        assert events.receive_nowait() == 1


async def test_an_event_and_a_cancellation_at_once(bus):
    """If an event comes first and the cancellation in the same instant, the event is received."""
    got = []
    with bus.subscribe("x") as events, trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def listen():
                got.append(await events.receive())

            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            bus.publish(1)
            nursery.cancel_scope.cancel()
    assert got == [1]


async def test_a_cancellation_in_the_checkpoint_loses_nothing(bus):
    """An event that was there is received though the cancellation comes before `receive` returns."""
    with bus.subscribe("x") as events:
        bus.publish(1)
        with trio.CancelScope() as scope:
            trio.lowlevel.add_instrument(CancelAtYield(scope))
            assert await events.receive() == 1
        assert scope.cancel_called
        assert not scope.cancelled_caught


async def test_several_receivers_share_a_subscription(bus):
    """Each event goes to one receiver; none is left waiting while an event is there."""
    got = []
    with bus.subscribe("shared") as events, trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def listen():
                got.append(await events.receive())

            for _ in range(3):
                nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            for n in range(3):
                bus.publish(n)
            # Quicker than those who were woken: one of them must go back to waiting.
            got.append(events.receive_nowait())
            await trio.testing.wait_all_tasks_blocked()
            assert sorted(got) == [0, 1, 2]
            bus.publish(3)
    assert sorted(got) == [0, 1, 2, 3]


async def test_receiving_is_always_a_checkpoint(bus):
    """`receive` lets others run even if an event is there."""
    with bus.subscribe("x") as events:
        bus.publish(1)
        with trio.testing.assert_checkpoints():
            await events.receive()
        with trio.testing.assert_checkpoints():
            await events.aclose()


async def test_a_subscription_to_a_closed_bus_ends_at_once(bus):
    """Subscribing too late is no hang and no error."""
    bus.close()
    with bus.subscribe("late") as events:
        assert await drained(events) == []


async def test_other_threads_may_publish(bus):
    """What another thread publishes wakes a waiting subscriber, and comes in that thread's order."""
    with bus.subscribe("x", capacity=200) as events, trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            got = []

            async def listen():
                async for event in events:
                    got.append(event)
                    if len(got) == 100:
                        return

            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            await trio.to_thread.run_sync(lambda: [bus.publish(n) for n in range(100)])
    assert got == list(range(100))


def test_publishing_after_the_run_is_no_error(bus):
    """A straggler that publishes when the trio run is over is ignored, in this thread or another."""

    async def main():
        bus.subscribe("never closed")

    trio.run(main)
    bus.publish(1)
    thread = threading.Thread(target=bus.publish, args=(2,))
    with pytest.MonkeyPatch.context() as patch:
        raised = []
        patch.setattr(threading, "excepthook", raised.append)
        thread.start()
        thread.join(10)
    assert not raised
    assert bus.published == 1


def test_callbacks_of_a_guest_runs_host_may_publish(bus):
    """With trio as a guest of asyncio, an asyncio callback's event wakes the subscriber at once."""

    async def main():
        with trio.fail_after(10), bus.subscribe("x") as events:
            asyncio.get_running_loop().call_later(0.01, bus.publish, 1)
            return await events.receive()

    async def host():
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            main,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=ended.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        return (await ended).unwrap()

    assert asyncio.run(host()) == 1


@pytest.mark.parametrize("capacity", [0, -1])
async def test_a_subscriber_without_room_is_refused(bus, capacity):
    """A capacity below 1 is refused, with the name and the value."""
    with pytest.raises(ValueError, match=f"'x' must be >= 1, not {capacity}"):
        bus.subscribe("x", capacity=capacity)
