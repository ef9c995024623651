"""The priority channel, case by case. `test_channel_stateful.py` mixes the cases at random."""

from __future__ import annotations

import math

import attrs
import pytest
import trio
import trio.testing

from muxd.channel import DEFAULT_OVERTAKES, open_priority_channel


@attrs.frozen
class Item:
    priority: int
    name: str = ""


class CancelAtYield(trio.abc.Instrument):
    """Cancels a scope the moment that a task yields to the others."""

    def __init__(self, scope):
        self.scope, self.task = scope, trio.lowlevel.current_task()

    def task_scheduled(self, task):
        if task is self.task:
            self.scope.cancel()


def by_value(capacity, **options):
    """Open a channel of ints, each its own priority."""
    return open_priority_channel[int](capacity, lambda value: value, **options)


async def blocked(nursery, async_fn, *args):
    """Start a task and wait until it is blocked."""
    nursery.start_soon(async_fn, *args)
    await trio.testing.wait_all_tasks_blocked()


@pytest.fixture(autouse=True)
async def bound():
    """Every wait of these tests ends."""
    with trio.fail_after(10):
        yield


async def test_highest_priority_first_and_first_sent_first_within_one():
    """The endpoints are trio channels that receive by priority, then in the order of sending."""
    send, receive = open_priority_channel[Item](math.inf)
    assert isinstance(send, trio.abc.SendChannel)
    assert isinstance(receive, trio.abc.ReceiveChannel)
    async with send:
        for name, priority in [("a", 0), ("b", 5), ("c", 0), ("d", 9), ("e", 5), ("f", -1)]:
            send.send_nowait(Item(priority, name))
    async with receive:
        assert "".join([item.name async for item in receive]) == "dbeacf"


async def test_no_item_waits_for_more_than_the_limit():
    """By default 16 later items may overtake a queued one; the next that is received is that."""
    send, receive = by_value(math.inf)
    send.send_nowait(0)
    received = []
    while 0 not in received:
        send.send_nowait(1)
        received.append(receive.receive_nowait())
    assert received == [1] * DEFAULT_OVERTAKES + [0]
    assert DEFAULT_OVERTAKES == 16
    assert receive.statistics().most_overtaken == receive.statistics().overtakes == 16


async def test_an_urgent_item_does_not_wait_for_the_buffer():
    """A blocked sender's item is in the order like any other; it is received before the buffer."""
    send, receive = by_value(1)
    async with trio.open_nursery() as nursery:
        await send.send(1)
        await blocked(nursery, send.send, 2)
        await blocked(nursery, send.send, 9)
        assert receive.snapshot() == send.snapshot() == (9, 2, 1)
        assert await receive.receive() == 9
        statistics = send.statistics()
        assert (statistics.current_buffer_used, statistics.tasks_waiting_send) == (1, 1)
        assert [receive.receive_nowait() for _ in range(2)] == [2, 1]


async def test_the_longest_blocked_sender_is_let_in_first():
    """A place that becomes free goes to the sender that waits longest, whatever its priority."""
    send, receive = by_value(1)
    let_in = []

    async def sender(value):
        await send.send(value)
        let_in.append(value)

    async with trio.open_nursery() as nursery:
        send.send_nowait(100)
        for value in (1, 5, 3):
            await blocked(nursery, sender, value)
        assert receive.receive_nowait() == 100
        await trio.testing.wait_all_tasks_blocked()
        assert let_in == [1]
        assert receive.receive_nowait() == 5  # its sender goes on; the place is still 1's
        await trio.testing.wait_all_tasks_blocked()
        assert let_in == [1, 5]
        assert [receive.receive_nowait() for _ in range(2)] == [3, 1]


async def test_capacity_zero_hands_over():
    """Without a buffer each item is handed from a sender to a receiver, the most urgent first."""
    send, receive = by_value(0)
    with pytest.raises(trio.WouldBlock):
        send.send_nowait(1)
    async with trio.open_nursery() as nursery:
        await blocked(nursery, send.send, 1)
        await blocked(nursery, send.send, 2)
        assert [await receive.receive() for _ in range(2)] == [2, 1]
    got = []

    async def receiver():
        got.append(await receive.receive())

    async with trio.open_nursery() as nursery:
        await blocked(nursery, receiver)
        send.send_nowait(7)
    assert got == [7]
    assert receive.statistics().peak_buffer_used == 0


