"""What `flat.py` saw, as a picture: memory and time over the runs."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

from chart import STYLE, text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["draw"]

WIDTH, LEFT, RIGHT, TOP = 960, 76, 108, 84
HIGH, BETWEEN = 190, 56
_LINES = """
 .bench path{fill:none;stroke-width:1.8}.bench .browser{stroke:#4e79a7}.bench .driver{stroke:#f28e2b}
 .bench .python{stroke:var(--muxd)}.bench .time{stroke:#b07aa1}
"""


def draw(results: dict[str, Any]) -> str:
    """An SVG document, for a light page or a dark one, as the reader has it."""
    samples, seconds = results["samples"], results["seconds"]
    runs = [each["runs"] for each in samples]
    memory = {
        what: [each[what] / 1e6 for each in samples] for what in ("browser", "driver", "python")
    }
    step = runs[0]
    times = [1000 * statistics.median(seconds[end - step : end]) for end in runs]
    height = TOP + 2 * HIGH + BETWEEN + 48
    title = f"{len(seconds)} runs of one daemon"
    last = TOP + 2 * HIGH + BETWEEN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bench" width="{WIDTH}" '
        f'height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{title}</title>",
        f"<style>{STYLE}{_LINES}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
        text(28, 42, title, "title"),
        *_panel("memory, MB", TOP, runs, memory),
        *_panel("time of a run, ms (medians)", TOP + HIGH + BETWEEN, runs, {"time": times}),
        text(LEFT, last + 24, "0 runs", "dim"),
        text(WIDTH - RIGHT, last + 24, f"{runs[-1]} runs", "dim", "end"),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    title: str, top: int, runs: Sequence[int], lines: dict[str, Sequence[float]]
) -> list[str]:
    highest = max(max(values) for values in lines.values())
    step = _step(highest)
    steps = math.ceil(highest / step)
    most = steps * step
    across = (WIDTH - LEFT - RIGHT) / runs[-1]

    def y(value: float) -> float:
        return round(top + HIGH - HIGH * value / most, 1)

    found = [text(LEFT, top - 10, title, "strong")]
    for number in range(steps + 1):
        at = y(number * step)
        found.append(f'<line x1="{LEFT}" y1="{at}" x2="{WIDTH - RIGHT}" y2="{at}"/>')
        found.append(text(LEFT - 8, at + 4, f"{number * step:g}", "dim", "end"))
    for name, values in lines.items():
        points = (f"{LEFT + at * across:.1f} {y(v)}" for at, v in zip(runs, values, strict=True))
        found.append(f'<path class="{name}" d="M{"L".join(points)}"/>')
        found.append(text(WIDTH - RIGHT + 8, y(values[-1]) + 4, name, ""))
    return found


def _step(highest: float) -> float:
    """Between two lines of the grid: a round number, so that there are five at most."""
    size: float = 10 ** math.floor(math.log10(highest))
    return next(size * part for part in (0.2, 0.5, 1, 2) if highest <= 5 * size * part)
