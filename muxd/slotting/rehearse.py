"""Rehearsal: what a timetable is worth when durations vary, played through with fixed dice.

One server takes runs in the order of their release; each run's duration is drawn from its job's
lognormal distribution by stratified sampling, from dice fixed beforehand. So two timetables are
compared under the same luck, and the answer is the same on every machine. Times are in
milliseconds.
"""

from __future__ import annotations

from math import exp, lcm, log, sqrt
from operator import itemgetter
from random import Random
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .demand import Demand
    from .steps import Steps

__all__ = ["Rehearsal"]

_STRATA = 64
_DAY = 86_400


class Rehearsal:
    """Plays timetables of one set of jobs.

    Args:
        demands: the jobs.
        steps: spent by each play.
        events: about how many releases each play goes through.
    """

    def __init__(self, demands: Sequence[Demand], steps: Steps, *, events: int = 12_000) -> None:
        self._steps = steps
        self._intervals = [d.interval for d in demands]
        hyperperiod = lcm(*self._intervals)
        self.window = min(hyperperiod, max(_DAY, min(max(self._intervals), 7 * _DAY)))
        per_window = sum(self.window // t + 1 for t in self._intervals)
        if per_window > 3 * events:
            self.window = max(3_600, self.window * 3 * events // per_window)
            per_window = sum(self.window // t + 1 for t in self._intervals)
        self._rounds = max(1, min(100, round(events / per_window)))
        random = Random(7)
        self._dice: list[list[list[int]]] = []  # [round][job] -> durations, in order of release
        quantiles = [self._quantiles(d.duration, d.spread) for d in demands]
        for _ in range(self._rounds):
            of_round = []
            for values, t in zip(quantiles, self._intervals, strict=True):
                count = self.window // t + 1
                row: list[int] = []
                while len(row) < count:
                    deck = values[:]
                    random.shuffle(deck)
                    row += deck
                of_round.append(row[:count])
            self._dice.append(of_round)
        self._cost = per_window * self._rounds // 10 + per_window // 3
        steps.spend(2 * self._cost)

    @staticmethod
    def _quantiles(duration: int, spread: float) -> list[int]:
        if spread < 0.01:
            return [1000 * duration] * _STRATA
        sigma = sqrt(log(1 + spread * spread))
        normal = NormalDist(-sigma * sigma / 2, sigma)
        raw = [exp(normal.inv_cdf((k + 0.5) / _STRATA)) for k in range(_STRATA)]
        # Strata lose a little of the tail: scale back to the mean.
        scale = 1000 * duration * _STRATA / sum(raw)
        return [round(x * scale) for x in raw]

    def _events(self, starts: Mapping[int, int]) -> list[tuple[int, int, int]]:
        """Sorted (milliseconds since the last release, job, number of its release)."""
        window = self.window
        events = [
            (t, i, k)
            for i, start in starts.items()
            for k, t in enumerate(range(start % self._intervals[i], window, self._intervals[i]))
        ]
        events.sort(key=itemgetter(0))
        return events

    def play(self, starts: Mapping[int, int]) -> float:
        """Mean wait per release in seconds."""
        events = self._events(starts)
        if not events:
            return 0.0
        self._steps.spend(self._cost)
        total = 0
        backlog = 0
        wrap = 1000 * (events[0][0] + self.window - events[-1][0])
        steps = []
        last = events[0][0]
        for t, i, k in events:
            steps.append((1000 * (t - last), i, k))
            last = t
        for dice in self._dice:
            for idle, i, k in steps:
                backlog -= idle
                if backlog > 0:
                    total += backlog
                    backlog += dice[i][k]
                else:
                    backlog = dice[i][k]
            backlog -= wrap
        return total / 1000 / (len(events) * self._rounds)

    def blame(self, starts: Mapping[int, int]) -> dict[int, int]:
        """{job: wait that it suffers, or that the run after it suffers}, in milliseconds."""
        events = self._events(starts)
        self._steps.spend(2 * self._cost)
        found = dict.fromkeys(starts, 0)
        for dice in self._dice:
            backlog = 0
            last = events[0][0]
            previous = events[0][1]
            for t, i, k in events:
                backlog = max(0, backlog - 1000 * (t - last))
                found[i] += backlog
                found[previous] += backlog
                backlog += dice[i][k]
                last, previous = t, i
        return found
