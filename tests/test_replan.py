"""Learned durations move nobody, unless the plan has stopped being safe or clearly improves."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from muxd.replan import AT_LEAST, CLEARLY, MOST_MOVES, replan
from muxd.slotting import Demand, Slot, Timetable, solve


def demands(*durations, interval=1800):
    return [Demand(name=f"job{n}", interval=interval, duration=d) for n, d in enumerate(durations)]


def again(wanted, fixed):
    return solve(wanted, fixed=fixed)


def at(wanted, *phases):
    return Timetable(slots=tuple(Slot.of(d, p) for d, p in zip(wanted, phases, strict=True)))


def test_longer_runs_that_still_fit_move_nobody():
    """The new durations are in the timetable, the phases are the old ones."""
    before = solve(demands(60, 60, 60))
    longer = demands(70, 65, 60)
    after = replan(before, longer, again)
    assert after.phases == before.phases
    assert after.moved == ()
    assert [slot.duration for slot in after.slots] == [70, 65, 60]
    assert after.feasible


def test_a_run_that_has_outgrown_its_slot_moves_as_few_as_possible():
    """Where two slots collide now, one of them goes; the others stay."""
    before = at(demands(60, 60, 60), 0, 100, 1000)
    after = replan(before, demands(150, 60, 60), again)
    assert after.feasible
    assert len(after.moved) == 1
    assert after.phases["job2"] == 1000


def test_a_clearly_better_plan_is_taken_with_few_moves():
    """Slots that were squeezed together come apart when one move is enough for it."""
    before = at(demands(10, 10, 10), 0, 12, 900)
    after = replan(before, demands(10, 10, 10), again)
    assert len(after.moved) == 1
    assert after.min_gap >= max(2 * CLEARLY, 2 + AT_LEAST)


def test_a_slightly_better_plan_is_not():
    """What is good enough stays."""
    before = at(demands(60, 60, 60), 0, 500, 1000)
    assert replan(before, demands(60, 60, 60), again) == before


def test_pins_are_never_loose():
    """Two pinned slots close together stay where they are pinned."""
    wanted = [
        attrs.evolve(d, pinned=True, preferred_phase=p)
        for d, p in zip(demands(10, 10), (0, 12), strict=True)
    ]
    before = at(wanted, 0, 12)
    assert replan(before, wanted, again).phases == before.phases


@settings(deadline=None, max_examples=20)
@given(
    st.lists(
        st.tuples(st.sampled_from([600, 900, 1800]), st.integers(5, 40)), min_size=2, max_size=8
    ),
    st.integers(1, 30),
)
def test_it_is_never_less_safe(jobs, more):
    """Whatever grows: no more collisions than staying would have; safe plans move few."""
    wanted = [Demand(name=f"job{n}", interval=t, duration=d) for n, (t, d) in enumerate(jobs)]
    before = solve(wanted)
    longer = [attrs.evolve(wanted[0], duration=wanted[0].duration + more), *wanted[1:]]
    stay = Timetable(slots=tuple(Slot.of(d, before.phases[d.name]) for d in longer))
    after = replan(before, longer, again)
    assert len(after.collisions) <= len(stay.collisions)
    if stay.feasible:
        assert len(after.moved) <= MOST_MOVES
        assert after.min_gap >= stay.min_gap
