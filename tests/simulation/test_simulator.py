"""The simulator itself: the same for the same seed, true to what it imitates, and told well."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import attrs
import pytest
import trio

from muxd.job import Job
from muxd.learned import Learned
from muxd.record import Outcome
from muxd.release import Cause
from muxd.simulation import FaultRates, Scenario, simulate
from muxd.simulation.bodies import Lasting
from muxd.simulation.faults import Fault, FaultPlan, Place
from muxd.simulation.leap import LeapingClock, run_virtual
from muxd.simulation.life import Life
from muxd.simulation.pages import open_browser
from muxd.simulation.world import World
from muxd.testing import VirtualClock
from muxd.testing.page_contract import PageSourceContract

from .scenarios import never, scenario_of

pytestmark = pytest.mark.long

BERLIN = ZoneInfo("Europe/Berlin")


def day(text, zone=BERLIN):
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def scenario(*jobs, start="2026-06-01", **fields):
    found = jobs or (
        Job("feed", never, interval="1h", duration="20s", retries=1),
        Job("daily", never, interval="1d", duration="60s", preferred_phase="2h30m", pinned=True),
    )
    return Scenario(**{"jobs": found, "zone": BERLIN, "start": day(start), "days": 3.0, **fields})


def test_a_calm_day_is_as_planned():
    """Without faults every release is a good run, at its slot, without a wait but for its page."""
    records = []
    report = simulate(scenario(days=2.99), ended=records.extend)
    assert report.outcomes == {Outcome.ok: 75}
    assert report.broken_count == 0
    assert (report.lives, report.launches, report.collisions) == (1, 1, 0)
    assert report.waits.most < 0.1
    assert 0.99 < report.idle_share < 1
    assert {r.cause for r in records} == {Cause.slot}
    assert {r.duration > 1 for r in records} == {True}


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_the_same_seed_gives_the_same_records(seed):
    """To the byte: ids, instants, outcomes and texts; another seed gives others."""

    def texts(seed):
        records = []
        made = attrs.evolve(scenario_of(8, days=2.0, rates=FaultRates(everywhere=0.03)), seed=seed)
        report = simulate(made, ended=records.extend)
        told = json.dumps([record.as_dict() for record in records])
        return told, json.dumps(report.as_dict())

    assert texts(seed) == texts(seed)
    assert texts(seed)[0] != texts(seed + 1)[0]


@pytest.mark.parametrize("start", ["2026-03-28", "2026-10-24"])
def test_daily_jobs_keep_their_time_when_the_clocks_change(start):
    """02:30 is 02:30 but for the day that has none; it is never run twice."""
    records = []
    jobs = [
        Job("early", never, interval="1d", duration="60s", preferred_phase="2h30m", pinned=True),
        Job("noon", never, interval="1d", duration="60s", preferred_phase="12h", pinned=True),
    ]
    report = simulate(scenario(*jobs, start=start, days=4.0), ended=records.extend)
    assert not report.broken_count, report.broken
    times = {
        name: [
            f"{datetime.fromtimestamp(r.released_at, BERLIN):%H:%M}"
            for r in records
            if r.job == name
        ]
        for name in ("early", "noon")
    }
    assert times["noon"] == ["12:00"] * 4
    spring = ["02:30", "03:30", "02:30", "02:30"]
    assert times["early"] == (spring if start == "2026-03-28" else ["02:30"] * 4)


def test_everything_goes_wrong_somewhere():
    """With faults, all kinds of them happen, and all ends that a run can have are seen."""
    mishaps, outcomes = set(), set()
    wanted = {
        Outcome.ok, Outcome.failed, Outcome.timed_out, Outcome.crashed, Outcome.interrupted,
        Outcome.missed, Outcome.coalesced,
    }  # fmt: skip
    kinds = (("skip", "all"), ("coalesce", "run_once"), ("queue_one", "all"))
    many = [
        Job(f"{o}{n}", never, interval="20m", duration="60s", overlap=o, misfire=m, retries=1)
        for n, (o, m) in enumerate(kinds)
    ]
    for seed in range(1, 8):
        rates = FaultRates(everywhere=0.08)
        report = simulate(scenario_of(seed, days=2.0, rates=rates, jobs=many))
        assert not report.broken_count, report.broken[0]
        mishaps |= report.mishaps.keys()
        outcomes |= report.outcomes.keys()
        if mishaps >= set(Fault) and outcomes >= wanted:
            return
    pytest.fail(f"only {mishaps}, {outcomes}")


def test_a_hostile_job_is_paused_and_costs_no_other_a_run():
    """It loses the browser again and again; the honest one beside it has only good runs."""
    jobs = [
        Job("honest", never, interval="30m", duration="20s"),
        Job("hostile", never, interval="1h", duration="20s"),
    ]
    made = scenario(
        *jobs, days=6.0, rates=FaultRates(jobs={"hostile": 0.9}, only=(Fault.browser_lost,))
    )
    report = simulate(made)
    assert not report.broken_count, report.broken[0]
    calm = {job.name: job for job in report.jobs}
    assert calm["honest"].outcomes.keys() == {Outcome.ok}
    assert calm["hostile"].outcomes[Outcome.crashed] > 5
    assert calm["hostile"].outcomes[Outcome.missed] > 10


def test_history_says_how_long_runs_last():
    """Lognormal through the learned percentiles; never longer than an honest run may be."""
    job = Job("feed", never, interval="1h", duration="20s", timeout="60s")
    lasting = Lasting.of(job, Learned(runs=50, p50=4.0, p95=9.0))
    taken = sorted(lasting.sample(f"0/{number}") for number in range(4000))
    assert taken[2000] == pytest.approx(4.0, rel=0.1)
    assert taken[3800] == pytest.approx(9.0, rel=0.1)
    assert taken[-1] <= 54
    assert lasting.sample("0/1") == lasting.sample("0/1")
    assert Lasting.of(job, None).p95 == 20


def test_what_was_learned_before_is_in_the_plan():
    """The timetable reserves what the ledger's history says, and phases in force stay."""
    job = Job("feed", never, interval="1h", duration="20s", timeout="5m")
    records = []
    simulate(
        scenario(job, learned={"feed": Learned(runs=50, p50=100.0, p95=120.0)},
                 phases={"feed": (3600, 1234)}),
        ended=records.extend,
    )  # fmt: skip
    assert {r.released_at % 3600 for r in records} == {1234}
    assert 80 < sorted(r.duration for r in records)[36] < 120


