"""The timetable as rows of cells: what a terminal or a picture colours, without knowing how."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .timetable import Timetable

__all__ = ["bar", "lanes"]


def bar(table: Timetable, start: int, length: int, cells: int) -> list[int | None]:
    """Who holds the browser, cell by cell.

    Args:
        table: the timetable.
        start: seconds since the epoch at which the bar begins.
        length: seconds that it shows, >= cells.
        cells: how many cells it has, >= 1.

    Returns:
        For each cell the position of the slot that is reserved for the most of it, or None where
        most of the cell is nobody's. A slot that has no cell for itself is given its first one if
        that is free.
    """
    share: list[dict[int, float]] = [{} for _ in range(cells)]
    size = length / cells
    position = {slot.name: i for i, slot in enumerate(table.slots)}
    longest = max((slot.duration for slot in table.slots), default=0)
    first: dict[int, list[int]] = {}
    for release, slot in table.releases(start - longest, start + length):
        number = position[slot.name]
        begin = max(0.0, (release - start) / size)
        end = min(float(cells), (release + slot.duration - start) / size)
        if end <= begin:
            continue
        first.setdefault(number, []).append(int(begin))
        for cell in range(int(begin), min(cells, int(end) + 1)):
            part = min(end, cell + 1) - max(begin, cell)
            if part > 0:
                share[cell][number] = share[cell].get(number, 0.0) + part
    drawn: list[int | None] = []
    for parts in share:
        best = max(parts, key=lambda i: (parts[i], -i), default=None)
        drawn.append(best if best is not None and sum(parts.values()) >= 0.5 else None)
    for number, begins in first.items():
        for cell in begins:
            if drawn[cell] is None and number not in drawn[max(0, cell - 1) : cell + 2]:
                drawn[cell] = number
    return drawn


def lanes(table: Timetable, start: int, length: int, cells: int) -> list[list[bool]]:
    """One row per slot, in their order: the cells in which it has any time reserved."""
    rows = [[False] * cells for _ in table.slots]
    size = length / cells
    position = {slot.name: i for i, slot in enumerate(table.slots)}
    longest = max((slot.duration for slot in table.slots), default=0)
    for release, slot in table.releases(start - longest, start + length):
        begin = (release - start) / size
        end = (release + slot.duration - start) / size
        for cell in range(max(0, int(begin)), min(cells, int(-(-end // 1)))):
            rows[position[slot.name]][cell] = True
    return rows
