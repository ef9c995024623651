"""Repeat scenarios, or run many: ``python -m tests.simulation SEED...``, or ``--days 100000``."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from .scenarios import DAYS, play, told


def main():
    """Exit code 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("seeds", type=int, nargs="*", help="scenarios to repeat")
    parser.add_argument(
        "--days", type=float, default=0.0, help="how many days in all, from --first on"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    options = parser.parse_args()
    seeds = options.seeds or range(options.first, options.first + round(options.days / DAYS))
    began, bad, runs = time.monotonic(), [], 0
    with multiprocessing.get_context("spawn").Pool(options.cores) as pool:
        for number, report in enumerate(pool.imap_unordered(play, seeds), 1):
            runs += report.runs
            if report.broken_count:
                bad.append(report.seed)
                print(told(report), flush=True)
            if number % 200 == 0 or number == len(seeds):
                seconds = time.monotonic() - began
                print(
                    f"{number * DAYS:.0f} days, {runs} runs, {len(bad)} bad seeds, {seconds:.0f} s",
                    flush=True,
                )
    if bad:
        print("bad seeds:", *sorted(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
