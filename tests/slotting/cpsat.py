"""An oracle that shares nothing with the solver: the pair rule as a constraint model."""

from __future__ import annotations

from itertools import combinations
from math import gcd


def optimal_gap(demands):
    """The widest minimum gap of two or more jobs that any phases leave; -1 if they can't but collide.

    It fails if that can't be proved within a bounded amount of work.
    """
    from ortools.sat.python import cp_model  # large, and not installed for every Python

    model = cp_model.CpModel()
    phases = [
        model.new_constant(d.wish) if d.pinned else model.new_int_var(0, d.interval - 1, d.name)
        for d in demands
    ]
    if not any(d.pinned for d in demands):
        # All can be turned together, so one may as well stay where it is.
        longest = max(range(len(demands)), key=lambda i: demands[i].interval)
        phases[longest] = model.new_constant(0)
    gap = model.new_int_var(0, max(d.interval for d in demands), "gap")
    for d in demands:
        model.add(d.duration + gap <= d.interval)
    for (a, at_a), (b, at_b) in combinations(zip(demands, phases, strict=True), 2):
        g = gcd(a.interval, b.interval)
        laps = model.new_int_var(-(a.interval // g) - 1, b.interval // g + 1, "")
        apart = at_b - at_a - g * laps
        model.add(apart >= a.duration + gap)
        model.add(apart <= g - b.duration - gap)
    model.maximize(gap)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = 20
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return -1
    assert status == cp_model.OPTIMAL, solver.status_name(status)
    return round(solver.objective_value)
