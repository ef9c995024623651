"""A ledger of years beside one of days: whatever is asked or written takes as long.

    python contrib/bench/ledger.py [--runs 10000 10000000] [--jobs 16] [--directory DIR]

Makes a ledger of each size, and then does everything to them by turns: milliseconds, the medians, and
the median of the ratios of pairs. Sixteen jobs make about 300,000 runs a year; ten million need
4 GB in DIR (default: the system's directory for temporary files), which should be on the disk that
is to be measured. What is made there is removed again.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import psutil
import trio

from muxd.builtin import _ledger_prune, _ledger_schema
from muxd.builtin.ledger import FILE_NAME, SETTLED_AFTER, Ledger
from muxd.record import Outcome, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

START = 1_795_521_600
EVERY = 105
"""Seconds between two runs."""

# As runs are: most are ok, one in fifty failed and has a long message, one in a thousand is tried again.
RUNS = """
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :runs)
INSERT INTO runs (id, job, plugin, cause, attempt, first_id, released_us, started_us, ended_us,
                  outcome, error_type, error, result, session, browser_generation, speed)
SELECT printf('%014x', n), printf('job-%05d', n % :jobs), 'bench',
       iif(n % 1000 = 8, 'retry', 'slot'), iif(n % 1000 = 8, 2, 1),
       iif(n % 1000 = 8, printf('%014x', n - 1), NULL),
       (:start + :every * n) * 1000000, (:start + :every * n) * 1000000 + 10000,
       (:start + :every * n + 12 + n % 7) * 1000000,
       iif(n % 50 = 7, 'failed', 'ok'),
       iif(n % 50 = 7, 'playwright.async_api.TimeoutError', NULL),
       iif(n % 50 = 7, printf('%.*c', 420, 'x'), NULL),
       iif(n % 50 = 7, NULL, '24 headlines'), 'main', 1, 1.0
