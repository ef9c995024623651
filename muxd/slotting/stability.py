"""Living timetables: what is in force stays, and newcomers find room beside it."""

from __future__ import annotations

from collections.abc import Mapping

from .board import Board
from .problem import Problem
from .relax import Wishes, best_start
from .pressure import Pressure
from .slot import Slot
from .steps import Steps
from .timetable import Timetable

__all__ = ["keep"]


def keep(problem: Problem, in_force: Mapping[str, int], steps: Steps) -> Timetable | None:
    """The timetable in force with newcomers added and nothing moved, or None if that is unsafe."""
    demands = problem.demands
    phases = {
        i: in_force[d.name] % d.interval
        for i, d in enumerate(demands)
        if d.name in in_force and i not in problem.pinned
    }
    board = Board(problem.periods, problem.durations, steps)
    for i, start in problem.pinned.items():
        board.place(i, start)
    for i, phase in phases.items():
        board.place(i, phase)
    new = [i for i in range(len(demands)) if i not in board.starts]
    if new:
        pressure = Pressure(demands, problem.periods, problem.weights, board.starts, steps)
        wishes = Wishes(demands, problem.periods, 50.0)
        new.sort(key=lambda i: (problem.periods[i], -board.lengths[i]))
        for i in new:
            start = best_start(i, board, pressure, wishes)
            if start < 0:
                return None
            board.place(i, start)
            pressure.settle(i, None, start)
    slots = tuple(
        Slot.of(d, phases[i] if i in phases else problem.phase(i, board.starts[i]))
        for i, d in enumerate(demands)
    )
    table = Timetable(slots=slots)
    return table if table.feasible else None
