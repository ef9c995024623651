"""What an uneven duration costs those that come after it.

Durations are taken as lognormal. A run that overran at second s still holds the browser for an
expected E[max(0, X - s)]: what a run released at that moment waits for. Delay is handed on: runs
that lie between pass it to the next, and only idle time takes it away. So past its own duration a
run's clock is counted in idle seconds.
"""

from __future__ import annotations

from functools import lru_cache
from math import erf, log, sqrt

__all__ = ["overrun"]

_LONGEST = 14_400
"""Seconds after which a run is not followed any more: four hours bound the work."""


def _below(x: float) -> float:
    return 0.5 * (1 + erf(x / sqrt(2)))


@lru_cache(maxsize=8192)
def overrun(duration: int, spread: float, idle: float = 1.0) -> tuple[int, ...]:
    """Expected delay that a run leaves behind, by whole seconds since its start, in milliseconds.

    The first entry is the mean duration itself; the table ends where less than a hundredth of it
    is left, or after four hours. Integers, so that every machine compares them alike.

    Args:
        duration: mean, seconds, >= 1.
        spread: coefficient of variation, >= 0.
        idle: share of the time after the run that is idle, above 0 to 1.
    """
    mean = 1000 * duration
    if spread < 0.01:
        return tuple(range(mean, max(0, mean - 1000 * _LONGEST), -1000))
    sigma = sqrt(log(1 + spread * spread))
    table = [mean]
    for second in range(1, min(_LONGEST, int(6 * duration / idle) + 1)):
        s = second if second <= duration else duration + (second - duration) * idle
        d1 = log(duration / s) / sigma + sigma / 2
        left = round(mean * _below(d1) - 1000 * s * _below(d1 - sigma))
        if left < 10 * duration:
            break
        table.append(left)
    return tuple(table)
