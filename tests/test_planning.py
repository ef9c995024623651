"""From jobs to the timetable in force: learned durations, phases that are kept, laws."""

from __future__ import annotations

import attrs
import pytest

from muxd.abc import Learned, Slotter
from muxd.errors import InternalError
from muxd.job import Job
from muxd.planning import demand_of, demands_of, make_timetable, slot_with, too_much
from muxd.slotting import Slot, Timetable, solve


async def body(run):
    pass


def jobs(count):
    return [Job(f"job{n}", body, interval="30m", duration="40s") for n in range(count)]


def test_a_learned_duration_takes_the_place_of_the_declared_one():
    """p95 counts once there are five good runs, rounded up to whole seconds."""
    (job,) = jobs(1)
    assert demand_of(job).duration == 40
    assert demand_of(job, Learned(runs=4, p50=1.0, p95=2.2)).duration == 40
    assert demand_of(job, Learned(runs=5, p50=1.0, p95=2.2)).duration == 3
    assert demand_of(job, Learned(runs=5, p50=0.0, p95=0.0)).duration == 1


def test_no_good_run_is_longer_than_its_timeout():
    """What seems so had the machine asleep in its middle: it must not fill the timetable."""
    (job,) = jobs(1)
    asleep = Learned(runs=20, p50=30.0, p95=28_800.0, spread=0.4)
    assert demand_of(job, asleep).duration == job.timeout
    assert demand_of(job, asleep).spread == pytest.approx(0.4 * 30 / job.timeout)


def test_the_spread_is_that_of_what_is_reserved():
    """The tail that p95 reserves already does not count once more."""
    (job,) = jobs(1)
    known = Learned(runs=20, p50=10.0, p95=20.0, spread=0.4)
    assert demand_of(job, known).spread == pytest.approx(0.2)
    assert demand_of(job, Learned(runs=5, p50=0.0, p95=0.0, spread=0.0)).spread == 0.5


def test_a_restart_moves_nothing():
    """The phases in force are kept for the same jobs, in whatever order they come."""
    before = make_timetable(jobs(12))
    phases = {slot.name: (slot.interval, slot.phase) for slot in before.slots}
    after = make_timetable(reversed(jobs(12)), phases=phases)
    assert after.phases == before.phases


def test_a_new_job_moves_nobody_where_there_is_room():
    """Adding a job to a timetable with room leaves every other slot where it is."""
    before = make_timetable(jobs(12))
    phases = {slot.name: (slot.interval, slot.phase) for slot in before.slots}
    after = make_timetable(jobs(13), phases=phases)
    assert {name: after.phases[name] for name in before.phases} == before.phases
    assert after.feasible


def test_a_phase_of_another_interval_does_not_count():
    """A job whose interval was changed is placed anew, within its new interval."""
    (job,) = jobs(1)
    table = make_timetable([job.replace(interval="5m")], phases={"job0": (1800, 1700)})
    assert 0 <= table.phases["job0"] < 300


@attrs.define
class Scripted(Slotter):
    """A slotter that does as it is told."""

    answer: object
    name: str = "scripted"

    def solve(self, demands, *, fixed, headroom):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(demands)


def solved(demands):
    return solve(demands)


def one_missing(demands):
    return solve(demands[:-1])


def too_short(demands):
    return solve([attrs.evolve(demand, duration=1) for demand in demands])


def off_its_pin(demands):
    return solve([attrs.evolve(demand, pinned=False, preferred_phase=5) for demand in demands])


def all_at_once(demands):
    """All at the same second, and not a word about it."""
    return Timetable(slots=tuple(Slot.of(demand, demand.wish or 0) for demand in demands))


@pytest.mark.parametrize(
    "bad",
    [one_missing, too_short, off_its_pin, all_at_once, lambda _: None, RuntimeError("no idea")],
)
def test_a_slotter_that_breaks_its_law_is_passed_over(bad):
    """A timetable that lacks a job, reserves less, or moves a pin is refused; the next is asked."""
    failed = {}
    pinned = Job("pin", body, interval="30m", preferred_phase="10m", pinned=True)
    slot = slot_with([("bad", Scripted(bad)), ("good", Scripted(solved))], failed.__setitem__)
    table = make_timetable([*jobs(3), pinned], slot=slot)
    assert table.feasible
    assert set(failed) == {"bad"}
    assert isinstance(failed["bad"], Exception)


def test_without_any_slotter_there_is_no_plan():
    """When the last one fails, it's an error of muxd's, and not a timetable of nothing."""
    slot = slot_with([("bad", Scripted(RuntimeError("no")))], lambda plugin, error: None)
    with pytest.raises(InternalError):
        make_timetable(jobs(1), slot=slot)


def test_too_much_names_whom_to_slow_down():
    """Beyond the limit the message has the sum, the limit, and the greediest jobs first."""
    greedy = Job("greedy", body, interval="10m", duration="9m")
    demands = demands_of([*jobs(2), greedy, *jobs(5)[2:]], {})
    assert too_much(demands, 2.0) is None
    told = too_much(demands, 0.95)
    assert "101%" in told
    assert "95%" in told
    assert "slow down greedy (90%), job" in told
    assert "max_utilisation" in told
