"""The timetable as a picture: lanes by job, hours across, beside the same jobs unslotted."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import attrs

from muxd.units import format_duration

from .palette import PALETTE
from .response import uneven

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .demand import Demand
    from .slot import Slot
    from .timetable import Timetable

__all__ = ["WIDTH", "draw"]

WIDTH = 1200
"""Pixels across; a picture is as high as its jobs need."""
_LEFT, _RIGHT, _MARGIN = 206, 28, 28
_ROW, _TOP, _CROWD, _STRIP = 24, 92, 100, 18
_BETWEEN = 36
_NAME = 22
"""Letters of a name that fit beside its lane."""
_LEAST = 1.2
"""Pixels that a run is wide at least."""
_HOUR = 3600
_STEPS = (300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_SVG = "http://www.w3.org/2000/svg"
_STYLE = """
 .muxd{--page:#fff;--ink:#1f2328;--dim:#656d76;--grid:#d8dee4;--half:#eef1f4;--lane:#f6f8fa;
  --crowd:#d1434b;--calm:#1a7f37}
 @media (prefers-color-scheme:dark){.muxd{--page:#0d1117;--ink:#e6edf3;--dim:#8d96a0;
  --grid:#30363d;--half:#1c2129;--lane:#151b23;--crowd:#f0626a;--calm:#3fb950}}
 .muxd text{font:12.5px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;
  fill:var(--ink)}
 .muxd .title{font-size:19px;font-weight:650}.muxd .big{font-weight:600}.muxd .dim{fill:var(--dim)}
 .muxd .bad{fill:var(--crowd);font-weight:600}.muxd .good{fill:var(--calm);font-weight:600}
 .muxd .page{fill:var(--page)}.muxd .lane{fill:var(--lane)}.muxd .crowd{fill:var(--crowd)}
 .muxd .wish{fill:none;stroke:var(--ink);stroke-width:1.6}
 .muxd .tail{fill-opacity:.3}.muxd line{stroke:var(--half)}.muxd line.hour{stroke:var(--grid)}
 .muxd .base{stroke:var(--grid)}
"""


@attrs.frozen
class _Window:
    """The seconds that are shown, and where they are on the page."""

    start: int
    span: int

    def x(self, second: float) -> float:
        """Pixels from the left for seconds from the left edge, kept on the page."""
        inner = WIDTH - _LEFT - _RIGHT
        return round(_LEFT + min(max(second, 0), self.span) * inner / self.span, 2)

    def runs(self, phase: int, interval: int, before: int = 0) -> Iterable[int]:
        """Releases from so many seconds before the left edge on, counted from that edge."""
        return range(-before + (phase - self.start + before) % interval, self.span, interval)


def draw(
    table: Timetable,
    demands: Sequence[Demand],
    *,
    start: int,
    hours: float,
    first_hour: int = 0,
    title: str = "",
) -> str:
    """An SVG document, for a light page or a dark one, as the reader has it.

    Above, how many browsers the jobs would want at once if all started together, and below it how
    many muxd gives them: one. Then a lane for each job with its runs, the tail of an uneven
    duration in a lighter colour, and a tick where it would like to start.

    Args:
        table: the timetable.
        demands: what it was made from, in the same order.
        start: seconds since the epoch at the left edge.
        hours: how much is shown, above 0.
        first_hour: what the clock shows at the left edge, 0 to 23.
        title: a line above it all.
    """
    window = _Window(start, round(hours * _HOUR))
    old = _crowd(demands, {d.name: 0 for d in demands}, window)
    new = _crowd(demands, table.phases, window)
    most = max((count for _, count in old), default=0)
    unit = (_CROWD - 6) / max(1, most, *(count for _, count in new))
    now_most = max((count for _, count in new), default=0)
    old_base = _TOP + _CROWD
    new_base = old_base + _BETWEEN + round(max(_STRIP, now_most * unit if now_most > 1 else 0))
    lanes_top = new_base + 28
    bottom = lanes_top + _ROW * len(table.slots)
    height = bottom + 62
    title = title or _headline(table)
    parts = [
        f'<svg xmlns="{_SVG}" class="muxd" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
        _text(_MARGIN, 42, title, "title"),
        _text(_MARGIN, 64, _subtitle(table), "dim"),
    ]
    parts += _stripes(len(table.slots), lanes_top)
    parts += _grid(window, bottom, first_hour)
    for base, label, count in (
        (old_base, "all from zero", most),
        (new_base, "with muxd", now_most),
    ):
        style = "good" if count <= 1 else "bad"
        parts.append(_text(_MARGIN, base - 19, label, "big"))
        parts.append(_text(_MARGIN, base - 2, f"{_browsers(count)} at once", style))
        parts.append(f'<path class="base" d="M{_LEFT} {base + 0.5}H{WIDTH - _RIGHT}"/>')
    parts.append(_area(old, window, old_base, unit))
    if now_most > 1:
        parts.append(_area(new, window, new_base, unit))
    else:
        parts += _strip(table, window, new_base - _STRIP)
    for row, (slot, demand) in enumerate(zip(table.slots, demands, strict=True)):
        parts += _lane(slot, demand, window, lanes_top + row * _ROW, PALETTE[row % len(PALETTE)])
    parts += [*_legend(bottom + 46), "</svg>"]
    return "\n".join(parts) + "\n"


def _text(x: float, y: float, words: str, style: str, anchor: str = "") -> str:
    anchored = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{style}" x="{x}" y="{y}"{anchored}>{escape(words)}</text>'


def _headline(table: Timetable) -> str:
    jobs = f"{len(table.slots)} jobs on one browser"
    if table.feasible:
        return f"{jobs}: no two runs ever collide"
    return f"{jobs}: {table.certificate.count} pairs of them can't avoid each other"


def _subtitle(table: Timetable) -> str:
    share = f"{table.utilisation:.0%} of the browser's time is reserved"
    if table.feasible:
        return (
            f"{share}; at least {format_duration(table.min_gap)} between two runs; "
            f"proved for all {table.certificate.pairs} pairs of jobs"
        )
    return share


def _browsers(count: int) -> str:
    return "1 browser" if count == 1 else f"{count} browsers"


def _stripes(rows: int, top: int) -> list[str]:
    width = WIDTH - _LEFT - _RIGHT
    return [
        f'<rect class="lane" x="{_LEFT}" y="{top + row * _ROW}" width="{width}" height="{_ROW}"/>'
        for row in range(0, rows, 2)
    ]


def _grid(window: _Window, bottom: int, first_hour: int) -> list[str]:
    span = window.span
    step = next((s for s in _STEPS if span / s <= 26), _STEPS[-1])
    label = next((s for s in _STEPS if s >= step and s % step == 0 and span / s <= 13), _STEPS[-1])
    found = []
    for second in range(0, span + 1, step):
        at = window.x(second)
        style = ' class="hour"' if second % max(_HOUR, label) == 0 else ""
        found.append(f'<line{style} x1="{at}" y1="{_TOP - 8}" x2="{at}" y2="{bottom}"/>')
        if second % label == 0:
            hour, minute = divmod(first_hour * 60 + second // 60, 60)
            words = f"{hour % 24:02d}:{minute:02d}"
            found.append(_text(at, bottom + 18, words, "dim", "middle"))
    return found


def _crowd(
    demands: Sequence[Demand], phases: Mapping[str, int], window: _Window
) -> list[tuple[int, int]]:
    """(second, how many want a browser from then on), from 0 on."""
    changes: dict[int, int] = {0: 0}
    for d in demands:
        for release in window.runs(phases[d.name], d.interval, d.duration):
            begin, end = max(0, release), min(window.span, release + d.duration)
            if end > begin:
                changes[begin] = changes.get(begin, 0) + 1
                changes[end] = changes.get(end, 0) - 1
    count = 0
    steps = []
    for second in sorted(changes):
        count += changes[second]
        steps.append((second, count))
    return steps


def _area(steps: Sequence[tuple[int, int]], window: _Window, base: float, unit: float) -> str:
    path = [f"M{window.x(0)} {base}"]
    for (second, count), (following, _) in zip(steps, [*steps[1:], (window.span, 0)], strict=True):
        level = round(base - count * unit, 2)
        left, right = window.x(second), window.x(following)
        # What is too short to see is still drawn: a pixel wide.
        path.append(f"V{level}H{max(right, left + 1) if count else right}")
    path.append(f"V{base}Z")
    return f'<path class="crowd" d="{"".join(path)}"/>'


def _strip(table: Timetable, window: _Window, y: int) -> list[str]:
    """Everybody's runs in one row, in their colours."""
    return [
        f'<path fill="{PALETTE[row % len(PALETTE)]}" d="{_solid(slot, window, y, _STRIP)}"/>'
        for row, slot in enumerate(table.slots)
    ]


def _solid(slot: Slot, window: _Window, y: int, height: int) -> str:
    boxes = []
    for release in window.runs(slot.phase, slot.interval, slot.duration - 1):
        left = window.x(release)
        # What is too short to see is still drawn.
        width = max(_LEAST, window.x(release + slot.duration) - left)
        boxes.append(_box(left, width, y, height))
    return "".join(boxes)


def _lane(slot: Slot, demand: Demand, window: _Window, y: int, colour: str) -> list[str]:
    name = slot.name if len(slot.name) <= _NAME else slot.name[: _NAME - 1] + "…"
    found = [
        f'<rect x="{_MARGIN}" y="{y + 8}" width="10" height="10" rx="2.5" fill="{colour}"/>',
        _text(_MARGIN + 17, y + 17.5, name, "name"),
        _text(_LEFT - 10, y + 17.5, format_duration(slot.interval), "dim", "end"),
    ]
    longest = uneven(demand)
    light = []
    for release in window.runs(slot.phase, slot.interval, longest):
        end = max(window.x(release + slot.duration), window.x(release) + _LEAST)
        if (tail := window.x(release + longest) - end) > 0.2:
            light.append(_box(end, tail, y + 8, _ROW - 11))
    found.append(f'<path class="tail" fill="{colour}" d="{"".join(light)}"/>')
    found.append(f'<path fill="{colour}" d="{_solid(slot, window, y + 8, _ROW - 11)}"/>')
    if slot.preferred_phase is not None:
        ticks = "".join(
            f"M{window.x(wish)} {y + 1}v5.5"
            for wish in window.runs(slot.preferred_phase, slot.interval)
        )
        found.append(f'<path class="wish" d="{ticks}"/>')
    return found


def _box(left: float, width: float, y: int, height: int) -> str:
    return f"M{round(left, 2)} {y}h{round(width, 2)}v{height}h{-round(width, 2)}z"


def _legend(y: int) -> list[str]:
    x = _LEFT
    colour = PALETTE[0]
    return [
        f'<path fill="{colour}" d="{_box(x, 22, y - 10, 12)}"/>',
        _text(x + 30, y, "a run", "dim"),
        f'<path class="tail" fill="{colour}" d="{_box(x + 84, 22, y - 10, 12)}"/>',
        _text(x + 114, y, "what one run in twenty takes longer", "dim"),
        f'<path class="wish" d="M{x + 372} {y - 7}v5.5"/>',
        _text(x + 382, y, "where the job would like to start", "dim"),
    ]
