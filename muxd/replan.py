"""When learned durations call for another timetable, and which. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd.slotting import Slot, Timetable
from muxd.slotting.why import gap_ceiling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from muxd.slotting import Demand

    Solve = Callable[[Sequence[Demand], Mapping[str, int]], Timetable]

__all__ = ["is_clearly_better", "replan"]

CLEARLY = 3.0
"""A plan is clearly better if its smallest gap is at least so many times the present one's..."""
AT_LEAST = 10
"""...and at least so many seconds more."""
MOST_MOVES = 3
"""How many jobs may be moved for a better plan that isn't needed for safety."""


def replan(current: Timetable, demands: Sequence[Demand], solve: Solve) -> Timetable:
    """The timetable to go on with, now that more is known of the jobs' durations.

    - As long as the phases in force are as safe with the new durations as they were, or safe,
      they stay, unless moving at most `MOST_MOVES` jobs is clearly better.
    - When they have stopped being safe, as few jobs are moved as the solver finds.

    Args:
      current: the timetable in force, for the same jobs.
      demands: what they ask for now.
      solve: the solver: takes demands and the phases to keep where that is safe.

    Returns:
      A timetable with the new durations; its phases are those in force if it isn't called for
      more. `Timetable.moved` names the jobs that move.
    """
    phases = current.phases
    kept = attrs.evolve(
        current,
        slots=tuple(Slot.of(demand, phases[demand.name]) for demand in demands),
        moved=(),
    )
    worse = len(kept.collisions) > len(current.collisions)
    if worse:
        return _with_moves(solve(demands, phases), phases)
    if not kept.feasible:
        return kept
    return _better(kept, demands, solve) or kept


def is_clearly_better(gap: int, than: int) -> bool:
    """True if one smallest gap (seconds) is worth moving jobs for, compared with another."""
    return gap >= max(CLEARLY * than, than + AT_LEAST)


def _better(kept: Timetable, demands: Sequence[Demand], solve: Solve) -> Timetable | None:
    """A plan with few moves that is clearly better; None if none is found."""
    if not is_clearly_better(gap_ceiling(demands), kept.min_gap):
        return None  # no timetable is
    loose: set[str] = set()
    best = kept
    for _ in range(MOST_MOVES):
        tight = _tightest(best, without=loose)
        if tight is None:
            return None
        loose.add(tight)
        fixed = {name: phase for name, phase in kept.phases.items() if name not in loose}
        best = _with_moves(solve(demands, fixed), kept.phases)
        if is_clearly_better(best.min_gap, kept.min_gap) and len(best.moved) <= MOST_MOVES:
            return best
    return None


def _tightest(timetable: Timetable, *, without: set[str]) -> str | None:
    """The job to move: of the pair with the smallest gap, the less important, shorter one."""
    rest = Timetable(slots=tuple(slot for slot in timetable.slots if slot.name not in without))
    pair = rest.certificate.tightest or ()
    movable = [slot for slot in map(rest.slot, pair) if not slot.pinned]
    return min(movable, key=lambda slot: (slot.priority, slot.duration)).name if movable else None


def _with_moves(timetable: Timetable, before: Mapping[str, int]) -> Timetable:
    moved = tuple(
        slot.name for slot in timetable.slots if before.get(slot.name, slot.phase) != slot.phase
    )
    return attrs.evolve(timetable, moved=moved)
