"""All slots together, what is proved about them, and the questions a scheduler asks."""

from __future__ import annotations

import heapq
from functools import cached_property
from math import ceil, lcm
from typing import TYPE_CHECKING

import attrs

from .rule import Certificate, certify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .slot import Slot

__all__ = ["Timetable"]

_DEFAULT_HORIZON = 7 * 86_400


@attrs.frozen(kw_only=True, slots=False)
class Timetable:
    """Slots on one common clock: integer seconds since one epoch, for ever in both directions."""

    slots: tuple[Slot, ...]
    """In the order in which they were asked for; names are unique."""
    warnings: tuple[str, ...] = ()
    """What the operator should know, in plain words, most important first."""
    moved: tuple[str, ...] = ()
    """Names of slots that were in force and had to be moved."""

    @cached_property
    def certificate(self) -> Certificate:
        """The pair rule, checked for all pairs by code that shares nothing with the solver."""
        return certify(self.slots)

    @property
    def feasible(self) -> bool:
        """No two runs ever overlap while durations hold, and all pins are kept."""
        return self.certificate.valid

    @property
    def min_gap(self) -> int:
        """The least idle time between two runs, seconds; negative where runs overlap."""
        return self.certificate.min_gap

    @property
    def collisions(self) -> tuple[tuple[str, str], ...]:
        """Names of the pairs of slots whose runs overlap at some time."""
        return self.certificate.collisions

    @cached_property
    def utilisation(self) -> float:
        """Share of all time that is reserved: the sum of duration / interval. May exceed 1."""
        return sum(slot.duration / slot.interval for slot in self.slots)

    @cached_property
    def hyperperiod(self) -> int:
        """Seconds after which the whole timetable repeats, >= 1. Can be astronomically large."""
        return lcm(*(slot.interval for slot in self.slots))

    @cached_property
    def phases(self) -> dict[str, int]:
        """Each slot's phase by name, in seconds."""
        return {slot.name: slot.phase for slot in self.slots}

    @cached_property
    def _by_name(self) -> dict[str, Slot]:
        return {slot.name: slot for slot in self.slots}

    def slot(self, name: str) -> Slot:
        """The slot of one job. KeyError if there is none."""
        return self._by_name[name]

    def releases(self, start: int, stop: int) -> Iterator[tuple[int, Slot]]:
        """All releases with start <= instant < stop, in order of time.

        Releases of one instant come highest priority first, then in the order of the slots.
        """
        heap = [(s.at_or_after(start), -s.priority, i) for i, s in enumerate(self.slots)]
        heapq.heapify(heap)
        while heap and heap[0][0] < stop:
            instant, rank, i = heap[0]
            slot = self.slots[i]
            yield instant, slot
            heapq.heapreplace(heap, (instant + slot.interval, rank, i))

    def next_release(self, name: str, after: float) -> int:
        """The first release of one job at or after ``after``. KeyError if there is no such job."""
        return self._by_name[name].at_or_after(ceil(after))

    def next_free(
        self,
        after: float,
        length: int,
        *,
        horizon: int = _DEFAULT_HORIZON,
        margin: int = 0,
        ignore: str | None = None,
    ) -> int | None:
        """The first instant at or after ``after`` with ``length`` seconds outside every slot.

        Args:
            after: seconds since the epoch.
            length: seconds needed, >= 1.
            horizon: how far to look, seconds; the instant found is at most ``after + horizon``.
            margin: idle seconds wanted on either side as well, >= 0.
            ignore: a job whose own slot does not count (it is the one that needs the time).

        Returns:
            The instant, or None if no such hole begins within the horizon.
        """
        begin = ceil(after)
        last = begin + horizon
        need = length + margin
        free_from = begin
        heap: list[tuple[int, int]] = []
        for i, slot in enumerate(self.slots):
            if slot.name == ignore:
                continue
            previous = slot.before(begin)
            free_from = max(free_from, previous + slot.duration + margin)
            heap.append((previous + slot.interval, i))
        heapq.heapify(heap)
        while heap and free_from <= last:
            release, i = heap[0]
            if release >= free_from + need:
                break
            slot = self.slots[i]
            free_from = max(free_from, release + slot.duration + margin)
            heapq.heapreplace(heap, (release + slot.interval, i))
        return free_from if free_from <= last else None