def test_time_leaps_and_threads_are_waited_for():
    """An hour takes no time; what a thread takes is no virtual time."""

    async def main():
        began = trio.current_time()
        with trio.move_on_after(30):
            await trio.to_thread.run_sync(lambda: __import__("time").sleep(0.05))
            assert trio.current_time() == began
            await trio.sleep(3600)
        return trio.current_time() - began

    assert run_virtual(main, seed=0) == 30
    assert isinstance(LeapingClock(), trio.abc.Clock)


def test_faults_come_as_often_as_asked():
    """At the rate of the place, and of the job where it has its own."""
    plan = FaultPlan(FaultRates(everywhere=0.1, jobs={"calm": 0.0, "wild": 1.0}), 1)
    drawn = [plan.draw(Place.body_start) for _ in range(5000)]
    assert 400 < sum(fault is not None for fault in drawn) < 600
    assert all(plan.draw(Place.body_start, "calm") is None for _ in range(100))
    assert all(plan.draw(Place.body_start, "wild") is not None for _ in range(100))
    assert FaultPlan(FaultRates(), 1).next_calamity() is None


class TestSimulatedPages(PageSourceContract):
    """Where nothing goes wrong the imagined browser keeps the laws of every page source."""

    def with_pages(self, tmp_path, test):
        class Living(Life):
            def __init__(self, world):
                self.world, self.dead, self.pages = world, False, None
                self.freed = lambda: None

        async def main():
            world = World(VirtualClock(), FaultRates(), seed=0)
            async with open_browser(1, Living(world)) as pages:
                await test(pages)
            assert world.browsers == world.leases == 0

        run_virtual(main, seed=0)


def test_people_who_steer_it_break_no_promise():
    """Runs are cancelled, releases skipped, all is paused, drained and reloaded: the rules hold."""
    records = []
    rates = FaultRates(everywhere=0.01, people=80.0)
    report = simulate(scenario(days=6.0, rates=rates), ended=records.extend)
    assert not report.broken_count, report.broken
    assert report.outcomes[Outcome.cancelled] > 0
    assert any(record.cause is Cause.in_gap for record in records)
    reasons = {(record.error or "").partition(":")[0] for record in records}
    assert {"it was skipped", "muxd is paused"} <= reasons
