"""The rules can be broken: each is, by a muxd that was made wrong on purpose."""

from __future__ import annotations

import contextlib
import math
from datetime import UTC
from functools import partial

import attrs
import pytest
import trio

from muxd import book as book_module
from muxd import core as core_module
from muxd import scheduler as scheduler_module
from muxd.agenda import Agenda
from muxd.arrears import Arrears
from muxd.book import RunBook
from muxd.channel import open_priority_channel
from muxd.civil import Calendar
from muxd.config import SlottingConfig
from muxd.core import Core
from muxd.errors import LedgerError
from muxd.job import Job
from muxd.misfire import Backlog
from muxd.pauses import Pauses
from muxd.placing import Placer
from muxd.planner import Planner
from muxd.record import Outcome
from muxd.recovery import Legacy
from muxd.runner import Runner
from muxd.scheduler import Scheduler
from muxd.simulation import FaultRates, simulate
from muxd.simulation.faults import Fault
from muxd.simulation.rules import RULES
from muxd.supervisor import Supervisor
from muxd.worker import Worker

from .scenarios import never, scenario_of

pytestmark = pytest.mark.long


def broken(seeds=(1, 2, 3), *, days=3.0, rate=0.03, only=None, **fields):
    """The rules that are broken in some scenarios, as they are found: first in a part of the time."""
    rates = FaultRates(everywhere=rate, **({} if only is None else {"only": only}))
    for length in (days / 8, days):
        for seed in seeds:
            report = simulate(scenario_of(seed, days=length, rates=rates, **fields))
            yield from {one.rule for one in report.broken}


def jobs(**fields):
    """A job every half hour and one every hour."""
    return tuple(
        Job(name, never, **({"interval": interval, "duration": "60s"} | fields))
        for name, interval in (("often", "30m"), ("hourly", "1h"))
    )


def many():
    """Jobs that are all overdue after a night, some more than others."""
    return tuple(
        Job(f"job{n}", never, interval=f"{20 * (n + 1)}m", duration="40s") for n in range(6)
    )


def test_nothing_is_broken_unmutated():
    """What the mutants are held against."""
    assert not list(broken())


def test_a_release_that_is_dropped(monkeypatch):
    """Breaks: one record."""
    original = Scheduler._release_on_time
    count = 0

    async def dropping(self, job, instant):
        nonlocal count
        count += 1
        if count % 50:
            await original(self, job, instant)

    monkeypatch.setattr(Scheduler, "_release_on_time", dropping)
    assert "one record" in broken(rate=0)


def test_a_release_that_is_made_twice(monkeypatch):
    """Breaks: one record."""
    original = Scheduler._release_on_time
    count = 0

    async def doubling(self, job, instant):
        nonlocal count
        count += 1
        await original(self, job, instant)
        if count % 50 == 0:
            await original(self, job, instant)

    monkeypatch.setattr(Scheduler, "_release_on_time", doubling)
    assert "one record" in broken(rate=0)


def test_what_a_dead_daemon_left_is_forgotten(monkeypatch):
    """Breaks: one record, and nothing is left."""

    async def forgetting(store, now, *, fate=None):
        return Legacy(ended=(), owed=(), unsettled=())

    monkeypatch.setattr(book_module, "look_back", forgetting)
    assert "nothing left" in broken(only=(Fault.death,))


def test_two_runs_at_once(monkeypatch):
    """Breaks: one run."""
    original = Worker._run

    async def doubled(self, release, pages):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(original, self, release, pages)
            await trio.sleep(5)
            with contextlib.suppress(trio.EndOfChannel):
                await original(self, await self._receive.receive(), pages)
        return True

    monkeypatch.setattr(Worker, "_run", doubled)
    crowded = jobs(preferred_phase="0s", pinned=True)
    assert "one run" in broken((1,), rate=0, days=0.2, jobs=crowded)


