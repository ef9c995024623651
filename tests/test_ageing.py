"""The order of the priority channel, without the channel."""

from __future__ import annotations

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd.ageing import AgeingQueue

PRIORITIES = st.integers(-3, 3) | st.integers()
LIMITS = st.integers(0, 5) | st.just(math.inf)
# What happens to a queue: an item of a priority is pushed, the next is popped, or the item at a
# place (modulo the length) is removed.
STEPS = st.lists(
    st.tuples(st.just("push"), PRIORITIES)
    | st.tuples(st.just("pop"), st.just(0))
    | st.tuples(st.just("remove"), st.integers(0, 50)),
    min_size=20,
    max_size=80,
)


@attrs.define(eq=False)
class Modelled:
    """An item of the plain queue that the real one is compared with: it counts for itself."""

    number: int
    priority: int
    queued_before: int
    overtaken: int = 0
    waited_for: int = 0


def expected_next(items: list[Modelled], limit: float) -> Modelled:
    """Give the next item by the words of the promise: one at the limit, else by priority."""
    at_limit = [item for item in items if item.overtaken >= limit]
    if at_limit:
        return min(at_limit, key=lambda item: item.number)
    return min(items, key=lambda item: (-item.priority, item.number))


def take(items: list[Modelled], item: Modelled) -> None:
    items.remove(item)
    for other in items:
        other.waited_for += 1
        if other.number < item.number:
            other.overtaken += 1


@given(STEPS, LIMITS)
def test_order_follows_the_rule(steps, limit):
    """Whatever is pushed, popped and removed: nothing is lost or doubled, each pop gives what the
    rule says, and nobody is overtaken more often than the limit or waits longer than the bound."""
    queue: AgeingQueue[Modelled] = AgeingQueue(limit)
    items: list[Modelled] = []
    entries = {}
    most_overtaken = 0
    for number, (step, argument) in enumerate(steps):
        if step == "push":
            item = Modelled(number, argument, queued_before=len(items))
            items.append(item)
            entries[item] = queue.push(item, argument)
        elif not items:
            continue
        elif step == "pop":
            expected = expected_next(items, limit)
            entry = queue.pop()
            assert entry.value is expected
            assert not entry.queued
            assert expected.overtaken <= limit
            assert expected.waited_for <= expected.queued_before + limit
            take(items, expected)
            most_overtaken = max([most_overtaken, *(item.overtaken for item in items)])
        else:
            item = items.pop(argument % len(items))
            queue.remove(entries[item])
        assert [entry.value for entry in queue] == items
        assert len(queue) == len(items)
        assert queue.most_overtaken == most_overtaken <= limit


@given(STEPS, LIMITS)
def test_in_order_foretells_the_pops(steps, limit):
    """What `in_order` gives at any moment is what the pops give from then on; it changes nothing."""
    queue: AgeingQueue[int] = AgeingQueue(limit)
    entries = []
    for number, (step, argument) in enumerate(steps):
        queued = [entry for entry in entries if entry.queued]
        if step == "push":
            entries.append(queue.push(number, argument))
        elif queued and step == "pop":
            queue.pop()
        elif queued:
            queue.remove(queued[argument % len(queued)])
    foretold = queue.in_order()
    assert queue.in_order() == foretold
    assert [queue.pop() for _ in range(len(queue))] == foretold


def test_a_steady_stream_of_urgent_items_lets_the_others_through():
    """One background item under a queue that always has something urgent goes after the limit."""
    queue: AgeingQueue[str] = AgeingQueue(5)
    queue.push("patient", 0)
    queue.push("urgent", 100)
    taken = []
    while "patient" not in taken:
        queue.push("urgent", 100)
        taken.append(queue.pop().value)
    assert taken == ["urgent"] * 5 + ["patient"]


def test_every_one_of_a_patient_crowd_is_overtaken_the_same_bounded_number_of_times():
    """Many background items under a steady urgent stream: each is overtaken the limit, no more."""
    queue: AgeingQueue[str] = AgeingQueue(3)
    for number in range(10):
        queue.push(f"patient {number}", 0)
    taken = []
    for _ in range(13):
        queue.push("urgent", 100)
        taken.append(queue.pop().value)
    assert taken == ["urgent"] * 3 + [f"patient {number}" for number in range(10)]


def test_the_count_outlives_those_who_are_counted():
    """An item that was overtaken, by one that was itself overtaken, passes nothing on when it goes."""
    queue: AgeingQueue[str] = AgeingQueue(2)
    for priority, value in enumerate("abc"):
        queue.push(value, priority)
    assert [queue.pop().value for _ in range(3)] == ["c", "b", "a"]
    for priority, value in enumerate("xyz"):
        queue.push(value, priority)
    assert [queue.pop().value for _ in range(3)] == ["z", "y", "x"]
    assert queue.most_overtaken == 2


def test_limit_zero_is_first_in_first_out():
    """With limit 0 priorities mean nothing."""
    queue: AgeingQueue[int] = AgeingQueue(0)
    for priority in (1, 9, 5, 9, 0):
        queue.push(priority, priority)
    assert [queue.pop().value for _ in range(5)] == [1, 9, 5, 9, 0]


def test_no_limit_is_strict_priority():
    """With no limit an item is overtaken as often as something urgent comes."""
    queue: AgeingQueue[int] = AgeingQueue(math.inf)
    queue.push(0, 0)
    for _ in range(1000):
        queue.push(1, 1)
        assert queue.pop().value == 1
    assert queue.most_overtaken == 1000


def test_removal_is_not_overtaking():
    """Removing later items, however many, does not bring an older one nearer to its limit."""
    queue: AgeingQueue[int] = AgeingQueue(1)
    queue.push(0, 0)
    for _ in range(5):
        queue.remove(queue.push(9, 9))
    queue.push(9, 9)
    assert queue.most_overtaken == 0
    assert [queue.pop().value for _ in range(2)] == [9, 0]


def test_an_empty_queue_has_nothing_to_pop():
    """Popping from an empty queue is an IndexError, as with any Python container."""
    queue: AgeingQueue[int] = AgeingQueue(1)
    with pytest.raises(IndexError):
        queue.pop()
    queue.remove(queue.push(1, 1))
    with pytest.raises(IndexError):
        queue.pop()
    assert not queue
