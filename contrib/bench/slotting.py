"""Quality and time of the slotter on sets of jobs, beside other ways to choose phases.

    python contrib/bench/slotting.py JOBS.json ... [--seeds N] [--budget STEPS]

Each file is one that `muxd plan --jobs-file` reads. For each set: what the certificate says, how
long planning and inserting one job take, and how long runs wait, both when durations are exact and
when they are lognormal with a coefficient of variation of one half.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

from muxd.slotting import Demand, Timetable, solve
from muxd.slotting.baselines import BASELINES
from muxd.slotting.jobsfile import read_jobs_file
from muxd.slotting.simulate import simulate

NOISE = 0.5
EVENTS = 20_000
"""Noisy runs are simulated over so many releases at least: short hyperperiods need many seeds."""


def main() -> None:
    """Print a block for each file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="JOBS.json")
    parser.add_argument("--seeds", type=int, default=0, help="of noisy durations [by the set]")
    parser.add_argument("--budget", type=int, default=None, help="steps of work [by the set]")
    options = parser.parse_args()
    for path in options.files:
        report(path.stem, read_jobs_file(path), options.seeds, options.budget)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB")


def report(name: str, demands: list[Demand], seeds: int, budget: int | None) -> None:
    """One set."""
    begun = time.perf_counter()
    table = solve(demands, budget=budget)
    took = time.perf_counter() - begun
    print(
        f"{name}: {len(demands)} jobs, utilisation {table.utilisation:.2f}, planned in {took:.2f} s"
    )
    moved = [s.moved for s in table.slots if s.preferred_phase is not None and not s.pinned]
    print(
        f"  {'no collision' if table.feasible else f'{len(table.collisions)} colliding pairs'}, "
        f"smallest gap {table.min_gap} s, mean distance from {len(moved)} preferences "
        f"{sum(moved) / max(1, len(moved)):.0f} s"
    )
    insert(demands, table)
    print(f"  {'':28} {'wait':>6} {'mean':>8} {'noisy':>6} {'mean':>8} {'p95':>8}  peak")
    for way, choose in BASELINES.items():
        row(way, demands, choose(demands), seeds)
    row("muxd", demands, table.phases, seeds)


def insert(demands: list[Demand], table: Timetable) -> None:
    """Take the middle job out and put it back beside the others."""
    if len(demands) < 3:
        return
    newcomer = demands[len(demands) // 2]
    rest = {name: phase for name, phase in table.phases.items() if name != newcomer.name}
    begun = time.perf_counter()
    after = solve(demands, fixed=rest)
    took = 1000 * (time.perf_counter() - begun)
    print(f"  inserting {newcomer.name}: {took:.0f} ms, {len(after.moved)} moved")


def row(way: str, demands: list[Demand], phases: dict[str, int], seeds: int) -> None:
    """Waiting under one choice of phases."""
    exact = simulate(demands, phases)
    count = seeds or max(2, min(100, EVENTS // max(1, exact.runs)))
    noisy = [simulate(demands, phases, noise=NOISE, seed=seed) for seed in range(count)]
    print(
        f"  {way:28} {exact.waited:6.1%} {exact.mean:8.2f} "
        f"{sum(n.waited for n in noisy) / count:6.1%} {sum(n.mean for n in noisy) / count:8.2f} "
        f"{sum(n.p95 for n in noisy) / count:8.1f}  {exact.peak}"
    )


if __name__ == "__main__":
    main()