def test_two_browsers_at_once(monkeypatch):
    """Breaks: one browser."""
    original = Supervisor._live

    async def doubled(self):
        async with self._open(99):
            return await original(self)

    monkeypatch.setattr(Supervisor, "_live", doubled)
    assert "one browser" in broken((1,), rate=0, days=0.2)


def test_a_ladder_that_dawdles(monkeypatch):
    """Breaks: the deadline's bound."""
    original = Runner._end

    async def dawdling(self, *args, **kwargs):
        await trio.sleep(11)
        return await original(self, *args, **kwargs)

    monkeypatch.setattr(Runner, "_end", dawdling)
    assert "deadline" in broken(only=(Fault.hang,))


def test_a_clock_that_runs_ahead(monkeypatch):
    """Breaks: not early."""
    pop, next_instant = Agenda.pop, Agenda.next_instant.fget
    monkeypatch.setattr(Agenda, "pop", lambda self, now: pop(self, now + 2))
    monkeypatch.setattr(Agenda, "next_instant", property(lambda self: next_instant(self) - 2))
    assert "not early" in broken((1,), rate=0, days=0.5)


def test_late_releases_taken_for_punctual_ones(monkeypatch):
    """Breaks: on time."""
    monkeypatch.setattr(scheduler_module, "ON_TIME", 1e6)
    assert "on time" in broken(only=(Fault.sleep, Fault.step_forwards))


def test_gaps_that_are_none(monkeypatch):
    """Breaks: gap."""
    monkeypatch.setattr(Placer, "_gap", lambda self, course, earliest, **_: earliest)
    full = tuple(
        Job(f"job{n}", never, interval="30m", duration="200s", retries=2) for n in range(6)
    )
    assert "gap" in broken((1, 2), only=(Fault.error,), rate=0.2, jobs=full)


def test_all_that_is_overdue_at_once(monkeypatch):
    """Breaks: no burst."""
    monkeypatch.setattr(Arrears, "placed", lambda self, due: None)
    monkeypatch.setattr(Placer, "is_busy", lambda self: False)
    monkeypatch.setattr(Placer, "_gap", lambda self, course, earliest, **_: earliest)
    assert "no burst" in broken((1, 2), only=(Fault.sleep,), rate=0.01, jobs=many())


def test_the_least_overdue_first(monkeypatch):
    """Breaks: most overdue first."""

    original = Backlog.take
    # With time running backwards the longest intervals are the first.
    monkeypatch.setattr(Backlog, "take", lambda self, now, **kwargs: original(self, -now, **kwargs))
    assert "most overdue first" in broken((1, 2), only=(Fault.sleep,), rate=0.01, jobs=many())


def test_a_policy_of_overlap_that_is_ignored(monkeypatch):
    """Breaks: overlap."""
    original = RunBook._refusal

    def lax(self, job):
        return original(self, job) if job.name in self._waiting else None

    monkeypatch.setattr(RunBook, "_refusal", lax)
    slow = jobs(timeout="50m", duration="20m")
    config = SlottingConfig(max_utilisation=9)
    assert "overlap" in broken(
        (1, 2), only=(Fault.hang, Fault.slow), rate=0.3, jobs=slow, slotting=config
    )


def test_a_policy_of_misfire_that_is_ignored(monkeypatch):
    """Breaks: misfire."""
    original = scheduler_module.sort_out

    def greedy(misfire, passed, *, on_time_from):
        verdict = original(misfire, passed, on_time_from=on_time_from)
        return attrs.evolve(verdict, catch_up=(*verdict.missed, *verdict.catch_up), missed=())

    monkeypatch.setattr(scheduler_module, "sort_out", greedy)
    assert "misfire" in broken(only=(Fault.sleep,))


def test_retries_without_end(monkeypatch):
    """Breaks: retries."""
    monkeypatch.setattr(scheduler_module, "wants_retry", lambda job, record: record.attempt < 9)
    assert "retries" in broken(only=(Fault.error,), rate=0.3)