async def test_the_longest_waiting_receiver_is_served_first():
    """Receivers are served in the order in which they came."""
    send, receive = by_value(5)
    got = []

    async def receiver(name):
        got.append((name, await receive.receive()))

    async with trio.open_nursery() as nursery:
        for name in "abc":
            await blocked(nursery, receiver, name)
        for value in (1, 3, 2):
            send.send_nowait(value)
    assert sorted(got) == [("a", 1), ("b", 3), ("c", 2)]


async def test_statistics_count_all_clones():
    """Every field of the statistics says what its docstring says, over all endpoints."""
    send, receive = by_value(2, overtakes=3)
    with send.clone() as other, receive.clone():
        async with trio.open_nursery() as nursery:
            for value in (1, 2, 3):
                await blocked(nursery, other.send, value)
            statistics = send.statistics()
            assert statistics == receive.statistics()
            assert attrs.asdict(statistics) == {
                "current_buffer_used": 2,
                "max_buffer_size": 2,
                "peak_buffer_used": 2,
                "open_send_channels": 2,
                "open_receive_channels": 2,
                "tasks_waiting_send": 1,
                "tasks_waiting_receive": 0,
                "overtakes": 3,
                "most_overtaken": 0,
            }
            assert len(receive.discard()) == 3
            nursery.start_soon(receive.receive)
            await trio.testing.wait_all_tasks_blocked()
            assert send.statistics().tasks_waiting_receive == 1
            send.send_nowait(0)
    assert send.statistics().open_send_channels == 1
    assert send.statistics().open_receive_channels == 1


async def test_the_end_comes_when_every_sender_has_closed():
    """Receivers get what is left, and `EndOfChannel` once the last send endpoint is closed."""
    send, receive = by_value(5)
    other = send.clone()
    send.send_nowait(1)
    await send.aclose()
    send.close()
    assert receive.receive_nowait() == 1

    async def expect_end():
        with pytest.raises(trio.EndOfChannel):
            await receive.receive()

    async with trio.open_nursery() as nursery:
        await blocked(nursery, expect_end)
        other.close()
    with pytest.raises(trio.EndOfChannel):
        receive.receive_nowait()


async def test_senders_break_when_every_receiver_has_closed():
    """With no receiver left, blocked and later senders get `BrokenResourceError`."""
    send, receive = by_value(1)
    other = receive.clone()
    send.send_nowait(1)

    async def expect_broken():
        with pytest.raises(trio.BrokenResourceError):
            await send.send(2)

    async with trio.open_nursery() as nursery:
        await blocked(nursery, expect_broken)
        await receive.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert send.statistics().tasks_waiting_send == 1
        other.close()
    with pytest.raises(trio.BrokenResourceError):
        send.send_nowait(3)
    with pytest.raises(trio.BrokenResourceError):
        await send.send(3)
    assert send.snapshot() == ()


async def test_closing_an_endpoint_wakes_its_own_tasks_only():
    """Tasks blocked on a closed endpoint get `ClosedResourceError`; those on a clone stay."""
    send, receive = by_value(0)
    other_send, other_receive = send.clone(), receive.clone()

    async def expect_closed(async_fn, *args):
        with pytest.raises(trio.ClosedResourceError):
            await async_fn(*args)

    async with trio.open_nursery() as nursery:
        await blocked(nursery, expect_closed, send.send, 1)
        await blocked(nursery, other_send.send, 2)
        send.close()
        await trio.testing.wait_all_tasks_blocked()
        assert other_receive.snapshot() == (2,)
        assert await receive.receive() == 2
        await blocked(nursery, expect_closed, receive.receive)
        await blocked(nursery, other_receive.receive)
        receive.close()
        other_send.send_nowait(3)


async def test_a_closed_endpoint_refuses_everything():
    """Each operation of a closed endpoint raises `ClosedResourceError`, whatever its arguments."""
    send, receive = open_priority_channel[Item](1)
    send.close()
    receive.close()
    not_an_item = object()
    for call in (
        lambda: send.send_nowait(not_an_item),
        send.clone,
        receive.receive_nowait,
        receive.clone,
        receive.discard,
        lambda: receive.remove(not_an_item),
    ):
        with pytest.raises(trio.ClosedResourceError):
            call()
    with pytest.raises(trio.ClosedResourceError):
        await send.send(not_an_item)
    with pytest.raises(trio.ClosedResourceError):
        await receive.receive()


