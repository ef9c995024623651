"""How long a run can take from its release to its end: a bound for each job that always holds.

The server is serial, non-preemptive and takes the most important run that waits. For such servers
response times are bounded by a fixed point over the work that can go first: the rest of one less
important run that is under way, and every run as important or more (George, Rivierre & Spuri 1996;
Davis, Burns, Bril & Lukkien 2007). Here the phases are known, so only those runs count that can be
there at all: seen from a release of one job, those of another come at distances
``(phase_j - phase_i) mod g`` plus multiples of g, the greatest common divisor of the intervals, and
no others.

Whatever the order is, a run has ended when the server is idle next. So the longest time that the
server can be busy, from a release that found it idle, bounds the responses too; which of the two is
less depends on how much collides.

The first holds for runs as late as they may be, because all bounds are one fixed point: take the first
instant at which any run would break its bound. Until then all others have kept theirs, so what ran
before it was released less than its own bound ago, and is counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from itertools import accumulate
from math import gcd, inf
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .demand import Demand
    from .slot import Slot

__all__ = ["response_bounds", "uneven"]

_FOLLOWED = 30 * 86_400
"""A bound beyond this many seconds is none."""
_ROUNDS = 60
"""How often one job's bound may grow: what creeps for longer is called unbounded, which is safe."""
_STEPS = 300
"""How often a wait may be found too short for those who come during it; the same holds."""
_TWENTIETH = 1.65
"""Standard deviations that one value in twenty is above."""


def uneven(demand: Demand) -> int:
    """Seconds that a long run takes, such as one in twenty does with the job's spread."""
    return round(demand.duration * (1 + _TWENTIETH * demand.spread))


def response_bounds(
    slots: Sequence[Slot],
    durations: Sequence[int] | None = None,
    *,
    overtakes: float = inf,
) -> list[int | None]:
    """For each slot, the longest that a run of it can take from its release to its end.

    One run of a job is there at a time: a release that finds the run before waiting or under way
    has no run, and no response. Runs may be shorter than said, never longer. What a daemon does
    beside its timetable (retries, manual runs, a browser that has to be launched) isn't in it.

    Args:
        slots: the timetable.
        durations: the longest run of each slot, seconds, >= 1; by default what it reserves.
        overtakes: how often a run that waits may be overtaken by later ones; infinite for an order
            that is by priority alone.

    Returns:
        Seconds; None where there is no bound: more important runs may never leave it any time.
        Where nothing collides the bound is the duration.
    """
    took = [slot.duration for slot in slots] if durations is None else list(durations)
    caps = _until_idle(slots, took)
    bounds: list[float] = list(took)
    grown = [0] * len(slots)
    waiting = deque(range(len(slots)))
    queued = set(waiting)
    while waiting:
        i = waiting.popleft()
        queued.discard(i)
        if bounds[i] >= caps[i]:
            continue
        bound = min(caps[i], took[i] + _wait(i, slots, took, bounds, overtakes))
        if bound <= bounds[i]:
            continue
        grown[i] += 1
        if bound > _FOLLOWED or grown[i] > _ROUNDS:
            bound = caps[i]
        bounds[i] = bound
        for j, other in enumerate(slots):
            # Who can find a run of i there at its own release has to be looked at again.
            if j != i and j not in queued:
                g = gcd(slots[i].interval, other.interval)
                if bound > (other.phase - slots[i].phase) % g:
                    queued.add(j)
                    waiting.append(j)
    return [None if bound == inf else int(bound) for bound in bounds]


