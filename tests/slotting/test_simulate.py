"""The simulator, the baselines and the bar."""

from __future__ import annotations

from math import lcm

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets import demand, planted, statement

from muxd.slotting import solve
from muxd.slotting.baselines import BASELINES, all_at_zero, hashed
from muxd.slotting.drawing import bar, lanes
from muxd.slotting.simulate import peak_starts, simulate


def second_by_second(demands, phases, closing):
    """The same server, written as a clock that ticks: (release, wait) of every run."""
    waits = []
    queued, running, left = [], None, 0
    for now in range(closing + 100):
        if running is not None:
            left -= 1
            if left == 0:
                running = None
        for i, d in enumerate(demands):
            due = phases[d.name] <= now < closing and (now - phases[d.name]) % d.interval == 0
            if due and running != i and all(q[2] != i for q in queued):
                queued.append((-d.priority, now, i))
        if running is None and queued:
            queued.sort()
            _, release, running = queued.pop(0)
            left = demands[running].duration
            waits.append((release, now - release))
    return waits


jobs = st.lists(
    st.tuples(st.sampled_from((6, 8, 12, 24)), st.integers(1, 4), st.integers(0, 2)),
    min_size=1,
    max_size=5,
)


@given(jobs, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_simulator_is_a_ticking_clock(rows, random):
    """Jumping from event to event gives the waits that a second hand would see."""
    demands = [demand(f"j{i}", t, d, priority=p) for i, (t, d, p) in enumerate(rows)]
    phases = {d.name: random.randrange(d.interval) for d in demands}
    found = simulate(demands, phases)
    whole = lcm(*(d.interval for d in demands))
    expected = second_by_second(demands, phases, 2 * whole)
    # One hyperperiod to settle, one to look at; then the door is closed.
    waits = [wait for release, wait in expected if whole <= release < 2 * whole]
    assert found.runs == len(waits)
    assert found.mean == pytest.approx(sum(waits) / max(1, len(waits)))
    assert found.worst == max(waits, default=0)


@pytest.mark.parametrize("seed", range(4))
def test_a_solved_timetable_never_waits(seed):
    """The certificate and the simulator agree: no run waits."""
    demands = planted(seed)
    found = simulate(demands, solve(demands, budget=100_000).phases)
    assert (found.waited, found.mean, found.missed, found.peak) == (0, 0, 0, 1)


def test_all_at_zero_is_a_stampede():
    """The old way starts all sixteen at once, and most runs wait."""
    found = simulate(statement(), all_at_zero(statement()))
    assert found.peak == peak_starts(statement(), all_at_zero(statement())) == 16
    assert found.waited > 0.7
    assert found.mean > 200


def test_noise_makes_runs_wait_and_is_repeatable():
    """With uneven durations some runs wait; the same seed gives the same luck."""
    phases = solve(statement()).phases
    noisy = simulate(statement(), phases, noise=0.5, seed=1)
    assert 0 < noisy.waited < 0.2
    assert noisy == simulate(statement(), phases, noise=0.5, seed=1)
    assert noisy != simulate(statement(), phases, noise=0.5, seed=2)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_give_a_phase_to_every_job(name):
    """Every way to choose phases gives each job one within its interval, always the same."""
    demands = [*statement(), demand("quick", 30, 2)]
    phases = BASELINES[name](demands)
    assert all(0 <= phases[d.name] < d.interval for d in demands)
    assert phases == BASELINES[name](demands)


def test_a_hash_is_of_the_name():
    """A hashed phase does not depend on who else is there."""
    assert hashed([demand("a", 3600)]) == {"a": hashed([*statement(), demand("a", 3600)])["a"]}


def test_the_bar_shows_who_has_the_browser():
    """Each cell shows the job that has most of it; short runs get a cell of their own."""
    table = solve(
        [demand("half", 120, 60), demand("blink", 3600, 2)], fixed={"half": 0, "blink": 90}
    )
    drawn = bar(table, 0, 600, 10)
    assert drawn == [0, 1, 0, None, 0, None, 0, None, 0, None]
    assert bar(table, 3600, 120, 2) == [0, 1]


def test_lanes_show_every_run():
    """A lane per job, runs that began before the picture included."""
    table = solve([demand("a", 120, 60)], fixed={"a": 90})
    assert lanes(table, 0, 120, 4) == [[True, False, False, True]]
