"""Living timetables: restarts, newcomers, departures, longer runs."""

from __future__ import annotations

import time

import attrs
import pytest
from sets import demand, planted, statement

from muxd.slotting import Slot, Timetable, solve


def phases_of(table, names):
    return {name: table.phases[name] for name in names}


def test_a_restart_moves_nothing():
    """Asked again with the phases in force, the solver gives them back."""
    first = solve(statement())
    again = solve(statement(), fixed=first.phases)
    assert again.phases == first.phases
    assert again.moved == ()


def test_a_restart_moves_nothing_where_jobs_collide():
    """Phases in force stay where not all jobs can avoid each other, too."""
    jobs = [demand("a", 420, 50), demand("b", 600, 20), demand("c", 3600, 200)]
    first = solve(jobs)
    assert not first.feasible
    assert solve(jobs, fixed=first.phases).phases == first.phases


def test_a_job_that_leaves_moves_nobody():
    """The others stay; the phase of the one that left is ignored."""
    first = solve(statement())
    rest = [d for d in statement() if d.name != "plan"]
    after = solve(rest, fixed=first.phases)
    assert after.phases == phases_of(first, [d.name for d in rest])


@pytest.mark.parametrize("newcomer", ["reply", "velocity", "trends", "digest", "inbox", "metrics"])
def test_a_newcomer_moves_at_most_a_few(newcomer):
    """A new job finds room; what had to move for it is told, and is little."""
    jobs = statement()
    first = solve([d for d in jobs if d.name != newcomer])
    after = solve(jobs, fixed=first.phases)
    assert after.feasible
    changed = {n for n, phase in first.phases.items() if after.phases[n] != phase}
    assert changed == set(after.moved)
    assert len(changed) <= 2
    assert bool(changed) == bool(after.warnings)


@pytest.mark.parametrize("seed", range(6))
def test_a_newcomer_with_room_moves_nobody(seed):
    """At moderate load a newcomer is put beside what is there."""
    jobs = planted(seed, fill=0.5)
    first = solve(jobs, budget=60_000)
    after = solve([*jobs, demand("new", 7200, 10)], fixed=first.phases)
    assert after.feasible
    assert after.moved == ()
    assert phases_of(after, first.phases) == first.phases


def test_a_longer_run_moves_as_little_as_makes_it_safe():
    """When a job has become longer than its gap allows, few slots move, not all."""
    jobs = statement()
    first = solve(jobs)
    longer = [attrs.evolve(d, duration=d.duration + 60) if d.name == "plan" else d for d in jobs]
    stale = Timetable(slots=tuple(Slot.of(d, first.phases[d.name]) for d in longer))
    assert not stale.feasible
    after = solve(longer, fixed=first.phases)
    assert after.feasible
    assert 1 <= len(after.moved) <= 3


def test_more_collisions_than_are_told_move_no_more_than_they_must(monkeypatch):
    """What comes to light when the first are gone is put right too, and nothing is planned anew."""
    monkeypatch.setattr("muxd.slotting.rule.MOST_PAIRS", 10)
    few = [demand(f"{start}", 3600, 10) for start in (*range(0, 900, 45), *range(1800, 2700, 45))]
    jobs = [*few, demand("long", 3600, 900), demand("longer", 7200, 900)]
    phases = {d.name: int(d.name) for d in few} | {"long": 0, "longer": 1800}
    after = solve(jobs, fixed=phases)
    assert after.feasible
    assert sorted(after.moved) == ["long", "longer"]
    names = [d.name for d in few]
    assert phases_of(after, names) == {name: phases[name] for name in names}


def test_a_new_pin_overrides_what_is_in_force():
    """A job that has been pinned goes where its pin is."""
    jobs = statement()
    first = solve(jobs)
    pin = (first.phases["plan"] + 7) % 3600
    pinned = [
        attrs.evolve(d, preferred_phase=pin, pinned=True) if d.name == "plan" else d for d in jobs
    ]
    after = solve(pinned, fixed=first.phases)
    assert after.phases["plan"] == pin
    assert after.feasible


def test_an_insertion_among_a_thousand_is_quick():
    """One job more in a thousand costs a fraction of a full plan."""
    jobs = planted(3, count=400, periods=(1800, 3600, 7200, 21600, 86400), fill=0.7)
    first = solve(jobs, budget=20_000)
    assert first.feasible
    begun = time.process_time()
    after = solve([*jobs, demand("new", 86_400, 5)], fixed=first.phases)
    assert time.process_time() - begun < 0.5  # ten times what it takes, for busy machines
    assert after.moved == ()
