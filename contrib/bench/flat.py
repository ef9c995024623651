"""Flat for months: thousands of real runs in one go, and whether anything has grown.

    python contrib/bench/flat.py [--runs 10000] [--session main] [--folder build/bench]

A real daemon with a real Chromium and default settings does the job of `_bench.py` again and again, as
fast as it goes. After every hundredth run (or fiftieth part of all) it rests, and what it takes is
read: memory (PSS) of Python, of Playwright's driver and of the browser, file handles of Python and the
driver, processes, temporary files.

The first tenth of the runs is for warming up, and counts in no verdict: what is slow or large at first
only (Chromium does in its first minutes what it has put off, caches fill) would else be taken for the
level, below which later runs could get slower and grow unseen.

A browser that is recycled begins anew. It isn't looked at in the middle of that: whatever is due is
waited for first, and what was read counts only if the browser is the same afterwards. What is compared
is of equal phases: a line is fitted through what was read so many runs after a launch, with one slope
for all phases. Where nothing was recycled, it is one line through all.

A machine that is shared may be a tenth slower for half an hour, so the last runs can't be compared with
the first. When all are made, a new daemon is started beside the old one, and the two take turns, the
first of each pair drawn by lot: what has become slower with age is slower than what is new.

The verdicts: each memory's line moves by 5 % at most from one end to the other; the median ratio of the
old daemon's time to the new one's is within 5 % of 1 (the medians of the first tenth of the runs after
the warm-up and of the last tenth are told too); not one handle, process or temporary file more in the
last quarter than in the first (the medians: most come and go). The exit code is 0 if all hold, else 1.

All that is known is written to flat.json at each reading, so that a bench that is cut short has lost
nothing; it has verdicts only at the end. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import psutil
from _bench import PATIENCE, muxd_daemon, open_site
from flat_chart import draw

from muxd.browser.footprint import process_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from _bench import MuxdDaemon

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"
WITHIN = 0.05
"""How far from level is flat."""
REST = 1.0
"""How long the daemon has had nothing to do when it is looked at, seconds: it prepares the next page
meanwhile."""
MEMORY = ("python", "driver", "browser")
COUNTS = ("handles", "processes", "temporary")


@attrs.frozen(kw_only=True)
class Sample:
    """What was there after so many runs."""

    runs: int
    generation: int
    """Which browser since the start."""
    phase: int
    """How many runs this browser had made."""
    python: int
    """Memory of the daemon and its guard, bytes (PSS)."""
    driver: int
    browser: int
    handles: int
    """Of the daemon and the driver."""
    processes: int
    """In all."""
    temporary: int
    """Files."""


@attrs.frozen
class Verdict:
    """Whether one thing is flat."""

    what: str
    found: str
    holds: bool


@attrs.frozen
class _Resting:
    """A browser that is up, with nothing to do, and that isn't about to be recycled."""

    daemon: int
    """Its pid."""
    browser: int
    """Its pid."""
    generation: int
    runs: int
    """How many it has made."""

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> _Resting | None:
        """What `muxd status` says; None if it isn't so."""
        browser = status["browser"]
        if not browser["up"] or browser["recycling"] or status["running"] or status["waiting"]:
            return None
        return cls(status["pid"], browser["pid"], browser["generation"], browser["runs"])


def sample(daemon: MuxdDaemon, folder: Path, runs: int) -> Sample:
    """Look at all of it, when it has come to rest; again, if it didn't stay so meanwhile.

    Raises:
      TimeoutError: it has not stayed so for `PATIENCE`.
    """
    end, ended = time.monotonic() + PATIENCE, "it had work"
    while time.monotonic() < end:
        resting = _Resting.of(daemon.status())
        time.sleep(REST)
        if resting is None or _Resting.of(daemon.status()) != resting:
            continue
        try:
            seen = _look(daemon, folder, runs, resting)
        except (psutil.Error, ValueError) as error:  # a process has ended meanwhile, or the driver
            ended = repr(error)
            continue
        if _Resting.of(daemon.status()) == resting:
            return seen
    raise TimeoutError(f"after {runs} runs muxd did not rest within {PATIENCE:g} s: {ended}")


def _look(daemon: MuxdDaemon, folder: Path, runs: int, resting: _Resting) -> Sample:
    root = psutil.Process(daemon.pid)
    tree = [root, *root.children(recursive=True)]
    [driver] = (each for each in tree if _is_driver(each))
    # All else is the browser's: its crash handlers are children of the daemon.
    python = [each for each in tree if each.pid in (root.pid, resting.daemon)]
    browser = [each for each in tree if each != driver and each not in python]
    return Sample(
        runs=runs,
        generation=resting.generation,
        phase=resting.runs,
        python=_memory(python),
        driver=_memory([driver]),
        browser=_memory(browser),
        handles=psutil.Process(resting.daemon).num_fds() + driver.num_fds(),
        processes=len(tree),
        temporary=_temporary(folder),
    )


def _is_driver(process: psutil.Process) -> bool:
    try:
        return "run-driver" in process.cmdline()
    except psutil.Error:  # one that has ended, and waits for somebody to take note
        return False


def _temporary(folder: Path) -> int:
    """How many files there are, without the profile, the ledger and the logs: those are to stay."""
    count = 0
    for place, folders, files in os.walk(folder):
        if Path(place).name == "state":
            folders[:] = [name for name in folders if name == "tmp"]
        else:
            count += len(files)
    return count


def _memory(processes: Iterable[psutil.Process]) -> int:
    total = 0
    for process in processes:
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            total += process_memory(Path("/proc") / str(process.pid))
    return total


