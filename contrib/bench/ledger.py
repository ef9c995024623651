"""How fast the ledger is: one write, and every question after years of runs.

    python contrib/bench/ledger.py [--runs 300000] [--directory DIR]

Sixteen jobs make about 300,000 runs a year. DIR (default: the system's directory for temporary
files) should be on the disk that is to be measured; what is made there is removed again.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from muxd.builtin.ledger import Ledger
from muxd.record import Outcome, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

JOBS = 16
START = 1_795_521_600.0
BATCH = 2000


def record(number: int, *, over: bool = True, speed: float = 1.0) -> Record:
    """A run as they are: most are ok, one in fifty failed."""
    at = START + 105 * number
    waiting = Record(
        id=f"{number:012x}",
        job=f"job-{number % JOBS}",
        plugin="bench",
        released_at=at,
        speed=speed,
    )
    if not over:
        return waiting
    failed = number % 50 == 7
    return Record(
        id=waiting.id,
        job=waiting.job,
        plugin="bench",
        released_at=at,
        started_at=at + 0.01,
        ended_at=at + 12 + number % 7,
        outcome=Outcome.failed if failed else Outcome.ok,
        error_type="playwright.async_api.TimeoutError" if failed else None,
        error="Locator.click: Timeout 30000ms exceeded. " * 10 if failed else None,
        result=None if failed else "24 headlines",
        browser_generation=1,
        speed=speed,
    )


def report(what: str, seconds: list[float]) -> None:
    """Print the median, the 95th percentile and the worst, in milliseconds."""
    ordered = sorted(seconds)
    p50, p95, worst = (ordered[round(share * (len(ordered) - 1))] for share in (0.5, 0.95, 1))
    print(f"{what:<46}{p50 * 1e3:9.2f}{p95 * 1e3:9.2f}{worst * 1e3:9.2f}")


async def timed(times: int, work: Callable[[int], Awaitable[object]]) -> list[float]:
    """How long each of `times` calls took."""
    taken = []
    for number in range(times):
        start = time.perf_counter()
        await work(number)
        taken.append(time.perf_counter() - start)
    return taken


def bare_fsync(directory: Path) -> list[float]:
    """What the disk needs for 4 KiB and an fdatasync: less than that no durable write can take."""
    fd = os.open(directory / "bare", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        taken = []
        for _ in range(200):
            start = time.perf_counter()
            os.write(fd, b"x" * 4096)
            os.fdatasync(fd)
            taken.append(time.perf_counter() - start)
        return taken
    finally:
        os.close(fd)


async def main(directory: Path, runs: int) -> None:
    """Measure on an empty ledger, fill it, and measure again."""
    print(f"{'milliseconds':<46}{'median':>9}{'p95':>9}{'worst':>9}")
    report("the disk: write 4 KiB, fdatasync", bare_fsync(directory))
    async with Ledger(directory).open() as ledger:
        first = 10**9  # ids after all others
        report(
            "write a release, empty ledger",
            await timed(300, lambda n: ledger.write(record(first + n, over=False))),
        )
        report("write its end", await timed(300, lambda n: ledger.write(record(first + n))))
        start = time.perf_counter()
        for number in range(0, runs, BATCH):
            await ledger.write(*map(record, range(number, min(number + BATCH, runs))))
        rate = runs / (time.perf_counter() - start)
        print(f"filled with {runs} runs, {rate:.0f} a second")
        # Rehearsals, which are good runs too but not to be learned from
        await ledger.write(*(record(2 * first + n, speed=60.0) for n in range(20_000)))
        first = 3 * first
        report(
            "write a release, full ledger",
            await timed(300, lambda n: ledger.write(record(first + n, over=False))),
        )
        report("write its end", await timed(300, lambda n: ledger.write(record(first + n))))
        report(
            "write 16 releases at once",
            await timed(
                50,
                lambda n: ledger.write(
                    *(record(2 * first + 16 * n + k, over=False) for k in range(16))
                ),
            ),
        )
        one, failed = "job-3", Outcome.failed
        report("history, 50", await timed(50, lambda _: ledger.history(limit=50)))
        report("history of a job, 50", await timed(50, lambda _: ledger.history(job=one, limit=50)))
        report("history of an outcome", await timed(50, lambda _: ledger.history(outcome=failed)))
        report(
            "history of a job and an outcome",
            await timed(50, lambda _: ledger.history(job="job-15", outcome=failed)),
        )
        report("history, 1000", await timed(20, lambda _: ledger.history(limit=1000)))
        report("unfinished (800)", await timed(20, lambda _: ledger.unfinished()))
        report("last releases", await timed(50, lambda _: ledger.last_releases()))
        report("learned", await timed(50, lambda _: ledger.learned()))

    async def opened(_: int) -> None:
        async with Ledger(directory).open(readonly=True):
            pass

    report("open and close, reading only", await timed(50, opened))
    size = (directory / "ledger.sqlite3").stat().st_size
    print(f"file: {size / 1e6:.0f} MB, {size / (runs + 20_000):.0f} bytes a run")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=300_000)
    parser.add_argument("--directory", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as made:
        trio.run(main, Path(made), given.runs)
