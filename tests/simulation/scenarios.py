"""Scenarios for tests: a seed gives jobs, a place, a season, and how much goes wrong."""

from __future__ import annotations

from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from muxd.job import Job
from muxd.recycling import Limits
from muxd.simulation import FaultRates, Scenario, simulate

DAYS = 10.0
"""How long one scenario is, days."""
START_DAYS = {
    "UTC": ("2026-05-04", "2026-12-29"),
    "Europe/Berlin": ("2026-03-27", "2026-10-23", "2026-06-01"),
    "America/New_York": ("2026-03-06", "2026-10-30", "2026-01-15"),
    "Australia/Lord_Howe": ("2026-04-03", "2026-10-02"),  # its summer time is half an hour
}
"""Most are a day or two before the clocks change."""
INTERVALS = (1200, 1800, 2700, 3600, 3600, 5400, 7200, 10800, 14400, 21600, 43200, 86400, 86400)
DENSITIES = ((3, 6), (4, 8), (6, 12), (12, 30))
"""Releases a day at least and at most, by all slots: what a day costs is what runs in it."""


async def never(run):
    raise AssertionError("bodies are not run")


def scenario_of(seed, *, days=DAYS, **fields):
    """The scenario of a seed: the same for the same."""
    random = Random(f"scenario/{seed}")
    jobs = jobs_of(random)
    zone = random.choice(sorted(START_DAYS))
    day = datetime.fromisoformat(random.choice(START_DAYS[zone])).replace(tzinfo=ZoneInfo(zone))
    everywhere = random.choice((0.0, 0.003, 0.01, 0.02, 0.04))
    hostile = {random.choice(jobs).name: 0.6} if everywhere and random.random() < 0.5 else {}
    limits = Limits(
        runs=random.choice((0, 7, 40)), age=random.choice((0, 86_400)), memory=500_000_000
    )
    return Scenario(
        **{
            "jobs": jobs,
            "zone": ZoneInfo(zone),
            "start": day.timestamp(),
            "days": days,
            "seed": seed,
            "rates": FaultRates(everywhere=everywhere, jobs=hostile),
            "limits": limits,
            "growth": random.choice((0.0, 5e6)),
            **fields,
        }
    )


def jobs_of(random):
    """Jobs of all kinds, that together ask for a few or a few dozen runs a day."""
    fewest, most = random.choice(DENSITIES)
    jobs, releases = [], 0.0
    while releases < fewest:
        interval = random.choice(INTERVALS)
        if releases + 86_400 / interval > most:
            continue
        releases += 86_400 / interval
        wish = random.choice((None, random.randrange(interval)))
        duration = random.choice((5, 10, 20, 30, 45, 60, 90))
        jobs.append(
            Job(
                f"job{len(jobs)}",
                never,
                interval=interval,
                duration=duration,
                timeout=duration * random.choice((2, 3, 5)),
                preferred_phase=wish,
                pinned=wish is not None and random.random() < 0.1,
                priority=random.choice((0, 25, 50, 50, 50, 75, 100)),
                retries=random.choice((0, 0, 1, 3)),
                overlap=random.choice(("coalesce", "coalesce", "skip", "queue_one")),
                misfire=random.choice(("run_once", "run_once", "skip", "all")),
                idempotent=random.random() < 0.5,
                session=random.choice(("main", "fresh", "shop")),
            )
        )
    return tuple(jobs)


def play(seed):
    """Simulate the scenario of a seed."""
    return simulate(scenario_of(seed))


def told(report):
    """Why a report is bad, with the command to see it again."""
    lines = [
        f"{report.broken_count} broken promises; again: python -m tests.simulation {report.seed}"
    ]
    for broken in report.broken[:3]:
        lines += [str(broken), *(f"    {line}" for line in broken.recent)]
    return "\n".join(lines)