def _until_idle(slots: Sequence[Slot], took: Sequence[int]) -> list[float]:
    """For each slot, the longest from a release of it to the next moment that the server is idle.

    The server becomes busy with the release of some slot k, with nothing left from before. From
    then on those of another come at its distances from k. Those of one interval are taken
    together, as they keep their distances from each other (offsets, as in Tindell 1994).
    """
    laps: dict[int, list[int]] = defaultdict(list)
    for i, slot in enumerate(slots):
        laps[slot.interval].append(i)
    classes = [_Lap.of(interval, slots, took, members) for interval, members in laps.items()]
    longest: list[float] = list(took)
    for k, opener in enumerate(slots):
        starts = [lap.starts(opener) for lap in classes]
        busy = took[k]
        for _ in range(_STEPS):
            work = sum(lap.work(s, busy) for lap, s in zip(classes, starts, strict=True))
            if work <= busy or busy > _FOLLOWED:
                break
            busy = work
        end = busy if work <= busy <= _FOLLOWED else inf
        for j, other in enumerate(slots):
            first = (other.phase - opener.phase) % gcd(opener.interval, other.interval)
            if j == k:
                first = 0
            if first < end:
                longest[j] = max(longest[j], end - first)
    return longest


@attrs.frozen
class _Lap:
    """The slots of one interval, on two laps of its circle."""

    interval: int
    phases: list[int]
    """Ascending, those of the second lap behind those of the first."""
    sums: list[int]
    """Durations of all before each of `phases`, seconds; one more than these."""

    @classmethod
    def of(
        cls, interval: int, slots: Sequence[Slot], took: Sequence[int], members: Sequence[int]
    ) -> _Lap:
        """The lap of these slots, all of this interval."""
        ordered = sorted((slots[i].phase, took[i]) for i in members)
        twice = [*ordered, *((phase + interval, duration) for phase, duration in ordered)]
        sums = [0, *accumulate(duration for _, duration in twice)]
        return cls(interval, [phase for phase, _ in twice], sums)

    def starts(self, opener: Slot) -> list[int]:
        """Where on the lap a release of another slot can be: the last places before each phase.

        At any other place nothing of the lap would come for so long that the next place, a divisor
        later, has all that this one has, and more.
        """
        g = gcd(opener.interval, self.interval)
        half = self.phases[: len(self.phases) // 2]
        return list({(p - (p - opener.phase) % g) % self.interval for p in half})

    def work(self, starts: Sequence[int], length: int) -> int:
        """The most seconds of work that can come in so many seconds from one of these places."""
        rounds, rest = divmod(length, self.interval)
        all_of_it = self.sums[len(self.phases) // 2]
        phases, sums = self.phases, self.sums
        most = max(
            sums[bisect_left(phases, start + rest)] - sums[bisect_left(phases, start)]
            for start in starts
        )
        return rounds * all_of_it + most


def _wait(
    i: int,
    slots: Sequence[Slot],
    took: Sequence[int],
    bounds: Sequence[float],
    overtakes: float,
) -> float:
    """The longest wait of a run of slot i while all others keep these bounds."""
    own = slots[i]
    strict = overtakes == inf
    blocking = earlier = 0.0
    # (first later release, divisor, interval, what of an earlier run is left, latest that an
    # earlier one can have been released, duration)
    rivals: list[tuple[int, int, int, float, float, int]] = []
    for j, other in enumerate(slots):
        if j == i:
            continue
        g = gcd(own.interval, other.interval)
        x = (other.phase - own.phase) % g
        since = -x % g  # the least that a run of j can have been there when i is released
        left = min(float(took[j]), max(0.0, bounds[j] - since))
        if other.priority > own.priority:
            bound = bounds[j]
            oldest = -bound if bound == inf else -bound + 1 + (x + bound - 1) % g
            rivals.append((x or g, g, other.interval, left, oldest, took[j]))
        elif other.priority == own.priority or not strict:
            earlier += left
        else:
            blocking = max(blocking, left)
    longest = max((rival[-1] for rival in rivals), default=0)
    wait = max(bounds[i] - took[i], blocking + earlier)
    for _ in range(_STEPS):
        before = later = 0.0
        for first, g, interval, left, oldest, duration in rivals:
            work = 0.0
            if first <= wait:
                newest = first + (wait - first) // g * g
                work = (1 + (newest - first) // interval) * duration
                if left and strict:
                    # An earlier run and so many later ones may be more than there are.
                    runs = 1 + (newest - oldest) // interval if oldest > -inf else inf
                    left = min(left, runs * duration - work)
            before += left
            later += work
        if not strict:
            later = min(later, overtakes * longest)
        total = blocking + earlier + before + later
        if total <= wait:
            return wait
        wait = total
    return inf
