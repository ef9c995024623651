"""The laws of `muxd.abc.Slotter`, for muxd's own and for anybody's."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from muxd.slotting import Demand, Slot, Timetable, certify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd.abc import Slotter

__all__ = ["SlotterContract"]


def _demand(name: str, interval: int, duration: int, **fields: Any) -> Demand:
    return Demand(name=name, interval=interval, duration=duration, **fields)


def _pinned(name: str, interval: int, duration: int, phase: int) -> Demand:
    return _demand(name, interval, duration, preferred_phase=phase, pinned=True)


_ROOMY = (
    _demand("post", 300, 20, priority=50),
    _demand("metrics", 600, 45, preferred_phase=180),
    _demand("news", 1800, 90, preferred_phase=420, priority=-3),
    _demand("plan", 3600, 120, preferred_phase=0),
    _demand("digest", 86_400, 180, spread=0.0),
)
"""A third of the time, intervals that are multiples of each other: these always fit."""

_PINNED = (
    _demand("plan", 3600, 120, preferred_phase=1000),
    _pinned("first", 1800, 60, 900),
    _pinned("later", 3600, 60, 3600 + 100),
    _demand("post", 300, 10),
)

_IMPOSSIBLE = (
    ("a pair whose intervals bring it together", (_demand("a", 420, 50), _demand("b", 600, 20))),
    ("a run longer than its interval", (_demand("long", 60, 90), _demand("b", 3600, 20))),
    (
        "pins on top of each other",
        (_pinned("a", 600, 90, 0), _pinned("b", 3600, 10, 1230), _demand("c", 900, 5)),
    ),
    (
        "more than all the time there is",
        tuple(_demand(f"j{n}", 600, 150, preferred_phase=7) for n in range(6)),
    ),
)

_SETS = (
    ("no jobs", ()),
    ("one", (_demand("only", 900, 30),)),
    ("a run as long as its interval", (_demand("only", 60, 60),)),
    ("odd intervals", (_demand("a", 7, 1), _demand("b", 31_536_000, 60), _demand("c", 86_399, 2))),
    ("roomy", _ROOMY),
    ("pinned", _PINNED),
    *_IMPOSSIBLE,
)

_all_sets = pytest.mark.parametrize(
    "demands", [demands for _, demands in _SETS], ids=[name for name, _ in _SETS]
)


class SlotterContract:
    """Subclass it and override `make_slotter`; needs pytest::

        class TestMine(SlotterContract):
            def make_slotter(self):
                return MySlotter()

    Besides the laws that are stated there: jobs that have plenty of room never collide, and a
    slotter leaves its arguments as they are.
    """

    def make_slotter(self) -> Slotter:
        """A slotter; called more than once."""
        raise NotImplementedError

    @pytest.fixture
    def slotter(self) -> Slotter:
        """A slotter, new for each test."""
        return self.make_slotter()

    def solve(
        self,
        slotter: Slotter,
        demands: Sequence[Demand],
        fixed: Mapping[str, int] | None = None,
        headroom: float = 0.5,
    ) -> Timetable:
        """What the slotter makes of it. Override to have the tests pass further options."""
        table = slotter.solve(demands, fixed=fixed or {}, headroom=headroom)
        assert isinstance(table, Timetable)
        return table

    @_all_sets
    def test_one_slot_for_each_demand_in_order(
        self, slotter: Slotter, demands: Sequence[Demand]
    ) -> None:
        """No job is left out, none is doubled, and the slots come as the demands did."""
        table = self.solve(slotter, demands)
        assert [slot.name for slot in table.slots] == [demand.name for demand in demands]

    @_all_sets
    def test_intervals_and_durations_are_those_asked_for(
        self, slotter: Slotter, demands: Sequence[Demand]
    ) -> None:
        """A slotter decides when, not how often or how long; what else is known is passed on."""
        for slot, demand in zip(self.solve(slotter, demands).slots, demands, strict=True):
            assert slot == Slot.of(demand, slot.phase)

    @_all_sets
    def test_phases_are_within_their_intervals(
        self, slotter: Slotter, demands: Sequence[Demand]
    ) -> None:
        """A phase is a whole number of seconds, at least 0 and below the interval."""
        for slot in self.solve(slotter, demands).slots:
            assert isinstance(slot.phase, int)
            assert 0 <= slot.phase < slot.interval

    def test_a_pin_is_an_order(self, slotter: Slotter) -> None:
        """A pinned job is where it is pinned, whatever is in force, and where pins collide too."""
        in_force = {"first": 0, "later": 17, "post": 100}
        for demands, fixed in ((_PINNED, {}), (_PINNED, in_force), (_IMPOSSIBLE[2][1], {})):
            phases = self.solve(slotter, demands, fixed).phases
            for demand in demands:
                if demand.pinned:
                    assert phases[demand.name] == demand.wish

    @_all_sets
    def test_the_same_arguments_give_the_same_timetable(
        self, slotter: Slotter, demands: Sequence[Demand]
    ) -> None:
        """A slotter has no memory and no chance; the order of what is in force means nothing."""
        fixed = {demand.name: 10 * n % demand.interval for n, demand in enumerate(demands)}
        turned = dict(reversed(fixed.items()))
        for in_force, again in (({}, {}), (fixed, turned)):
            first = self.solve(slotter, demands, in_force)
            assert self.solve(slotter, list(demands), again) == first
        assert self.solve(self.make_slotter(), demands, turned) == first

    def test_arguments_stay_as_they_are(self, slotter: Slotter) -> None:
        """The demands and the phases in force still belong to the caller."""
        demands, fixed = list(_ROOMY), {"plan": 0, "post": 200, "gone": 5}
        before = deepcopy((demands, fixed))
        self.solve(slotter, demands, fixed)
        assert (demands, fixed) == before

    @pytest.mark.parametrize("headroom", [0.0, 0.5, 1.0])
    def test_what_has_room_never_collides(self, slotter: Slotter, headroom: float) -> None:
        """Jobs that fit easily are kept apart for all time, whatever headroom is asked for."""
        for demands in (_ROOMY, _PINNED):
            table = self.solve(slotter, demands, headroom=headroom)
            assert certify(table.slots).collisions == ()

    def test_a_restart_moves_nothing(self, slotter: Slotter) -> None:
        """Given its own phases as those in force, a slotter gives them back."""
        for demands in (_ROOMY, _PINNED):
            first = self.solve(slotter, demands)
            again = self.solve(slotter, demands, first.phases)
            assert again.phases == first.phases
            assert again.moved == ()

    def test_what_is_in_force_and_safe_is_kept(self, slotter: Slotter) -> None:
        """Anybody's phases are kept if they are safe, however little gap they leave."""
        safe = {"post": 7, "metrics": 27, "news": 100, "plan": 457, "digest": 2790}
        slots = [Slot.of(demand, safe[demand.name]) for demand in _ROOMY]
        assert certify(slots).valid
        assert self.solve(slotter, _ROOMY, safe).phases == safe

    def test_a_job_that_has_left_moves_nobody(self, slotter: Slotter) -> None:
        """The phases of jobs that are gone mean nothing; the others stay."""
        first = self.solve(slotter, _ROOMY).phases
        for leaving in range(len(_ROOMY)):
            rest = [demand for n, demand in enumerate(_ROOMY) if n != leaving]
            after = self.solve(slotter, rest, first).phases
            assert after == {demand.name: first[demand.name] for demand in rest}

    def test_a_new_job_moves_nobody_where_there_is_room(self, slotter: Slotter) -> None:
        """It is put beside the others, which stay, and collides with none."""
        first = self.solve(slotter, _ROOMY).phases
        for new in (_demand("new", 7200, 20), _demand("new", 900, 5, preferred_phase=180)):
            for at in (0, 3):
                table = self.solve(slotter, [*_ROOMY[:at], new, *_ROOMY[at:]], first)
                assert {name: table.phases[name] for name in first} == first
                assert table.moved == ()
                assert certify(table.slots).collisions == ()

    def test_what_is_not_safe_is_moved_and_told(self, slotter: Slotter) -> None:
        """Of two jobs in force that collide one moves, and is named; the third stays."""
        demands = [_demand("a", 1800, 60), _demand("b", 1800, 60), _demand("c", 3600, 60)]
        table = self.solve(slotter, demands, {"a": 0, "b": 30, "c": 900})
        assert certify(table.slots).collisions == ()
        assert table.phases["c"] == 900
        assert len(table.moved) == 1
        (moved,) = table.moved
        stays = "ab".replace(moved, "")
        assert table.phases[stays] == {"a": 0, "b": 30}[stays]

    @_all_sets
    def test_a_collision_is_never_kept_quiet(
        self, slotter: Slotter, demands: Sequence[Demand]
    ) -> None:
        """Where not all can avoid each other there are warnings; where all do, nothing is wrong."""
        table = self.solve(slotter, demands)
        if certify(table.slots).valid:
            assert table.warnings == ()
        else:
            assert table.warnings
            assert all(isinstance(warning, str) and warning for warning in table.warnings)