def test_a_bystander_who_is_charged(monkeypatch):
    """Breaks: honest."""

    original = RunBook.end

    async def charging(self, record, outcome, **kwargs):
        guilty = record.job == "often"
        return await original(self, record, Outcome.crashed if guilty else outcome, **kwargs)

    monkeypatch.setattr(RunBook, "end", charging)
    assert "honest" in broken((1,), rate=0, days=0.5, jobs=jobs())


def test_runs_that_are_interrupted_for_nothing(monkeypatch):
    """Breaks: interrupted."""
    original = RunBook.end

    async def interrupting(self, record, outcome, **kwargs):
        return await original(self, record, Outcome.interrupted, **kwargs)

    monkeypatch.setattr(RunBook, "end", interrupting)
    assert "interrupted" in broken((1,), rate=0, days=0.5)


def test_a_channel_that_starves(monkeypatch):
    """Breaks: starvation."""
    endless = partial(open_priority_channel, overtakes=math.inf)

    class Starving:
        def __class_getitem__(cls, _item):
            return endless

    monkeypatch.setattr(core_module, "open_priority_channel", Starving)
    busy = [Job(f"busy{n}", never, interval="5m", duration="200s", priority=100) for n in range(6)]
    poor = Job("poor", never, interval="1h", duration="30s", priority=0)
    assert "starvation" in broken(
        (1,), rate=0, days=0.5, jobs=(*busy, poor), slotting=SlottingConfig(max_utilisation=9)
    )


def test_a_planner_that_forgets(monkeypatch):
    """Breaks: phases."""
    original = Planner.begin

    async def elsewhere(self):
        await original(self)
        table = self.timetable
        moved = [attrs.evolve(s, phase=(s.phase + 7) % s.interval) for s in table.slots]
        await self._adopt(attrs.evolve(table, slots=tuple(moved)))

    monkeypatch.setattr(Planner, "begin", elsewhere)
    assert "phases" in broken((1,), rate=0, days=0.2)


def test_a_pause_without_end(monkeypatch):
    """Breaks: probes."""
    monkeypatch.setattr(Pauses, "in_the_way", lambda self, job: self.all.get(job))
    rates = FaultRates(jobs={"often": 0.95}, only=(Fault.browser_lost,))
    report = simulate(scenario_of(1, days=3.0, jobs=jobs(), rates=rates))
    assert "probes" in {one.rule for one in report.broken}


def test_a_calendar_of_another_place():
    """Breaks: wall clock."""

    def displaced(*args, **kwargs):
        return Core(*args, **(kwargs | {"calendar": Calendar(UTC)}))

    seeds = [seed for seed in range(20) if str(scenario_of(seed).zone) != "UTC"][:2]
    daily = (Job("daily", never, interval="1d", duration="60s"),)
    assert "wall clock" in broken(seeds, rate=0, jobs=daily, core=displaced)


def test_a_daemon_that_ends_by_itself(monkeypatch):
    """Breaks: alive."""

    async def failing(self, adopt):
        await trio.sleep(3600)
        raise LedgerError("the disk is full")

    monkeypatch.setattr(Planner, "run", failing)
    assert "alive" in broken((1,), rate=0, days=0.2)


def test_a_store_that_changes_what_is_final():
    """Breaks: final."""
    from muxd.builtin.ledger import Ledger

    original = Ledger.history

    async def falsified(self, **kwargs):
        found = await original(self, **kwargs)
        return [attrs.evolve(record, result="another") for record in found]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "history", falsified)
        assert "final" in broken((1,), rate=0, days=0.2)


def test_each_rule_has_its_mutant():
    """Nothing is checked that can't fail."""
    told = " ".join(f.__doc__ or "" for name, f in globals().items() if name.startswith("test_"))
    missing = [
        rule for rule in RULES if rule not in told and rule not in ("deadline", "nothing left")
    ]
    assert not missing
