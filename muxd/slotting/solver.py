"""From demands to a timetable: the order in which the parts of the slotter are used."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from .arrange import arrange
from .problem import MANY, Problem
from .squeeze import squeeze
from .stability import keep
from .steps import Steps
from .suggest import suggestion
from .timetable import Timetable
from .why import reasons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .demand import Demand

__all__ = ["default_budget", "solve"]


def default_budget(count: int) -> int:
    """Steps for a full plan of ``count`` jobs: 0.25 s for 16, below 1 s for 100, 3 s for 1,000.

    Of more than `MANY`, which are only placed, 2 s.
    """
    if count > MANY:
        return 2_000_000
    return 175_000 + 8_000 * min(count, 100) + 2_400 * max(0, min(count, 1_000) - 100)


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
        headroom: share of the best minimum gap, 0 to 1, that preferred phases never use up.
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
    problem = Problem.of(demands)
    in_force = {d.name: fixed[d.name] for d in demands if fixed and d.name in fixed}
    if in_force and not problem.scattered:
        kept = keep(problem, in_force, steps)
        if kept is not None:
            moved = tuple(demands[i].name for i in kept.moved)
            return Timetable(
                slots=kept.slots,
                moved=moved,
                warnings=(f"{_listed(moved)} moved to make room.",) if moved else (),
            )
    starts = arrange(problem, headroom, steps)
    warnings: list[str] = []
    if starts is None:
        held = {
            i: in_force[d.name] % problem.periods[i]
            for i, d in enumerate(demands)
            if d.name in in_force
        }
        advice = Steps(steps.left // 2)
        starts = squeeze(demands, steps, held)
        warnings = _infeasible(problem, advice)
    table = Timetable(slots=problem.slots(starts))
    if not warnings and not table.feasible:
        warnings = reasons(demands)
    moved = tuple(s.name for s in table.slots if s.phase != in_force.get(s.name, s.phase))
    if moved:
        warnings.append(_moved_sentence(moved))
    if not warnings:
        return table
    return attrs.evolve(table, warnings=tuple(warnings), moved=moved)


def _infeasible(problem: Problem, steps: Steps) -> list[str]:
    """Why not all can avoid each other, and what would make them."""
    demands = problem.demands
    found = reasons(demands)
    if not found:
        found.append(
            "No timetable without collisions was found, though none of the simple proofs rules "
            "one out: the jobs fill their intervals too tightly."
        )
    advice = None if problem.many else suggestion(demands, steps)
    if advice is not None:
        found.append(advice)
    return found


def _moved_sentence(names: Sequence[str]) -> str:
    return f"The whole timetable had to be planned anew: {_listed(names)} moved."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
