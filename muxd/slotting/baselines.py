"""How others choose phases: what a solved timetable is compared with."""

from __future__ import annotations

from hashlib import md5
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .demand import Demand

__all__ = ["BASELINES", "all_at_zero", "hashed", "jittered", "random_delay", "uniform"]


def all_at_zero(demands: Sequence[Demand]) -> dict[str, int]:
    """``setInterval`` and cron with ``*/n``: everything from the start."""
    return {d.name: 0 for d in demands}


def jittered(demands: Sequence[Demand]) -> dict[str, int]:
    """From the start, with a jitter of up to thirty seconds."""
    random = Random(1)
    return {d.name: random.randrange(min(31, d.interval)) for d in demands}


def random_delay(demands: Sequence[Demand]) -> dict[str, int]:
    """systemd's RandomizedDelaySec over the whole interval, with FixedRandomDelay."""
    random = Random(2)
    return {d.name: random.randrange(d.interval) for d in demands}


def hashed(demands: Sequence[Demand]) -> dict[str, int]:
    """Jenkins' ``H``: the name's hash, in whole minutes."""
    found = {}
    for d in demands:
        digest = int.from_bytes(md5(d.name.encode(), usedforsecurity=False).digest())
        found[d.name] = digest % max(1, d.interval // 60) * 60 % d.interval
    return found


def uniform(demands: Sequence[Demand]) -> dict[str, int]:
    """Evenly over each interval: the i-th of n jobs at i / n of it."""
    return {d.name: i * d.interval // len(demands) for i, d in enumerate(demands)}


BASELINES: Mapping[str, Callable[[Sequence[Demand]], dict[str, int]]] = {
    "setInterval, cron": all_at_zero,
    "start + 30 s jitter": jittered,
    "systemd, fixed random delay": random_delay,
    "Jenkins H": hashed,
    "uniform i * T / n": uniform,
}
"""Names for people, and how each makes {name: phase in seconds}."""
