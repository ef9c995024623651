"""All slots together, what is proved about them, and the questions a scheduler asks."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from functools import cached_property
from math import ceil, inf, lcm
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

    @cached_property
    def _classes(self) -> list[_Class]:
        """The slots by their intervals, each class in the order of its releases."""
        found: dict[int, list[tuple[int, int, int]]] = {}
        for i, slot in enumerate(self.slots):
            found.setdefault(slot.interval, []).append((slot.phase, -slot.priority, i))
        return [_Class(interval, sorted(rows)) for interval, rows in found.items()]

    @cached_property
    def _longest(self) -> int:
        return max((slot.duration for slot in self.slots), default=0)

    def releases(self, start: int, stop: float) -> Iterator[tuple[int, Slot]]:
        """All releases with start <= instant < stop, in order of time.

        Releases of one instant come highest priority first, then in the order of the slots. With n
        slots of k intervals, the first costs about k * log(n) steps, each further one log(k).
        """
        heap = [(*one.at_or_after(start), number) for number, one in enumerate(self._classes)]
        heapq.heapify(heap)
        while heap and heap[0][0] < stop:
            instant, _rank, i, lap, row, number = heap[0]
            yield instant, self.slots[i]
            heapq.heapreplace(heap, (*self._classes[number].after(lap, row), number))

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
        free_from = begin
        # What was released before may still run.
        for release, slot in self.releases(begin - self._longest - margin, inf):
            if release >= free_from + length + margin or free_from > last:
                break
            if slot.name != ignore:
                free_from = max(free_from, release + slot.duration + margin)
        return free_from if free_from <= last else None


@attrs.frozen
class _Class:
    """The slots of one interval."""

    interval: int
    rows: list[tuple[int, int, int]]
    """(phase, rank among releases of one instant, number of the slot), ascending."""

    def at_or_after(self, instant: int) -> tuple[int, int, int, int, int]:
        """The first release at or after an instant; see `_release`."""
        lap, phase = divmod(instant, self.interval)
        row = bisect_left(self.rows, (phase,))
        return self._release(lap, row) if row < len(self.rows) else self._release(lap + 1, 0)

    def after(self, lap: int, row: int) -> tuple[int, int, int, int, int]:
        """The release after one that `_release` gave."""
        return (
            self._release(lap, row + 1) if row + 1 < len(self.rows) else self._release(lap + 1, 0)
        )

    def _release(self, lap: int, row: int) -> tuple[int, int, int, int, int]:
        """(instant, rank, number of the slot, and where that is: lap, row)."""
        phase, rank, i = self.rows[row]
        return lap * self.interval + phase, rank, i, lap, row
