"""Lines and bars of the small charts, in a square of 100 by 100."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["nice", "path"]

POINTS = 400


def nice(most: float) -> float:
    """A round number that is not below this."""
    size = 1.0
    while size < most:
        for factor in (1, 2, 5):
            if size * factor >= most:
                return size * factor
        size *= 10
    return size


def path(points: Sequence[tuple[float, float]], start: float, end: float, most: float) -> str:
    """An SVG path through (instant, value); where a value is 0 the line is broken."""
    found: list[str] = []
    down = False
    for at, value in _thinned(points):
        x = 100 * (at - start) / max(end - start, 1e-9)
        if value <= 0:
            down = False
            continue
        found.append(f"{'L' if down else 'M'}{x:.2f} {100 - 100 * value / most:.2f}")
        if not down:
            found.append("h0.01")  # a single reading is a dot
        down = True
    return "".join(found)


def _thinned(points: Sequence[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    step = max(1, len(points) // POINTS)
    return [point for n, point in enumerate(points) if n % step == 0 or point[1] <= 0]
