"""How muxd bears many jobs: its start, memory, answers and scheduling with 16 to 10,000 of them.

    python contrib/bench/scale.py [--jobs 16 100 1000 10000] [--json FILE]

For each number a real daemon with a real Chromium is started twice on the same state directory: the
first start makes the timetable, the second keeps it. Then what commands take, from outside. Linux only.

start      from the command to "started", seconds, first and again; the browser's launch is part of it
work       processor time of the daemon and its guard until then, seconds, first and again
muxd       memory of the daemon and its guard (PSS), MB; the browser and its driver not counted
status     median of the answers on the control socket, ms: `muxd status`
page       the same, of a page of `muxd status --jobs`
dashboard  the same, of the dashboard's first page
release    taking a release and finding the job's next place, microseconds of processor time
gap        finding the next free gap of the timetable, microseconds of processor time
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import entry_points
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import psutil

from muxd.agenda import Agenda, Due
from muxd.civil import Calendar
from muxd.control.client import ControlClient
from muxd.course import Course
from muxd.job import Job
from muxd.planning import demands_of
from muxd.release import Cause
from muxd.slotting import solve
from muxd.state import StateDir

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from muxd.running import Run

ASKED = 21
"""How often each answer is timed."""
RELEASES = 5_000
COMMANDS = (["--help"], ["--version"], ["status"], ["status", "--jobs"], ["jobs"])

PLUGIN = """
import muxd

async def body(run):
    await run.page.set_content("<h1>done</h1>")

@muxd.hookimpl
def muxd_jobs():
    for number in range({count}):
        yield muxd.Job(
            f"job{{number:05}}", body, interval="12h", duration=f"{{1 + number % 3}}s",
            preferred_phase=(number * 7919) % 43200 if number % 3 == 0 else None,
            description=f"Read page {{number}}.",
        )
"""


def main() -> None:
    """Print a row for each number of jobs, and one for each command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[16, 100, 1_000, 10_000])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    commands: dict[str, dict[str, float]] = {}
    columns = (
        "jobs", "start", "again", "work", "work again", "muxd", "status", "page", "dashboard",
        "release", "gap",
    )  # fmt: skip
    print("".join(f"{column:>11}" for column in columns), flush=True)
    for count in options.jobs:
        with tempfile.TemporaryDirectory(prefix="muxd-scale-") as folder:
            words = COMMANDS if count == options.jobs[-1] else ()
            row = {"jobs": count, **measured(Path(folder), count, words, commands), **core(count)}
        rows.append(row)
        print("".join(f"{row[column]:>11.4g}" for column in columns), flush=True)
    print(f"\ncommands beside {options.jobs[-1]} jobs, median seconds: wall, processor")
    for name, took in commands.items():
        print(f"  {name:22} {took['wall']:.3f}  {took['processor']:.3f}")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "commands": commands}, indent=2))


def measured(
    folder: Path, count: int, words: Iterable[list[str]], commands: dict[str, dict[str, float]]
) -> dict[str, float]:
    """What a daemon with so many jobs takes, and what these commands take beside it."""
    (folder / "jobs").mkdir()
    (folder / "jobs" / "many.py").write_text(PLUGIN.format(count=count))
    others = [point.name for point in entry_points(group="muxd")]
    (folder / "muxd.toml").write_text(
        f'[plugins]\njobs_dirs = ["jobs"]\ndisable = {json.dumps(others)}\n'
        'patience = "2m"\n'  # the machine may be busy
        f'[daemon]\nstate_dir = "state"\n'
    )
    with daemon(folder) as (ours, first):
        work = processor_time(ours)
    with daemon(folder) as (ours, again):
        work_again = processor_time(ours)
        memory = sum(each.memory_full_info().pss for each in ours)
        state = StateDir(folder / "state")
        client = ControlClient(state)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(state.socket))) as web:
            answers = {
                "status": client.status,
                "page": client.jobs,
                "dashboard": lambda: web.get("http://muxd/").raise_for_status(),
            }
            told = {
                name: median(timed(answer) for _ in range(ASKED))
                for name, answer in answers.items()
            }
        commands |= {"muxd " + " ".join(each): command(folder, each) for each in words}
    return {
        "start": first,
        "again": again,
        "work": work,
        "work again": work_again,
        "muxd": memory / 1e6,
        **{name: 1000 * seconds for name, seconds in told.items()},
    }


def processor_time(processes: Iterable[psutil.Process]) -> float:
    """Of all of them together, so far, seconds."""
    return float(sum(sum(each.cpu_times()[:2]) for each in processes))


def is_ours(process: psutil.Process) -> bool:
    """Whether it is a process of Python, and so neither the browser's nor the driver's."""
    try:
        return Path(process.exe()).name.startswith("python")
    except psutil.Error:  # it has just ended
        return False


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[tuple[list[psutil.Process], float]]:
    """A guard and its daemon that is up, and after how many seconds it was."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "muxd", "start", "--log-format", "json"]
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if json.loads(line)["event"] == "started":
                break
        else:
            raise SystemExit((folder / "stderr").read_text())
        took = time.perf_counter() - begun
        guard = psutil.Process(process.pid)
        yield [guard, *filter(is_ours, guard.children(recursive=True))], took
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        process.wait()


def timed(call: Any) -> float:
    """How long a call takes, seconds."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def command(folder: Path, words: list[str]) -> dict[str, float]:
    """How long a command takes as a process of its own, median of seven."""
    walls, processors = [], []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(
            timed(
                lambda: subprocess.run(
                    [sys.executable, "-m", "muxd", *words],
                    cwd=folder,
                    stdout=subprocess.DEVNULL,
                    env={**os.environ, "COLUMNS": "100"},
                    check=True,
                )
            )
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processors.append(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        )
    return {"wall": median(walls), "processor": median(processors)}


def core(count: int) -> dict[str, float]:
    """What a release costs, without browser and ledger."""

    async def body(run: Run) -> None:
        pass

    jobs = [Job(f"job{n:05}", body, interval="12h", duration=f"{1 + n % 3}s") for n in range(count)]
    table = solve(demands_of(jobs, {}))
    calendar, now, agenda = Calendar(ZoneInfo("Europe/Berlin")), 1_700_000_000.0, Agenda()
    courses = {
        job.name: Course(calendar, job, slot, now=now)
        for job, slot in zip(jobs, table.slots, strict=True)
    }
    for course in courses.values():
        agenda.put(Due(job=course.job, instant=course.next, cause=Cause.slot))
    begun = time.process_time()
    for _ in range(RELEASES):
        due = agenda.pop(agenda.next_instant)
        assert due is not None
        course = courses[due.job.name]
        course.advance(due.instant)
        agenda.put(Due(job=course.job, instant=course.next, cause=Cause.slot))
    released = time.process_time()
    for number in range(RELEASES):
        table.next_free(now + 8 * number, 1)
    ended = time.process_time()
    return {
        "release": 1e6 * (released - begun) / RELEASES,
        "gap": 1e6 * (ended - released) / RELEASES,
    }


if __name__ == "__main__":
    main()