def drift(samples: Sequence[Sample], what: str) -> float:
    """How far the line through these moves from the first to the last, as a share of the mean.

    Each phase has a level of its own, all have one slope; where there is only one browser, all is one
    phase.
    """
    several = len({each.generation for each in samples}) > 1
    step = samples[1].runs - samples[0].runs
    phases: dict[int, list[Sample]] = defaultdict(list)
    for each in samples:
        phases[each.phase // step if several else 0].append(each)
    together = squares = 0.0
    for alike in phases.values():
        runs = statistics.fmean(each.runs for each in alike)
        level = statistics.fmean(getattr(each, what) for each in alike)
        together += sum((e.runs - runs) * (getattr(e, what) - level) for e in alike)
        squares += sum((e.runs - runs) ** 2 for e in alike)
    slope = together / squares if squares else 0.0
    mean = statistics.fmean(getattr(each, what) for each in samples)
    return slope * (samples[-1].runs - samples[0].runs) / mean


def judge(
    samples: Sequence[Sample], seconds: Sequence[float], pairs: Sequence[tuple[float, float]]
) -> list[Verdict]:
    """What holds.

    Args:
      samples: in order, those of the warm-up too; ten after it, at least.
      seconds: how long each run took.
      pairs: how long runs of the old daemon and of a new one took, by turns.
    """
    tenth = max(1, len(seconds) // 10)
    warm = [each for each in samples if each.runs > tenth]
    verdicts = []
    for what in MEMORY:
        moved = drift(warm, what)
        level = statistics.fmean(getattr(each, what) for each in warm) / 1e6
        text = f"{moved:+.1%} over {warm[-1].runs - warm[0].runs} runs, at {level:.0f} MB"
        verdicts.append(Verdict(f"memory of {what}", text, abs(moved) <= WITHIN))
    first = statistics.median(seconds[tenth : 2 * tenth])
    last = statistics.median(seconds[-tenth:])
    low, aged, high = statistics.quantiles((old / new for old, new in pairs), n=4)
    text = (
        f"{1000 * first:.0f} ms, then {1000 * last:.0f} ms; beside a new daemon {aged:.3f} of its time "
        f"({len(pairs)} pairs, the middle half {low:.2f} to {high:.2f})"
    )
    verdicts.append(Verdict("median time of a run", text, abs(aged - 1) <= WITHIN))
    quarter = len(warm) // 4
    for what in COUNTS:
        before, after = (
            statistics.median(getattr(each, what) for each in part)
            for part in (warm[:quarter], warm[-quarter:])
        )
        name = "temporary files" if what == "temporary" else what
        verdicts.append(Verdict(name, f"{before:g}, then {after:g}", after <= before))
    return verdicts


@attrs.define
class Results:
    """What is known so far."""

    session: str
    runs: int
    """How many are to be made."""
    samples: list[Sample] = attrs.field(factory=list)
    seconds: list[float] = attrs.field(factory=list)
    """How long each run took."""
    pairs: list[tuple[float, float]] = attrs.field(factory=list)
    """How long the runs after those took, the old daemon's and a new one's, by turns."""
    verdicts: list[Verdict] = attrs.field(factory=list)
    """Empty until all runs are made."""

    def write(self, folder: Path) -> None:
        """Write it there, in the place of what was there before."""
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / "flat.json.new"
        new.write_text(json.dumps(attrs.asdict(self)) + "\n")
        new.replace(folder / "flat.json")


def measure(results: Results, into: Path) -> None:
    """Make the runs. What was seen is added to the results, and written as it comes."""
    runs, seconds, samples = results.runs, results.seconds, results.samples
    every = max(1, min(100, runs // 50))
    with tempfile.TemporaryDirectory(prefix="muxd-flat-") as folder, open_site() as url:
        # All temporary files of muxd are there, and its state directory too.
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        with muxd_daemon(url, session=results.session) as daemon:
            for number in range(1, runs + 1):
                seconds.append(daemon.job())
                if number % every == 0:
                    samples.append(sample(daemon, Path(folder), number))
                    results.write(into)
                    _tell(samples[-1], statistics.median(seconds[-every:]))
            with muxd_daemon(url, session=results.session) as new:
                results.pairs.extend(by_turns(daemon, new, max(20, min(500, runs // 20))))


def by_turns(old: MuxdDaemon, new: MuxdDaemon, number: int) -> Iterator[tuple[float, float]]:
    """How long so many runs of each take, after half as many for warming up."""
    order = random.Random("flat")
    for n in range(-(number // 2), number):
        if order.random() < 0.5:
            first = old.job()
            pair = first, new.job()
        else:
            second = new.job()
            pair = old.job(), second
        if n >= 0:
            yield pair


def _tell(seen: Sample, median: float) -> None:
    sizes = ", ".join(f"{what} {getattr(seen, what) / 1e6:.0f} MB" for what in MEMORY)
    counts = ", ".join(f"{what} {getattr(seen, what)}" for what in COUNTS)
    print(
        f"{seen.runs:6} runs, browser {seen.generation}: {1000 * median:.0f} ms; {sizes}; {counts}",
        flush=True,
    )


def main() -> int:
    """Measure, print and write; 0 if all is flat."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=10_000, help="100 or more (default: 10000)")
    parser.add_argument("--session", default="main", help="of the job (default: main)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="(default: build/bench)")
    options = parser.parse_args()
    if options.runs < 100:
        parser.error("--runs: 100 or more")
    results = Results(options.session, options.runs)
    try:
        measure(results, options.folder)
    finally:
        results.write(options.folder)
    results.verdicts = judge(results.samples, results.seconds, results.pairs)
    results.write(options.folder)
    (options.folder / "flat.svg").write_text(draw(attrs.asdict(results)))
    for each in results.verdicts:
        print(f"{'holds' if each.holds else 'FAILS':6} {each.what}: {each.found}")
    return 0 if all(each.holds for each in results.verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
