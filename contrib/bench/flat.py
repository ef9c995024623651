"""Flat for months: thousands of real runs in one go, and whether anything has grown.

    python contrib/bench/flat.py [--runs 10000] [--session main] [--folder build/bench]

A real daemon with a real Chromium and default settings does the job of `_bench.py` again and again, as
fast as it goes. After every hundredth run (or fiftieth part of all) it rests, and what it takes is
read: memory (PSS) of Python, of Playwright's driver and of the browser, file handles of Python and the
driver, processes, temporary files. The first tenth of the runs is for warming up.

A browser that is recycled begins anew. So what is compared is of equal phases: a line is fitted
through what was read so many runs after a launch, with one slope for all phases. Where nothing was
recycled, it is one line through all.

The verdicts: each memory's line moves by 5 % at most from one end to the other; the median time of the
last tenth of the runs is within 5 % of that of the first tenth after the warm-up; not one handle,
process or temporary file more in the last quarter than in the first (the least of each: what comes and
goes only adds to that). The exit code is 0 if all hold, else 1. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import psutil
from _bench import muxd_daemon, open_site
from flat_chart import draw

from muxd.browser.footprint import process_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _bench import MuxdDaemon

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"
WITHIN = 0.05
"""How far from level is flat."""
REST = 1.0
"""How long the daemon rests before it is looked at, seconds: it prepares the next page meanwhile."""
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


def sample(daemon: MuxdDaemon, folder: Path, runs: int, launched_at: dict[int, int]) -> Sample:
    """Look at all of it."""
    status = daemon.status()
    generation = status["browser"]["generation"]
    root = psutil.Process(daemon.pid)
    tree = [root, *root.children(recursive=True)]
    [driver] = (each for each in tree if "run-driver" in each.cmdline())
    browser = driver.children(recursive=True)
    python = [each for each in tree if each != driver and each not in browser]
    return Sample(
        runs=runs,
        generation=generation,
        phase=runs - launched_at.setdefault(generation, runs - 1),
        python=_memory(python),
        driver=_memory([driver]),
        browser=_memory(browser),
        handles=psutil.Process(status["pid"]).num_fds() + driver.num_fds(),
        processes=len(tree),
        temporary=_temporary(folder),
    )


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


def judge(samples: Sequence[Sample], seconds: Sequence[float]) -> list[Verdict]:
    """What holds.

    Args:
      samples: in order, those of the warm-up too; ten after it, at least.
      seconds: how long each run took.
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
    text = f"{1000 * first:.0f} ms, then {1000 * last:.0f} ms"
    verdicts.append(Verdict("median time of a run", text, abs(last / first - 1) <= WITHIN))
    quarter = len(warm) // 4
    for what in COUNTS:
        before, after = (
            min(getattr(each, what) for each in part) for part in (warm[:quarter], warm[-quarter:])
        )
        name = "temporary files" if what == "temporary" else what
        verdicts.append(Verdict(name, f"{before}, then {after}", after <= before))
    return verdicts


def measure(runs: int, session: str) -> tuple[list[Sample], list[float]]:
    """Make the runs; what was seen, and how long each took, seconds."""
    every = max(1, min(100, runs // 50))
    samples: list[Sample] = []
    seconds: list[float] = []
    launched_at: dict[int, int] = {}
    with tempfile.TemporaryDirectory(prefix="muxd-flat-") as folder, open_site() as url:
        # All temporary files of muxd are there, and its state directory too.
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        with muxd_daemon(url, session=session) as daemon:
            for number in range(1, runs + 1):
                seconds.append(daemon.job())
                launched_at.setdefault(daemon.last["browser_generation"], number - 1)
                if number % every == 0:
                    time.sleep(REST)
                    samples.append(sample(daemon, Path(folder), number, launched_at))
                    _tell(samples[-1], statistics.median(seconds[-every:]))
    return samples, seconds


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
    samples, seconds = measure(options.runs, options.session)
    verdicts = judge(samples, seconds)
    results = {
        "session": options.session,
        "samples": [attrs.asdict(each) for each in samples],
        "seconds": seconds,
        "verdicts": [attrs.asdict(each) for each in verdicts],
    }
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "flat.json").write_text(json.dumps(results) + "\n")
    (options.folder / "flat.svg").write_text(draw(results))
    for each in verdicts:
        print(f"{'holds' if each.holds else 'FAILS':6} {each.what}: {each.found}")
    return 0 if all(each.holds for each in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
