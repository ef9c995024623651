"""What a job's last durations say about the next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Learned"]

ENOUGH_FOR_SPREAD, ENOUGH_FOR_DRIFT = 5, 12
"""How many runs must be known before their spread, and their drift, mean anything."""
OUTLIER = 2.0
"""The longest run is set aside if it took more than so many times as long as the next."""
_MAD_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@attrs.frozen(kw_only=True)
class Learned:
    """What is known of a job's durations, from its last good runs, 50 at most."""

    NEWEST: ClassVar[int] = 50
    """How many of a job's last good runs are learned from, at most."""

    runs: int
    """How many runs it is learned from, 1 or more."""
    p50: float
    """Median duration, seconds."""
    p95: float
    """95th percentile, seconds: what the timetable reserves."""
    spread: float | None = None
    """Coefficient of variation (standard deviation / mean), 0 or more; None with too few runs."""
    drift: float | None = None
    """How much longer the newest quarter of the runs took than the others, as a share of their
    median: 0.5 is half as long again, -0.5 half as long. None with too few runs."""

    @classmethod
    def of(cls, durations: Sequence[float]) -> Self:
        """From durations in seconds, the newest first, one or more.

        Percentiles are nearest-rank. One outlier doesn't count: where there are three or more,
        the longest is set aside if it took more than twice as long as the next. (From 20 runs on
        a 95th percentile has no eye for one outlier anyway; with fewer it would be that outlier,
        and one page that hung on the first day would reserve the browser for minutes.) The spread
        is taken from the median absolute deviation, which no few outliers move; the drift from
        medians.
        """
        ordered = sorted(durations)
        counted = ordered
        if len(ordered) >= 3 and ordered[-1] > OUTLIER * ordered[-2]:
            counted = ordered[:-1]
        return cls(
            runs=len(ordered),
            p50=_percentile(counted, 50),
            p95=_percentile(counted, 95),
            spread=_spread(counted),
            drift=_drift(durations),
        )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    # In whole numbers: 0.95 * 20 is a hair more than 19 in floating point, and would round up.
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]


def _spread(ordered: Sequence[float]) -> float | None:
    if len(ordered) < ENOUGH_FOR_SPREAD:
        return None
    middle = _percentile(ordered, 50)
    if middle <= 0:
        return 0.0
    deviation = _percentile(sorted(abs(value - middle) for value in ordered), 50)
    return _MAD_TO_SIGMA * deviation / middle


def _drift(newest_first: Sequence[float]) -> float | None:
    if len(newest_first) < ENOUGH_FOR_DRIFT:
        return None
    quarter = len(newest_first) // 4
    before = _percentile(sorted(newest_first[quarter:]), 50)
    if before <= 0:
        return 0.0
    return _percentile(sorted(newest_first[:quarter]), 50) / before - 1
