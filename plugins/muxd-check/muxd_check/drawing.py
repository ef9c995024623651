"""Small pictures in SVG: a line of values, and a strip of days. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["sparkline", "strip"]

WIDTH, HEIGHT = 160, 28
"""Of a line, pixels."""
_BAR, _GAP = 8, 2


def sparkline(values: Sequence[float], *, limit: float | None, label: str) -> str:
    """A line of values, from 0 up, with a dashed one where the limit is. Empty: there are too few.

    Args:
      values: oldest first.
      limit: of the budget; None: none.
      label: what it shows, for who can't see it.
    """
    if len(values) < 2:
        return ""
    top = max([*values, limit or 0.0]) or 1.0
    step = WIDTH / (len(values) - 1)

    def y(value: float) -> float:
        return round(HEIGHT - 2 - value / top * (HEIGHT - 4), 1)

    points = " ".join(f"{round(n * step, 1)},{y(value)}" for n, value in enumerate(values))
    line = ""
    if limit is not None:
        line = f'<path class="tick" stroke-dasharray="3 3" d="M0 {y(limit)}H{WIDTH}"/>'
    return (
        f'<svg class="line" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{escape(label)}">{line}'
        f'<polyline class="curve" points="{points}"/></svg>'
    )


def strip(bars: Sequence[tuple[int, int]], *, label: str) -> str:
    """A bar for each part of a time: good, all bad, some bad (half as high), or nothing known.

    Args:
      bars: how many runs there were, and how many good ones, oldest first.
      label: what it shows, for who can't see it.
    """
    width = max(1, len(bars) * (_BAR + _GAP) - _GAP)
    drawn = []
    for number, (runs, good) in enumerate(bars):
        x = number * (_BAR + _GAP)
        kind = "o-ok" if runs and good == runs else "o-failed" if runs else "unknown"
        height = HEIGHT
        title = "not checked" if not runs else f"{good} of {runs} good"
        if runs and 0 < good < runs:  # the bad share, of which something is always to be seen
            height = max(6, round(HEIGHT * (runs - good) / runs))
            drawn.append(f'<rect class="o-ok" x="{x}" width="{_BAR}" height="{HEIGHT}" rx="1"/>')
        drawn.append(
            f'<rect class="{kind}" x="{x}" y="{HEIGHT - height}" width="{_BAR}" '
            f'height="{height}" rx="1"><title>{title}</title></rect>'
        )
    return (
        f'<svg class="days" width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f"{''.join(drawn)}</svg>"
    )
