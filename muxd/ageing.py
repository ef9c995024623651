"""The order of the priority channel: highest priority first, but nobody waits for ever.

The rule
--------
Items are numbered as they arrive. The next one out is the highest priority's oldest item, unless
the oldest item of all has been *overtaken* `overtakes` times: then it is that one. To be overtaken
is to be still queued when a later arrival is taken.

The bound
---------
No item is overtaken more than `overtakes` times, whatever arrives later. So an item waits for at
most the items that were queued when it arrived, plus `overtakes` later ones.

Proof. Whenever an item is taken, every older queued item is overtaken once, and no other. Hence of
two queued items the older has been overtaken at least as often: every taking that overtook the
younger overtook the older too. So while the oldest item is below the limit, all are, and one
taking raises each by at most one, to the limit at most. Once the oldest has reached the limit, it
is what is taken, which overtakes nobody; this goes on until the oldest is below the limit again.

It is what the literature on mutual exclusion calls bounded bypass, or bounded overtaking, put over
a strict-priority queue. Unlike ageing by elapsed time, and unlike ranks that grow with the number
of arrivals (sequence number less weight times priority), it needs no clock, no weights and no range
of priorities, and it leaves the order alone until a limit is hit.

The count
---------
Only the oldest item's count is ever asked for, and it is the number of taken items that arrived
after it. Each item in the list of arrivals carries the number of those that stood directly behind
it, up to the next item still queued (`passed`). Taking an item hands its own number plus one to
its elder neighbour. The oldest item's count is the sum of all these numbers, kept as one integer:
memory is proportional to the items queued, whatever the limit.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


@attrs.define(eq=False)
class Entry(Generic[T]):
    """One queued item, and its place in the order of arrival."""

    value: T
    """What was put in."""
    priority: int
    """Higher goes first."""
    queued: bool = True
    """False from the moment that it was taken or removed."""
    passed: int = 0
    """How many taken items arrived after this one and before the next one still queued."""
    older: Entry[T] | None = attrs.field(default=None, repr=False)
    """The last item to arrive before this one that is still queued."""
    newer: Entry[T] | None = attrs.field(default=None, repr=False)
    """The first item to arrive after this one that is still queued."""


@attrs.define(eq=False)
class AgeingQueue(Generic[T]):
    """A priority queue in which no item is overtaken more than `overtakes` times.

    Every operation but `in_order` costs at most a binary search over the distinct priorities that
    are queued, and an insertion into the list of these. It is a plain data structure: it calls no
    foreign code and waits for nothing.
    """

    overtakes: int | float
    """How often an item may be overtaken: an int >= 0, or `math.inf` for strict priority.
    0 is first in, first out."""
    most_overtaken: int = 0
    """The most often that any item was overtaken so far; never above `overtakes`."""

    # {priority: its entries, oldest first}; no lane is empty
    _lanes: dict[int, OrderedDict[Entry[T], None]] = attrs.field(factory=dict, repr=False)
    # The keys of _lanes, ascending.
    _priorities: list[int] = attrs.field(factory=list, repr=False)
    _oldest: Entry[T] | None = attrs.field(default=None, repr=False)
    _newest: Entry[T] | None = attrs.field(default=None, repr=False)
    _length: int = 0
    # How often _oldest was overtaken: the sum of `passed` over all entries.
    _overtaken: int = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Entry[T]]:
        """Go through what is queued in the order of arrival."""
        entry = self._oldest
        while entry is not None:
            yield entry
            entry = entry.newer

    def push(self, value: T, priority: int) -> Entry[T]:
        """Queue a value as the newest arrival, and return its entry."""
        entry = Entry(value, priority, older=self._newest)
        if self._newest is None:
            self._oldest = entry
        else:
            self._newest.newer = entry
        self._newest = entry
        self._length += 1
        lane = self._lanes.get(priority)
        if lane is None:
            lane = self._lanes[priority] = OrderedDict()
            insort(self._priorities, priority)
        lane[entry] = None
        return entry

    def pop(self) -> Entry[T]:
        """Take out the next entry. IndexError if there is none."""
        if self._oldest is None:
            raise IndexError("pop from an empty queue")
        if self._overtaken >= self.overtakes:
            entry = self._oldest
        else:
            entry = next(iter(self._lanes[self._priorities[-1]]))
        self._unlink(entry, taken=1)
        self.most_overtaken = max(self.most_overtaken, self._overtaken)
        return entry

    def remove(self, entry: Entry[T]) -> None:
        """Take out an entry that is queued here, wherever it is. It overtakes nobody."""
        self._unlink(entry, taken=0)

    def in_order(self) -> list[Entry[T]]:
        """Return the entries in the order `pop` would give them if nothing else arrived."""
        rehearsal: AgeingQueue[Entry[T]] = AgeingQueue(self.overtakes)
        for entry in self:
            rehearsal.push(entry, entry.priority).passed = entry.passed
        rehearsal._overtaken = self._overtaken
        return [rehearsal.pop().value for _ in range(len(self))]

    def _unlink(self, entry: Entry[T], *, taken: int) -> None:
        older, newer = entry.older, entry.newer
        if older is None:
            self._oldest = newer
            # Those directly behind it had overtaken this one and nobody else that is queued.
            self._overtaken -= entry.passed
        else:
            older.newer = newer
            older.passed += entry.passed + taken
            self._overtaken += taken
        if newer is None:
            self._newest = older
        else:
            newer.older = older
        entry.older = entry.newer = None
        entry.queued = False
        self._length -= 1
        lane = self._lanes[entry.priority]
        del lane[entry]
        if not lane:
            del self._lanes[entry.priority]
            del self._priorities[bisect_left(self._priorities, entry.priority)]