FROM number
"""


@attrs.frozen
class Size:
    """One of the two ledgers."""

    runs: int
    jobs: int
    directory: Path

    def make(self) -> None:
        """Fill it, as fast as SQLite can: the indices come last, and nothing waits for the disk."""
        path = self.directory / FILE_NAME
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute("PRAGMA synchronous = OFF")
            file.execute("PRAGMA cache_size = -200000")
            _ledger_schema.create(file)
            indices = file.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            ).fetchall()
            for name, _ in indices:
                file.execute(f"DROP INDEX {name}")
            file.execute("BEGIN")
            file.execute(
                RUNS, {"runs": self.runs, "jobs": self.jobs, "start": START, "every": EVERY}
            )
            for _, statement in indices:
                file.execute(statement)
            file.execute("COMMIT")
        path.chmod(0o600)

    @property
    def name_of_the_middle(self) -> str:
        """The id of the run in the middle."""
        return f"{self.runs // 2:014x}"

    def at(self, number: int) -> int:
        """When a run was released, Unix seconds."""
        return START + EVERY * number

    def new(self, number: int, **fields: Any) -> Record:
        """A run after all that were made."""
        at = self.at(self.runs + number)
        job = f"job-{number % self.jobs:05}"
        own: dict[str, Any] = {
            "id": f"{self.runs + number:014x}",
            "job": job,
            "plugin": "bench",
            "released_at": at,
        }
        return Record(**(own | fields))


@attrs.define
class Case:
    """One ledger, open, and what has been done to it."""

    size: Size
    ledger: Ledger
    hurried: Ledger
    """The same, where writes don't wait for the disk."""
    middle: Record | None = None
    """A run in the middle of it."""
    made: int = 0
    plan: _ledger_prune.Plan | None = None

    async def run(self, ledger: Ledger) -> None:
        """The three writes of a run."""
        new = self.size.new(self.made)
        self.made += 1
        await ledger.write(new)
        started = attrs.evolve(new, started_at=new.released_at + 1, browser_generation=1)
        await ledger.write(started)
        over = attrs.evolve(started, ended_at=new.released_at + 13.5, outcome=Outcome.ok)
        await ledger.write(over)

    async def reopen(self, *, readonly: bool) -> None:
        """Open and close it."""
        async with Ledger(self.size.directory).open(readonly=readonly):
            pass

    def file(self) -> sqlite3.Connection:
        """Its connection, for what is a part of a call only."""
        connection = self.ledger._file._connection
        assert connection is not None
        return connection

    async def delete(self) -> None:
        """One step of pruning."""
        assert self.plan is not None
        assert self.plan.delete_some(self.file())

    async def shrink(self) -> None:
        """One step of giving room back."""
        self.file().execute(f"PRAGMA incremental_vacuum({_ledger_prune.STEP})").fetchall()

    async def check(self) -> None:
        """Look through all of it."""
        await self.ledger.check()

    async def halve(self) -> None:
        """What a prune does first: the place of the last that goes, if half of the runs may stay."""
        _ledger_prune.plan(self.file(), 0, self.size.runs // 2)

    async def settle(self) -> None:
        """Bring the WAL of as many changes as it takes into the file; the writes count, too."""
        for _ in range(SETTLED_AFTER // 3 + 1):
            await self.run(self.hurried)
        self.ledger._unsettled = SETTLED_AFTER
        await self.ledger.settle()


def week(case: Case) -> dict[str, Any]:
    """A week in the middle."""
    middle = case.size.at(case.size.runs // 2)
    return {"since": middle - 7 * 86_400, "until": middle}


FAILED = Outcome.failed
READ: list[tuple[str, int, Callable[[Case], Awaitable[object]]]] = [
    ("history, 50", 50, lambda c: c.ledger.history(limit=50)),
    ("history of a job, 50", 50, lambda c: c.ledger.history(job="job-00003", limit=50)),
    ("history of an outcome, 50", 50, lambda c: c.ledger.history(outcome=FAILED, limit=50)),
    (
        "history of both, 20",
        50,
        lambda c: c.ledger.history(job="job-00007", outcome=FAILED, limit=20),
    ),
    ("history of a week, 50", 50, lambda c: c.ledger.history(**week(c), limit=50)),
    (
        "history of a job's week, 50",
        50,
        lambda c: c.ledger.history(**week(c), job="job-00003", limit=50),
    ),
    ("history, a page in the middle", 50, lambda c: c.ledger.history(before=c.middle, limit=50)),
    ("history, 1000", 10, lambda c: c.ledger.history(limit=1000)),
    ("show a run", 50, lambda c: c.ledger.get(c.size.name_of_the_middle)),
    (
        "find it by the beginning of its id",
        50,
        lambda c: c.ledger.find(c.size.name_of_the_middle[:-1]),
    ),
    ("find a run by the end of its id", 20, lambda c: c.ledger.find(c.size.new(-9).id[-6:])),
    ("its tries", 50, lambda c: c.ledger.tries(c.size.name_of_the_middle)),
    ("unfinished", 50, lambda c: c.ledger.unfinished()),
    ("each job's newest release", 20, lambda c: c.ledger.last_releases()),
    ("durations of all jobs", 20, lambda c: c.ledger.learned()),
    ("open to read, and close", 20, lambda c: c.reopen(readonly=True)),
]
WRITTEN: list[tuple[str, int, Callable[[Case], Awaitable[object]]]] = [
    ("a run: three writes", 100, lambda c: c.run(c.ledger)),
    ("the same, not waiting for the disk", 300, lambda c: c.run(c.hurried)),
    ("17 runs, and bring the WAL into the file", 20, lambda c: c.settle()),
]
PRUNED: list[tuple[str, int, Callable[[Case], Awaitable[object]]]] = [
    (f"delete {_ledger_prune.AT_ONCE} runs", 50, lambda c: c.delete()),
    (f"give {_ledger_prune.STEP} pages back", 3, lambda c: c.shrink()),
]


async def timed(work: Callable[[Case], Awaitable[object]], case: Case) -> float:
    """How long one call took, milliseconds."""
    start = time.perf_counter()
    await work(case)
    return 1e3 * (time.perf_counter() - start)


async def compare(
    rows: list[tuple[str, int, Callable[[Case], Awaitable[object]]]], small: Case, large: Case
) -> None:
    """Do each by turns, and print a line."""
    for what, times, work in rows:
        await both(work, small, large)
        report(what, [await both(work, small, large) for _ in range(times)])


async def both(
    work: Callable[[Case], Awaitable[object]], small: Case, large: Case
) -> tuple[float, float]:
    """How long one call took with each, milliseconds."""
    return await timed(work, small), await timed(work, large)


def report(what: str, pairs: list[tuple[float, float]]) -> None:
    """One line of the table."""
    few, many = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(large / small for small, large in pairs)
    print(f"| {what:<41}| {few:10.2f} | {many:10.2f} | {ratio:7.2f} |", flush=True)


def bare_flush(directory: Path) -> float:
    """What the disk needs for 4 KiB and an fdatasync, milliseconds: no durable write takes less."""
    fd = os.open(directory / "bare", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        taken = []
        for _ in range(200):
            start = time.perf_counter()
            os.write(fd, b"x" * 4096)
            os.fdatasync(fd)
            taken.append(1e3 * (time.perf_counter() - start))
        return statistics.median(taken)
    finally:
        os.close(fd)


async def once(size: Size) -> None:
    """Do what a daemon does at its start and later, in this process; print the memory it took, MB."""
    async with Ledger(size.directory).open() as ledger:
        await ledger.unfinished()
        await ledger.learned()
        await ledger.history(limit=1000)
        for number in range(100):
            await ledger.write(size.new(10**6 + number, outcome=Outcome.missed))
        print(psutil.Process().memory_info().rss / 1e6)


def memory(size: Size) -> float:
    """What a process takes that does so, with Python and muxd, MB."""
    told = subprocess.run(
        [sys.executable, __file__, "--once", str(size.directory), str(size.runs), str(size.jobs)],
        check=True,
        stdout=subprocess.PIPE,
    )
    return float(told.stdout)


async def main(sizes: list[Size]) -> None:
    """Make both, and compare them."""
    print(f"the disk: write 4 KiB and flush it: {bare_flush(sizes[0].directory):.2f} ms")
    for size in sizes:
        start = time.perf_counter()
        size.make()
        bytes_ = (size.directory / FILE_NAME).stat().st_size
        print(
            f"{size.runs} runs of {size.jobs} jobs: {bytes_ / 1e6:.0f} MB, "
            f"{bytes_ / size.runs:.0f} bytes a run, made in {time.perf_counter() - start:.0f} s"
        )
    small, large = (f"{size.runs:,}" for size in sizes)
    print(f"\n| milliseconds, median{'':<20} | {small:>10} | {large:>10} | {'ratio':>7} |")
    print(f"| {'---':<41}| {'---:':>10} | {'---:':>10} | {'---:':>7} |")
    few, many = (Case(size, Ledger(size.directory), Ledger(size.directory)) for size in sizes)
    await compare([("open to write, and close", 5, lambda c: c.reopen(readonly=False))], few, many)
    report("memory of a process that uses it, MB", [(memory(few.size), memory(many.size))])
    async with AsyncExitStack() as stack:
        cases = []
        for size in sizes:
            ledger = await stack.enter_async_context(Ledger(size.directory).open())
            hurried = await stack.enter_async_context(Ledger(size.directory, durable=False).open())
            cases.append(Case(size, ledger, hurried, await ledger.get(size.name_of_the_middle)))
        few, many = cases
        await compare(READ, few, many)
        await compare(WRITTEN, few, many)
        for case in cases:
            old = case.size.at(case.size.runs // 2)
            case.plan = _ledger_prune.plan(case.file(), old, case.size.runs)
        await compare(PRUNED, few, many)
        report("check all of it, beside all else", [await both(Case.check, few, many)])
        report("find where half of the runs begin", [await both(Case.halve, few, many)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, nargs=2, default=(10_000, 10_000_000))
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        where, runs, jobs = given.once
        trio.run(once, Size(int(runs), int(jobs), Path(where)))
    else:
        with tempfile.TemporaryDirectory(dir=given.directory) as made:
            directories = [Path(made, str(number)) for number in range(2)]
            for directory in directories:
                directory.mkdir()
            trio.run(
                main,
                [
                    Size(runs, given.jobs, directory)
                    for runs, directory in zip(given.runs, directories, strict=True)
                ],
            )
