"""Which few to take away so that no pair is left."""

from __future__ import annotations

from collections import defaultdict
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["cover"]


def cover(pairs: Iterable[tuple[int, int]], rank: Callable[[int, int], Any | None]) -> set[int]:
    """Members of the pairs, so that each pair has one of them: the first by rank, again and again.

    It costs about as many steps as there are pairs.

    Args:
        pairs: each of two different numbers.
        rank: the rank of a number that is in so many pairs still, 1 or more; the least is taken.
            It must not fall as these become fewer. None: it is not to be taken.
    """
    partners: dict[int, set[int]] = defaultdict(set)
    for a, b in pairs:
        partners[a].add(b)
        partners[b].add(a)
    found: set[int] = set()
    heap = [(rank(i, len(partners[i])), i) for i in partners]
    heap = [(key, i) for key, i in heap if key is not None]
    heapify(heap)
    while heap:
        key, i = heappop(heap)
        left = len(partners[i])
        if not left:
            continue
        now = rank(i, left)
        if now != key:
            heappush(heap, (now, i))
            continue
        found.add(i)
        for other in partners.pop(i):
            partners[other].discard(i)
    return found
