"""What a job's last durations say about the next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from muxd.abc import Learned

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NEWEST", "learned_from"]

NEWEST = 50
"""How many of a job's last good runs are learned from."""


def learned_from(durations: Sequence[float]) -> Learned:
    """Nearest-rank percentiles of `durations` (seconds, at least one).

    One outlier doesn't count: where there are three or more, the longest is set aside if it took
    more than twice as long as the next. (From 20 runs on a 95th percentile has no eye for one
    outlier anyway; with fewer it would be that outlier, and one page that hung on the first day
    would reserve the browser for minutes.)
    """
    ordered = sorted(durations)
    counted = ordered
    if len(ordered) >= 3 and ordered[-1] > 2 * ordered[-2]:
        counted = ordered[:-1]
    return Learned(runs=len(ordered), p50=_percentile(counted, 50), p95=_percentile(counted, 95))


def _percentile(ordered: Sequence[float], percent: int) -> float:
    # In whole numbers: 0.95 * 20 is a hair more than 19 in floating point, and would round up.
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]
