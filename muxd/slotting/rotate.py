"""Turning a whole timetable: it moves every phase by as much, and no gap at all."""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .relax import Wishes
    from .steps import Steps

__all__ = ["turned"]

_WINDOW = 86_400
_MOST = 400


def turned(starts: Mapping[int, int], wishes: Wishes, steps: Steps) -> dict[int, int]:
    """The starts turned by the angle at which the wishes are met best; only if nothing is pinned.

    Looked for among the angles at which some wish is met exactly.
    """
    wishing = [i for i in starts if wishes.wish(i) is not None]
    if not wishing or any(wishes.demands[i].pinned for i in starts):
        return dict(starts)
    periods = wishes.periods
    window = min(_WINDOW, lcm(*(periods[i] for i in wishing)))
    angles = {0}
    for i in wishing:
        wish = wishes.wish(i) or 0
        angles.update(range((wish - starts[i]) % periods[i], window, periods[i]))
    some = sorted(angles)
    some = some[:: -(-len(some) // _MOST)]
    steps.spend(len(some) * len(wishing) // 2)

    def cost(angle: int) -> int:
        return sum(wishes.cost(i, (starts[i] + angle) % periods[i]) for i in wishing)

    best = min(some, key=lambda angle: (cost(angle), angle))
    return {i: (start + best) % periods[i] for i, start in starts.items()}
