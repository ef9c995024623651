"""What a run left behind: its kinds, how it is told, and what of it is grave."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GRAVE", "Left", "grave", "in_words"]

Left = Counter[str]
"""How many of each kind, by its name in the singular: ``Left({"page": 3, "process": 1})``."""

GRAVE = {
    "process": 1,
    "browser": 1,
    "thread": 1,
    "task that ignores its end": 1,
    "file handle": 17,
    "page": 51,
}
"""From how many on it is harm: it costs others, or can't be taken away. A popup or a listener is
closed in no time, and is only told."""


def grave(left: Mapping[str, int]) -> Left:
    """What of it is harm."""
    return Left(
        {kind: count for kind, count in left.items() if count >= GRAVE.get(kind, sys.maxsize)}
    )


def in_words(left: Mapping[str, int]) -> str | None:
    """``1 process, 3 pages``, in the order of `GRAVE`; None if nothing was left."""
    if not left:
        return None
    order = list(GRAVE)
    kinds = sorted(
        (kind for kind, count in left.items() if count > 0),
        key=lambda kind: (order.index(kind) if kind in GRAVE else len(order), kind),
    )
    return ", ".join(_counted(left[kind], kind) for kind in kinds) or None


def _counted(count: int, kind: str) -> str:
    if count == 1:
        return f"1 {kind}"
    if kind == "task that ignores its end":
        return f"{count} tasks that ignore their end"
    return f"{count} {kind}{'es' if kind.endswith('s') else 's'}"
