"""The timetable as a picture: lanes by job, hours across, beside the same jobs unslotted."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from muxd.units import format_duration

from .palette import PALETTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .demand import Demand
    from .timetable import Timetable

    _Scale = Callable[[float], float]

__all__ = ["draw"]

_WIDTH, _LEFT, _RIGHT = 1200, 190, 24
_ROW, _TOP, _CROWD = 22, 64, 92
_HOUR = 3600
_STYLE = """
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f }
  .title { font-size: 17px; font-weight: 600 } .dim { fill: #6e7781 } .big { font-weight: 600 }
  .grid { stroke: #d0d7de; stroke-width: 1 } .half { stroke: #eaeef2; stroke-width: 1 }
  .lane { fill: #f6f8fa } .page { fill: #ffffff } .crowd { fill: #e15759; fill-opacity: .85 }
  .calm { fill: #2da44e } .wish { fill: #24292f }
"""


def draw(
    table: Timetable,
    demands: Sequence[Demand],
    *,
    start: int,
    hours: float,
    first_hour: int = 0,
    title: str = "",
) -> str:
    """An SVG document.

    Above, how many browsers the jobs would want at once if all started together, and beside it how
    many muxd gives them: one. Below, a lane for each job with its runs, the tail of an uneven
    duration in a lighter colour, and a tick where it would like to start.

    Args:
        table: the timetable.
        demands: what it was made from, in the same order.
        start: seconds since the epoch at the left edge.
        hours: how much is shown, above 0.
        first_hour: what the clock shows at the left edge, 0 to 23.
        title: a line above it all.
    """
    span = round(hours * _HOUR)
    inner = _WIDTH - _LEFT - _RIGHT
    scale = inner / span
    lanes_top = _TOP + 2 * _CROWD + 46
    height = lanes_top + _ROW * len(table.slots) + 40

    def x(second: float) -> float:
        return round(_LEFT + min(max(second, 0), span) * scale, 2)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title or 'Timetable')}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="24" y="36">{escape(title or _headline(table))}</text>',
    ]
    parts += _grid(x, span, lanes_top, height, first_hour)
    old = _crowd(demands, {d.name: 0 for d in demands}, start, span)
    new = _crowd(demands, table.phases, start, span)
    peak = max((count for _, count in old), default=1)
    for top, label, steps, style in (
        (_TOP, "all from zero", old, "crowd"),
        (_TOP + _CROWD + 14, "with muxd", new, "calm"),
    ):
        most = max((count for _, count in steps), default=0)
        parts.append(f'<text class="big" x="24" y="{top + 40}">{label}</text>')
        parts.append(f'<text class="dim" x="24" y="{top + 57}">{_browsers(most)} at once</text>')
        parts.append(_area(steps, x, span, top + _CROWD, (_CROWD - 8) / max(1, peak), style))
    parts.append(f'<text class="big" x="24" y="{lanes_top - 12}">each job</text>')
    parts += _lanes(table, demands, x, start, span, lanes_top)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _headline(table: Timetable) -> str:
    jobs = f"{len(table.slots)} jobs, {table.utilisation:.0%} of one browser's time"
    if table.feasible:
        return f"{jobs}: no collision, at least {format_duration(table.min_gap)} between two runs"
    return f"{jobs}: {len(table.collisions)} pairs collide"


def _browsers(count: int) -> str:
    return "1 browser" if count == 1 else f"{count} browsers"


def _grid(x: _Scale, span: int, lanes_top: int, height: int, first_hour: int) -> list[str]:
    step = next(
        s for s in (300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 86_400) if span / s <= 26
    )
    found = []
    for second in range(0, span + 1, step):
        at = x(second)
        hour, minute = divmod(first_hour * 60 + second // 60, 60)
        style = "grid" if second % _HOUR == 0 else "half"
        found.append(f'<line class="{style}" x1="{at}" y1="{_TOP}" x2="{at}" y2="{height - 34}"/>')
        if second % max(step, span // 12 // step * step) == 0:
            found.append(
                f'<text class="dim" text-anchor="middle" x="{at}" y="{height - 16}">'
                f"{hour % 24:02d}:{minute:02d}</text>"
            )
    return found


def _crowd(
    demands: Sequence[Demand], phases: Mapping[str, int], start: int, span: int
) -> list[tuple[int, int]]:
    """(second, how many want a browser from then on), from 0 on."""
    changes: dict[int, int] = {0: 0}
    for d in demands:
        first = start - d.duration + (phases[d.name] - start + d.duration) % d.interval
        for release in range(first, start + span, d.interval):
            begin, end = max(0, release - start), min(span, release + d.duration - start)
            if end > begin:
                changes[begin] = changes.get(begin, 0) + 1
                changes[end] = changes.get(end, 0) - 1
    count = 0
    steps = []
    for second in sorted(changes):
        count += changes[second]
        steps.append((second, count))
    return steps


def _area(
    steps: Sequence[tuple[int, int]], x: _Scale, span: int, base: float, unit: float, style: str
) -> str:
    path = [f"M{x(0)} {base}"]
    for (second, count), (following, _) in zip(steps, [*steps[1:], (span, 0)], strict=True):
        level = round(base - count * unit, 2)
        # What is too short to see is still drawn: half a pixel at least.
        right = max(x(following), x(second) + 0.5) if count else x(following)
        path.append(f"L{x(second)} {level}L{right} {level}")
    path.append(f"L{x(span)} {base}Z")
    return f'<path class="{style}" d="{"".join(path)}"/>'


def _lanes(
    table: Timetable, demands: Sequence[Demand], x: _Scale, start: int, span: int, top: int
) -> list[str]:
    found: list[str] = []
    for row, (slot, demand) in enumerate(zip(table.slots, demands, strict=True)):
        y = top + row * _ROW
        colour = PALETTE[row % len(PALETTE)]
        if row % 2 == 0:
            found.append(
                f'<rect class="lane" x="{_LEFT}" y="{y}" width="{_WIDTH - _LEFT - _RIGHT}" '
                f'height="{_ROW}" fill-opacity=".7"/>'
            )
        name = slot.name if len(slot.name) <= 18 else slot.name[:17] + "…"
        found.append(f'<text x="24" y="{y + 15}">{escape(name)}</text>')
        found.append(
            f'<text class="dim" text-anchor="end" x="{_LEFT - 8}" y="{y + 15}">'
            f"{format_duration(slot.interval)}</text>"
        )
        tail = round(slot.duration * demand.spread * 1.65)  # where one run in twenty still is
        runs = list(_runs(slot.phase, slot.interval, start - slot.duration - tail, start + span))
        solid, light = [], []
        for release in runs:
            at = release - start
            solid.append(_box(x(at), max(1.0, x(at + slot.duration) - x(at)), y))
            if x(at + slot.duration + tail) > x(at + slot.duration):
                begin = x(at + slot.duration)
                light.append(_box(begin, x(at + slot.duration + tail) - begin, y))
        found.append(f'<path fill="{colour}" fill-opacity=".3" d="{"".join(light)}"/>')
        found.append(f'<path fill="{colour}" d="{"".join(solid)}"/>')
        if slot.preferred_phase is not None:
            ticks = "".join(
                f"M{x(wish - start)} {y + 4}l-2.5 -4h5z"
                for wish in _runs(slot.preferred_phase, slot.interval, start, start + span)
            )
            found.append(f'<path class="wish" d="{ticks}"/>')
    return found


def _runs(phase: int, interval: int, start: int, stop: int) -> Iterable[int]:
    return range(start + (phase - start) % interval, stop, interval)


def _box(left: float, width: float, y: int) -> str:
    return f"M{left} {y + 4}h{round(width, 2)}v{_ROW - 8}h{-round(width, 2)}z"
