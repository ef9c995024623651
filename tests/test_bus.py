"""The bus tells everyone and waits for nobody."""

from __future__ import annotations

import trio

from muxd.bus import Bus
from muxd.events import Draining


def event(n):
    return Draining(at=0.0, grace=n)


async def test_every_subscriber_gets_every_event_in_order(autojump_clock):
    """Each subscriber is told of all events from its subscription on, in order, then ends."""
    bus = Bus()
    bus.publish(event(-1))
    got = {"a": [], "b": []}

    async def listen(name, task_status):
        with bus.subscribe(name) as events:
            task_status.started()
            async for told in events:
                got[name].append(told.grace)
                await trio.sleep(1 if name == "b" else 0)

    async with trio.open_nursery() as nursery:
        for name in got:
            await nursery.start(listen, name)
        for n in range(5):
            bus.publish(event(n))
            await trio.sleep(0.1)
        bus.close()
        bus.publish(event(99))
    assert got == {"a": [0, 1, 2, 3, 4], "b": [0, 1, 2, 3, 4]}


async def test_a_slow_subscriber_loses_the_oldest_and_it_is_counted():
    """A full subscription drops its oldest events, says how many, and the publisher never waits."""
    bus = Bus()
    with bus.subscribe("slow", capacity=3) as events:
        for n in range(10):
            bus.publish(event(n))
        bus.close()
        assert [told.grace async for told in events] == [7, 8, 9]
        assert events.lost == 7


async def test_cancelled_waiting_loses_nothing(autojump_clock):
    """A subscriber that is cancelled while it waits gets the next event when it comes back."""
    bus = Bus()
    with bus.subscribe("x") as events:
        with trio.move_on_after(1):
            async for _ in events:
                raise AssertionError("nothing was published")
        bus.publish(event(1))
        bus.close()
        assert [told.grace async for told in events] == [1]


async def test_a_subscription_to_a_closed_bus_ends_at_once():
    """Subscribing too late is no hang."""
    bus = Bus()
    bus.close()
    with bus.subscribe("late") as events, trio.fail_after(1):
        assert [told async for told in events] == []
