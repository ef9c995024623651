"""Taking queued items out of the priority channel otherwise than by receiving them."""

from __future__ import annotations

import math

import attrs
import pytest
import trio
import trio.testing

from muxd.channel import open_priority_channel


@attrs.frozen
class Item:
    priority: int
    name: str = ""


def by_value(capacity):
    """Open a channel of ints, each its own priority."""
    return open_priority_channel[int](capacity, lambda value: value)


@pytest.fixture(autouse=True)
async def bound():
    """Every wait of these tests ends."""
    with trio.fail_after(10):
        yield


async def test_remove_takes_one_queued_item():
    """`remove` takes the equal item that is first in order, and says whether there was one."""
    send, receive = open_priority_channel[Item](math.inf)
    twin, other_twin = Item(1, "twin"), Item(1, "twin")
    for item in (Item(0), twin, other_twin, Item(5)):
        send.send_nowait(item)
    assert receive.remove(Item(1, "twin"))
    assert receive.snapshot()[1] is other_twin
    assert receive.remove(Item(1, "twin"))
    assert not receive.remove(Item(1, "twin"))
    assert receive.snapshot() == (Item(5), Item(0))


async def test_remove_knows_an_item_that_does_not_equal_itself():
    """An item is found by identity too, as in Python's own containers."""
    send, receive = open_priority_channel[float](1, lambda _: 0)
    nan = math.nan
    send.send_nowait(nan)
    assert not receive.remove(float("nan"))
    assert receive.remove(nan)


async def test_discard_takes_out_what_it_is_told_to():
    """`discard` returns what it took in the order of reception; the rest keeps its order."""
    send, receive = by_value(math.inf)
    for value in (1, 4, 2, 3):
        send.send_nowait(value)
    assert receive.discard(lambda value: value % 2) == (3, 1)
    assert receive.snapshot() == (4, 2)
    assert receive.discard() == (4, 2)
    assert receive.discard() == ()


async def test_a_taken_out_item_frees_its_sender_and_its_place():
    """`send` returns when its item is taken out, and a blocked sender fills a freed place."""
    send, receive = by_value(1)
    sent = []

    async def sender(value):
        await send.send(value)
        sent.append(value)

    async with trio.open_nursery() as nursery:
        await sender(0)
        for value in (1, 2, 3):
            nursery.start_soon(sender, value)
            await trio.testing.wait_all_tasks_blocked()
        assert receive.remove(2)
        await trio.testing.wait_all_tasks_blocked()
        assert sent == [0, 2]
        assert receive.remove(0)
        await trio.testing.wait_all_tasks_blocked()
        assert sent == [0, 2, 1]
        assert receive.discard() == (3, 1)
    assert receive.statistics().current_buffer_used == 0
    assert receive.statistics().peak_buffer_used == 1


async def test_foreign_code_that_uses_the_channel_finds_it_whole():
    """A key and a predicate that themselves use the channel lose and double nothing."""

    def key(value):
        if value == 5:
            send.send_nowait(6)
        return value

    send, receive = open_priority_channel[int](2, key)
    send.send_nowait(1)
    with pytest.raises(trio.WouldBlock):
        send.send_nowait(5)
    assert receive.snapshot() == (6, 1)
    received = []

    def predicate(_value):
        if not received:
            received.append(receive.receive_nowait())
        return True

    assert receive.discard(predicate) == (1,)
    assert received == [6]
