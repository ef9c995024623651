"""From jobs to the timetable in force: learned durations, phases that are kept."""

from __future__ import annotations

from muxd.abc import Learned
from muxd.job import Job
from muxd.planning import demand_of, make_timetable


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
