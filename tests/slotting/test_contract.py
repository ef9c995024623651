"""The laws of a slotter: muxd's own keeps them, and each is broken by somebody."""

from __future__ import annotations

from functools import partial
from itertools import count

import attrs
import pytest

from muxd.abc import Slotter
from muxd.builtin.slotter import SolvingSlotter
from muxd.slotting import Slot, Timetable
from muxd.slotting import solve as solve_well
from muxd.testing.contracts import SlotterContract


class TestSolvingSlotter(SlotterContract):
    def make_slotter(self):
        return SolvingSlotter()


solve = partial(solve_well, budget=20_000)
"""Good enough for slotters that are spoiled on purpose."""


def slots_with(table, **fields):
    return [attrs.evolve(slot, **fields) for slot in table.slots]


@attrs.define
class Bad(Slotter):
    """muxd's own slotter, spoiled in one way."""

    spoil: object
    name: str = "bad"

    def solve(self, demands, *, fixed, headroom):
        return self.spoil(demands, fixed, headroom)


def backwards(demands, fixed, headroom):
    return Timetable(slots=solve(demands, fixed=fixed).slots[::-1])


def drops_one(demands, fixed, headroom):
    return solve(demands[:-1], fixed=fixed)


def shortens(demands, fixed, headroom):
    return Timetable(slots=slots_with(solve(demands, fixed=fixed), duration=1))


def forgets_priorities(demands, fixed, headroom):
    return Timetable(slots=slots_with(solve(demands, fixed=fixed), priority=1))


def a_lap_late(demands, fixed, headroom):
    table = solve(demands, fixed=fixed)
    return Timetable(slots=[attrs.evolve(s, phase=s.phase + s.interval) for s in table.slots])


def in_fractions(demands, fixed, headroom):
    return Timetable(slots=slots_with(solve(demands, fixed=fixed), phase=0.5))


def pins_are_wishes(demands, fixed, headroom):
    return solve([attrs.evolve(d, pinned=False) for d in demands], fixed=fixed)


def what_is_in_force_beats_pins(demands, fixed, headroom):
    table = solve(demands, fixed=fixed)
    return Timetable(slots=[attrs.evolve(s, phase=fixed.get(s.name, s.phase)) for s in table.slots])


class Restless:
    """Gives another timetable each time."""

    def __init__(self):
        self.turn = count()

    def __call__(self, demands, fixed, headroom):
        turn = next(self.turn)
        return Timetable(slots=[Slot.of(d, turn) for d in demands])


def by_the_order_of_what_is_in_force(demands, fixed, headroom):
    first = next(iter(fixed), "")
    return Timetable(slots=[Slot.of(d, 3 * (d.name == first)) for d in demands])


def takes_what_it_is_given(demands, fixed, headroom):
    table = solve(demands, fixed=fixed)
    fixed.pop("gone", None)
    return table


def from_zero(demands, fixed, headroom):
    return Timetable(slots=[Slot.of(d, d.wish or 0) for d in demands], warnings=("Who cares?",))


def from_zero_and_quiet(demands, fixed, headroom):
    return Timetable(slots=[Slot.of(d, d.wish or 0) for d in demands])


def cries_wolf(demands, fixed, headroom):
    return attrs.evolve(solve(demands, fixed=fixed), warnings=("All is lost.",))


def anew(demands, fixed, headroom):
    return solve(demands, headroom=0.1 if fixed else 1.0)


def says_that_all_moved(demands, fixed, headroom):
    return attrs.evolve(solve(demands, fixed=fixed), moved=tuple(fixed))


def turns_round(demands, fixed, headroom):
    table = solve(demands, fixed=fixed)
    by = len(table.slots) if fixed else 0
    return Timetable(
        slots=[attrs.evolve(s, phase=(s.phase + by) % s.interval) for s in table.slots]
    )


def only_if_nobody_is_new_or_gone(demands, fixed, headroom):
    known = {d.name for d in demands} == set(fixed)
    return solve(demands, fixed=fixed) if known else solve(demands, headroom=1.0)


def widens_narrow_gaps(demands, fixed, headroom):
    table = solve(demands, fixed=fixed)
    return table if table.min_gap else solve(demands)


def keeps_at_any_price(demands, fixed, headroom):
    table = solve(demands)
    return Timetable(
        slots=[Slot.of(d, fixed.get(d.name, table.phases[d.name])) for d in demands],
        warnings=("It collides.",),
    )


BROKEN_BY = {
    "one_slot_for_each_demand_in_order": [backwards, drops_one],
    "intervals_and_durations_are_those_asked_for": [shortens, forgets_priorities],
    "phases_are_within_their_intervals": [a_lap_late, in_fractions],
    "a_pin_is_an_order": [pins_are_wishes, what_is_in_force_beats_pins],
    "the_same_arguments_give_the_same_timetable": [Restless, by_the_order_of_what_is_in_force],
    "arguments_stay_as_they_are": [takes_what_it_is_given],
    "what_has_room_never_collides": [from_zero],
    "a_restart_moves_nothing": [anew, turns_round, says_that_all_moved],
    "what_is_in_force_and_safe_is_kept": [anew, turns_round, widens_narrow_gaps],
    "a_job_that_has_left_moves_nobody": [anew, only_if_nobody_is_new_or_gone],
    "a_new_job_moves_nobody_where_there_is_room": [anew, only_if_nobody_is_new_or_gone, from_zero],
    "what_is_not_safe_is_moved_and_told": [anew, keeps_at_any_price],
    "a_collision_is_never_kept_quiet": [from_zero_and_quiet, cries_wolf],
}


def sets_of(law):
    """The arguments that pytest would call the law's test with."""
    marks = getattr(law, "pytestmark", [])
    return [{m.args[0]: value} for m in marks for value in m.args[1]] or [{}]


def broken(spoil, law):
    """Whether a slotter spoiled so fails the law on at least one of its sets."""

    class Contract(SlotterContract):
        def make_slotter(self):
            return Bad(spoil() if isinstance(spoil, type) else spoil)

    contract = Contract()
    test = getattr(contract, f"test_{law}")
    for arguments in sets_of(test):
        try:
            test(contract.make_slotter(), **arguments)
        except AssertionError:
            return True
    return False


@pytest.mark.parametrize(
    ("law", "spoil"),
    [(law, spoil) for law, spoils in BROKEN_BY.items() for spoil in spoils],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_slotter_that_breaks_a_law_is_caught(law, spoil):
    """For each law there is a slotter that breaks it, and its test says so."""
    assert broken(spoil, law)


def test_no_law_is_without_its_breaker():
    """Each test of the contract is shown to fail for somebody."""
    laws = {
        name.removeprefix("test_") for name in vars(SlotterContract) if name.startswith("test_")
    }
    assert laws == set(BROKEN_BY)