async def test_cancelled_operations_have_not_happened(autojump_clock):
    """A cancelled `send` leaves no item, a cancelled `receive` takes none."""
    send, receive = by_value(1)
    send.send_nowait(1)
    with trio.move_on_after(1) as scope:
        await send.send(9)
    assert scope.cancelled_caught
    assert receive.snapshot() == (1,)
    with trio.move_on_after(0) as scope:
        await receive.receive()
    assert scope.cancelled_caught
    assert receive.receive_nowait() == 1
    with trio.move_on_after(1) as scope:
        await receive.receive()
    assert scope.cancelled_caught
    assert receive.statistics().tasks_waiting_receive == 0
    send.send_nowait(2)
    assert receive.receive_nowait() == 2


async def test_what_has_happened_is_not_undone_by_a_cancellation_in_the_same_instant():
    """An item that was handed over before the cancellation has been sent and received."""
    send, receive = by_value(0)
    log = []

    async def sender():
        await send.send(1)
        log.append("sent")

    async def receiver():
        log.append(await receive.receive())

    async with trio.open_nursery() as nursery:
        await blocked(nursery, sender)
        assert receive.receive_nowait() == 1
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        await blocked(nursery, receiver)
        send.send_nowait(2)
        nursery.cancel_scope.cancel()
    assert log == ["sent", 2]


async def test_a_cancellation_in_the_checkpoint_undoes_nothing():
    """What needed no waiting has happened, though the cancellation comes before it returns."""
    send, receive = by_value(1)
    for operation in (lambda: send.send(1), receive.receive):
        with trio.CancelScope() as scope:
            trio.lowlevel.add_instrument(CancelAtYield(scope))
            assert await operation() in (None, 1)
        assert scope.cancel_called
        assert not scope.cancelled_caught


async def test_every_async_operation_is_a_checkpoint():
    """`send`, `receive` and `aclose` let others run even when they need not wait."""
    send, receive = by_value(1)
    with trio.testing.assert_checkpoints():
        await send.send(1)
    with trio.testing.assert_checkpoints():
        await receive.receive()
    with trio.testing.assert_checkpoints():
        await send.aclose()
    with trio.testing.assert_checkpoints():
        await receive.aclose()


async def test_aclose_closes_even_if_cancelled():
    """Leaving an ``async with`` block in a cancelled task closes the endpoint."""
    send, receive = by_value(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        async with send, receive:
            pass
    assert send.statistics().open_send_channels == 0
    assert send.statistics().open_receive_channels == 0


@pytest.mark.parametrize("end", ["send", "receive"])
async def test_a_key_that_closes_the_channel_is_too_late_to_send(end):
    """An endpoint that was closed by its own key sends nothing."""
    ends = {}

    def key(value):
        ends[end].close()
        return value

    ends["send"], ends["receive"] = open_priority_channel[int](1, key)
    error = trio.ClosedResourceError if end == "send" else trio.BrokenResourceError
    with pytest.raises(error):
        ends["send"].send_nowait(1)
    assert ends["send"].snapshot() == ()


async def test_a_failing_key_or_predicate_changes_nothing():
    """What the key raises is raised by `send`, and a priority that is no int is a TypeError."""
    send, receive = open_priority_channel[object](1)
    with pytest.raises(AttributeError):
        send.send_nowait(object())
    with pytest.raises(TypeError):
        await send.send(Item(1.5))  # type: ignore[arg-type]
    send.send_nowait(Item(1))
    with pytest.raises(ZeroDivisionError):
        receive.discard(lambda _: 1 / 0)
    assert receive.snapshot() == (Item(1),)


@pytest.mark.parametrize("name", ["capacity", "overtakes"])
@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (1.5, TypeError), ("1", TypeError)])
async def test_wrong_bounds_are_refused(name, value, error):
    """Capacity and limit are ints >= 0 or infinite; anything else is refused by name and value."""
    arguments = {"capacity": 1, "key": int, "overtakes": 1, name: value}
    with pytest.raises(error, match=f"{name} must be .*{value!r}"):
        open_priority_channel(**arguments)
