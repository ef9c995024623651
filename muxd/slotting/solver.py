"""From demands to a timetable: the order in which the parts of the slotter are used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil

from . import bitset
from .board import Board, board_periods
from .demand import Demand
from .pack import Packer
from .slot import Slot
from .steps import Steps
from .timetable import Timetable
from .why import gap_ceiling, impossible_pairs, reasons

__all__ = ["default_budget", "solve"]


def default_budget(count: int) -> int:
    """Steps for a full plan of ``count`` jobs: about 0.2 s for 16, below 3 s for 1,000."""
    return 200_000 + 6_000 * min(count, 100) + 1_500 * max(0, min(count, 1_000) - 100)


def solve(
    demands: Sequence[Demand],
    *,
    fixed: Mapping[str, int] | None = None,
    headroom: float = 0.5,
    budget: int | None = None,
) -> Timetable:
    """Phases for all ``demands``, so that no two runs ever overlap if that is possible at all.

    Args:
        demands: what the jobs ask for; names must be unique.
        fixed: phases in force by name, seconds. They are kept where that is safe; names that no
            longer exist are ignored.
        headroom: the share of the best minimum gap, 0 to 1, that preferred phases may not use up.
        budget: steps of work (about a microsecond each); the same input and budget give the same
            plan on every machine.

    Returns:
        A complete timetable: every job has a phase even where not all can avoid each other; then
        `Timetable.feasible` is false and the warnings say why and what to change.

    Raises:
        ValueError: a name occurs twice, or headroom is outside 0 to 1.
    """
    twice = [name for name, count in Counter(d.name for d in demands).items() if count > 1]
    if twice:
        raise ValueError(f"two jobs are called {twice[0]!r}")
    if not 0 <= headroom <= 1:
        raise ValueError(f"headroom must be between 0 and 1, not {headroom!r}")
    if not demands:
        return Timetable(slots=())
    steps = Steps(default_budget(len(demands)) if budget is None else budget)
    periods = board_periods([d.interval for d in demands])
    pinned = {
        i: d.wish % periods[i] for i, d in enumerate(demands) if d.pinned and d.wish is not None
    }
    in_force = {
        i: fixed[d.name] % periods[i]
        for i, d in enumerate(demands)
        if fixed and d.name in fixed and i not in pinned
    }
    # FIRST VERSION
    kept = _keep(demands, periods, pinned, in_force, steps)
    moved: list[str] = []
    warnings: list[str] = []
    if kept is not None:
        starts = kept
    else:
        found = _widest(demands, periods, pinned, steps)
        if found is None:
            starts = _overlapping(demands, periods, pinned, steps)
            warnings += reasons(demands) or ["No timetable without collisions was found."]
        else:
            starts = found
        moved = [demands[i].name for i, start in in_force.items() if starts[i] != start]
        if moved:
            warnings.append("Had to move: " + ", ".join(moved) + ".")
    slots = []
    for i, d in enumerate(demands):
        phase = starts[i]
        if d.pinned:
            phase = d.wish or 0
        elif i in in_force and starts[i] == in_force[i]:
            phase = fixed[d.name]
        slots.append(Slot.of(d, phase))
    return Timetable(slots=tuple(slots), warnings=tuple(warnings), moved=tuple(moved))


def _keep(demands, periods, pinned, in_force, steps):
    if not in_force:
        return None
    anchored = {**pinned, **in_force}
    lengths = [d.duration for d in demands]
    board = Board(periods, lengths, steps)
    for i, s in anchored.items():
        board.place(i, s)
    for i in range(len(demands)):
        if i in anchored:
            continue
        legal = board.legal(i)
        if not legal:
            return None
        hole = max(bitset.holes(legal, periods[i]), key=lambda h: h[1])
        board.place(i, hole[0] + hole[1] // 2)
    slots = [Slot.of(d, board.starts[i]) for i, d in enumerate(demands)]
    return board.starts if Timetable(slots=tuple(slots)).feasible else None


def _widest(demands, periods, pinned, steps):
    packer = Packer(periods, pinned)
    durations = [d.duration for d in demands]
    low, high = -1, gap_ceiling(demands)
    best = None
    if high < 0:
        return None
    while low < high and steps.left > 0:
        middle = (low + high + 1) // 2
        found = packer.pack([d + middle for d in durations], steps)
        if found is None:
            high = middle - 1
        else:
            best, low = found, middle
    if best is None:
        best = packer.pack(durations, steps)
    return best


def _overlapping(demands, periods, pinned, steps):
    for tenths in range(9, -1, -1):
        lengths = [ceil(d.duration * tenths / 10) for d in demands]
        found = Packer(periods, pinned).pack(lengths, steps, ejections=0)
        if found is not None:
            return found
    raise AssertionError
