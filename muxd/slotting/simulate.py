"""What a timetable does to its runs: one server, one run at a time, most important first.

A discrete-event simulation that shares nothing with the solver. It knows any set of phases, those
of other schedulers too, which is what comparisons are made with.
"""

from __future__ import annotations

import heapq
from math import exp, lcm, log, sqrt
from random import Random
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .demand import Demand

__all__ = ["Waiting", "peak_starts", "simulate"]

_DAY = 86_400


@attrs.frozen(kw_only=True)
class Waiting:
    """How long runs waited for the server."""

    runs: int
    """Runs that were looked at."""
    waited: float
    """Share of runs that did not start at their release, 0 to 1."""
    mean: float
    """Mean wait of all runs, seconds."""
    p95: float
    """Wait that 95 % of the runs do not exceed, seconds."""
    worst: float
    """Longest wait, seconds."""
    missed: int
    """Releases that found the run before still waiting or under way."""
    peak: int
    """Most releases at one instant."""


def simulate(
    demands: Sequence[Demand],
    phases: Mapping[str, int],
    *,
    noise: float | None = 0.0,
    seed: int = 0,
    horizon: int = 7 * _DAY,
) -> Waiting:
    """Play the timetable over a hyperperiod, at most ``horizon`` seconds, once it has settled.

    Args:
        demands: the jobs.
        phases: a phase for each name, seconds.
        noise: coefficient of variation of lognormal durations; None: each job's own spread.
        seed: of the durations.
        horizon: seconds, >= 1.
    """
    random = Random(seed)
    hyperperiod = lcm(*(d.interval for d in demands)) if demands else 1
    settle, window = min(hyperperiod, _DAY), min(hyperperiod, horizon)
    end = settle + window
    events = sorted(
        (t, i)
        for i, d in enumerate(demands)
        for t in range(phases[d.name] % d.interval, end, d.interval)
    )
    sigmas = [sqrt(log(1 + (d.spread if noise is None else noise) ** 2)) for d in demands]
    queue: list[tuple[int, int, int]] = []  # (-priority, release, job)
    pending: set[int] = set()
    waits: list[float] = []
    free_at = 0.0
    running: int | None = None
    missed = 0
    k = 0
    while k < len(events) or queue:
        # Whatever comes first: the end of the run under way, or the next release.
        next_release = events[k][0] if k < len(events) else float("inf")
        if running is not None and free_at <= next_release:
            pending.discard(running)
            running = None
            now = free_at
        elif queue and running is None:
            now = free_at
        else:
            now = next_release
        while k < len(events) and events[k][0] <= now:
            release, job = events[k]
            k += 1
            if job in pending:
                missed += release >= settle
            else:
                pending.add(job)
                heapq.heappush(queue, (-demands[job].priority, release, job))
        if running is None and queue:
            _, release, running = heapq.heappop(queue)
            if release >= settle:
                waits.append(now - release)
            duration: float = demands[running].duration
            if sigmas[running]:
                duration *= exp(random.gauss(-(sigmas[running] ** 2) / 2, sigmas[running]))
            free_at = now + duration
    waits.sort()
    count = len(waits)
    return Waiting(
        runs=count,
        waited=sum(w > 1e-9 for w in waits) / max(1, count),
        mean=sum(waits) / max(1, count),
        p95=waits[min(count - 1, int(0.95 * count))] if waits else 0.0,
        worst=waits[-1] if waits else 0.0,
        missed=missed,
        peak=_most_equal([t for t, _ in events]),
    )


def peak_starts(demands: Sequence[Demand], phases: Mapping[str, int]) -> int:
    """Most releases at one instant within the first seven days."""
    return _most_equal(
        sorted(
            t
            for d in demands
            for t in range(phases[d.name] % d.interval, min(7 * _DAY, _span(demands)), d.interval)
        )
    )


def _span(demands: Sequence[Demand]) -> int:
    return lcm(*(d.interval for d in demands)) if demands else 1


def _most_equal(instants: Sequence[int]) -> int:
    most = count = 0
    last: int | None = None
    for t in instants:
        count = count + 1 if t == last else 1
        last = t
        most = max(most, count)
    return most
