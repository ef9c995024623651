"""The parts that choose among timetables without collisions: pressure, rehearsal, turning, picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from random import Random

import pytest
from sets import demand, planted, statement

from muxd.slotting import solve
from muxd.slotting.arrange import gap_to_keep
from muxd.slotting.board import Board, board_periods
from muxd.slotting.overrun import overrun
from muxd.slotting.pressure import Pressure
from muxd.slotting.rehearse import Rehearsal
from muxd.slotting.relax import Wishes
from muxd.slotting.rotate import turned
from muxd.slotting.rule import pair_gap
from muxd.slotting.simulate import simulate
from muxd.slotting.slot import Slot
from muxd.slotting.steps import Steps
from muxd.slotting.svg import draw

PLENTY = 10**9


def test_overrun_begins_with_the_duration_and_falls():
    """What is left of a run falls from its mean to next to nothing; even runs end on time."""
    table = overrun(60, 0.5)
    assert table[0] == 60_000
    assert list(table) == sorted(table, reverse=True)
    assert 60 < len(table) < 200
    assert overrun(5, 0.0) == (5000, 4000, 3000, 2000, 1000)
    assert overrun(60, 0.5)[60] < overrun(60, 1.0)[60]


def test_pressure_kept_up_to_date_is_pressure_made_anew():
    """Placing and taking away leaves no trace: the field is that of what is there."""
    demands = planted(5, count=10)
    periods = [d.interval for d in demands]
    starts = {i: s.phase for i, s in enumerate(solve(demands, budget=20_000).slots)}
    weights = [1 + i % 3 for i in range(len(demands))]
    kept = Pressure(demands, periods, weights, starts, Steps(PLENTY))
    random = Random(1)
    for _ in range(60):
        slot = random.randrange(len(demands))
        new = random.randrange(periods[slot])
        kept.lift(slot, starts[slot])
        kept.settle(slot, starts[slot], new)
        starts[slot] = new
    fresh = Pressure(demands, periods, weights, starts, Steps(PLENTY))
    for slot, start in starts.items():
        for pressure in (kept, fresh):
            pressure.lift(slot, start)
        assert kept.cost(slot, 7) == fresh.cost(slot, 7)
        for pressure in (kept, fresh):
            pressure.settle(slot, start, start)


def test_the_board_finds_every_legal_start():
    """The masks allow exactly the starts that the pair rule allows."""
    demands = planted(2, count=8, periods=(60, 90, 120, 180, 300))
    table = solve(demands, budget=10_000)
    assert table.feasible
    for k, newcomer in enumerate(demands):
        board = Board([d.interval for d in demands], [d.duration for d in demands], Steps(PLENTY))
        for i, slot in enumerate(table.slots):
            if i != k:
                board.place(i, slot.phase)
        legal = board.legal(k)
        for start in range(newcomer.interval):
            there = Slot.of(newcomer, start)
            others = [s for i, s in enumerate(table.slots) if i != k]
            assert (legal >> start & 1) == all(pair_gap(there, s) >= 0 for s in others)


def test_long_intervals_are_drawn_as_a_divisor():
    """The board's period divides the interval, is short, and keeps what others can see of it."""
    intervals = [366 * 86_400, 300, 3600, 604_800]
    for interval, period in zip(intervals, board_periods(intervals), strict=True):
        assert interval % period == 0
        assert period <= 1_300_000
    assert board_periods(intervals)[1:] == intervals[1:]


def test_a_rehearsal_agrees_with_the_simulation():
    """The quick rehearsal ranks and measures timetables as the full simulation does."""
    demands = statement()
    rehearsal = Rehearsal(demands, Steps(PLENTY))
    for table in (solve(demands, headroom=1), solve(demands, headroom=0, budget=1)):
        played = rehearsal.play({i: s.phase for i, s in enumerate(table.slots)})
        noisy = [simulate(demands, table.phases, noise=0.5, seed=k).mean for k in range(4)]
        assert played == pytest.approx(sum(noisy) / 4, rel=0.35)


def test_turning_meets_the_wishes_and_keeps_every_gap():
    """A timetable that is right but turned is turned back."""
    demands = [demand(f"j{i}", 3600, 20, preferred_phase=(300 * i + 77) % 3600) for i in range(8)]
    starts = {i: 300 * i for i in range(8)}
    wishes = Wishes(demands, [3600] * 8, 1.0)
    assert turned(starts, wishes, Steps(PLENTY)) == {i: d.wish for i, d in enumerate(demands)}


def test_a_pinned_timetable_is_not_turned():
    """A pin holds all of it."""
    demands = [demand("a", preferred_phase=10, pinned=True), demand("b", preferred_phase=300)]
    wishes = Wishes(demands, [600, 600], 1.0)
    assert turned({0: 10, 1: 40}, wishes, Steps(PLENTY)) == {0: 10, 1: 40}


@pytest.mark.parametrize("best", [0, 1, 9, 100, 5000])
@pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.9, 1])
def test_the_gap_to_keep(best, share):
    """Never less than the stated share, never more than the best; nearly all of a scarce one."""
    kept = gap_to_keep(best, 50, share)
    assert share * best <= kept <= best
    if share >= 0.5 and best <= 100:
        assert kept >= 0.97 * best
    assert gap_to_keep(5000, 50, 0.5) == 2500


def test_the_picture_is_a_drawing_of_the_timetable():
    """Well-formed, every job named once, markup in names harmless."""
    demands = [*statement(), demand("<b>&", 86_400, 30)]
    document = draw(solve(demands), demands, start=0, hours=2)
    root = ET.fromstring(document)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert all(texts.count(d.name) == 1 for d in demands)
    assert "17 browsers at once" in texts
    assert "1 browser at once" in texts
