"""A soak: a real daemon and a real Chromium, hostile jobs beside honest ones, and a verdict.

    python contrib/soak.py                 half an hour
    python contrib/soak.py --minutes 5     a shorter one
    python contrib/soak.py --seed 7        other faults at other times

It starts `muxd start` on a state directory of its own, with honest jobs and with jobs that do all
that is in `tests/faults/`, kills browsers, drivers and renderers at random, resumes what muxd pauses,
and looks every ten seconds at the memory (PSS), the file handles and the number of all processes.
At the end it says whether every honest release was `ok` and accounted for exactly once, and whether
memory, handles and processes are what they were; the exit code is 0 if so, else 1. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import attrs
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.faults.site import open_site  # noqa: E402 - only where the tests are

HONEST = {  # name: (interval, phase), seconds; the phases leave 12 s of every 20 to the others
    "honest-0": (40, 0),
    "honest-1": (40, 1),
    "honest-2": (40, 2),
    "honest-3": (40, 3),
    "honest-4": (60, 4),
    "honest-5": (60, 5),
    "honest-6": (60, 6),
    "honest-7": (60, 7),
}
EVERY = 10.0
"""Seconds between two looks."""
KILL_EVERY = (35.0, 75.0)
"""Seconds between two kills, at random."""
RESUME_EVERY = 60.0
"""Seconds between two pardons of paused jobs."""
WARM_UP = 0.3
"""The share of the time in which memory finds its level."""
GROWTH = 0.05
"""How much more memory the daemon and driver may take at the end than after the warm-up."""
SLACK = 4 * 2**20
"""Bytes below which a difference of memory is none: Python's own ups and downs."""
BROWSER_GROWTH = 0.15
"""The same for the browser: its caches fill as chance has it."""

JOBS = '''
import itertools, os, random, sys, time

sys.path.insert(0, {root!r})

import muxd
from muxd import Job
from tests.faults import bodies, network, pages

URL = {url!r}


def honest(number, interval, phase):
    async def body(run):
        page = run.page
        assert len(run.context.pages) <= 2, run.context.pages
        await page.goto(URL)
        async with page.expect_navigation():
            await page.click("a")
        return await page.inner_text("h1")

    sessions = ("main", "fresh", "named")
    return Job(
        f"honest-{{number}}", body, interval=interval, preferred_phase=phase, pinned=True,
        duration="1s", timeout="15s", session=sessions[number % 3], priority="high",
        retries=4, idempotent=True, expects_result=True, overlap="queue_one",
    )


def hostile(name, interval, faults, session, timeout="2s", duration="4s"):
    """Does one of them after the other: first those that cost memory, the rest in any order.

    Those cost what they cost two or three times over before memory has found its level.
    """
    big = [fault for fault in faults if fault in BIG]
    rest = [fault for fault in faults if fault not in BIG]
    random.Random(f"{seed} {{name}}").shuffle(rest)
    order = itertools.chain(2 * big, itertools.cycle(big + rest))

    async def body(run):
        return await next(order)(run, URL)

    return Job(
        f"hostile-{{name}}", body, interval=interval, duration=duration, timeout=timeout,
        session=session, priority="low",
    )


BIG = [
    pages.popup_storm, pages.console_flood, pages.million_nodes, network.flood, network.bomb,
    bodies.huge_text, bodies.huge_error,
]


async def blocks(run, url):
    time.sleep(6)


PAGES = [
    pages.loop, pages.loop_in_the_page, pages.loop_in_a_popup, pages.loop_in_beforeunload,
    pages.alerts, pages.prompts, pages.dialog_left_open, pages.beforeunload_dialog,
    pages.popup_storm, pages.popups_for_ever, pages.service_worker, pages.websocket_left_open,
    pages.download_left_running, pages.download_awaited, pages.million_nodes,
    pages.console_flood, pages.navigates_during_evaluate, pages.frame_bomb, pages.timers_left,
    pages.closes_itself, pages.listener_raises, pages.route_raises, pages.route_never_fulfils,
    pages.file_chooser, pages.pdf_viewer,
]
NETWORK = [
    network.never, network.never_for_a_frame, network.drip, network.reset, network.cut,
    network.flood, network.flood_by_fetch, network.bomb, network.redirects, network.refreshes,
    network.relocates, network.no_tls, network.nobody_listens, network.password,
]
BODIES = [
    bodies.swallows_cancellation, bodies.shielded, bodies.swallows_playwrights,
    bodies.waits_for_a_future, bodies.waits_for_an_event, bodies.huge_text, bodies.huge_error,
    bodies.repr_raises, bodies.exits, bodies.interrupts, bodies.exception_group,
    bodies.tries_again_for_ever, bodies.stops_the_loop, bodies.closes_the_context, bodies.closes_the_browser,
]
LEAKS = [
    bodies.forks, bodies.forks_and_stays, bodies.leaves_a_process, bodies.leaves_a_daemon,
    bodies.leaves_asyncio_tasks, bodies.many_contexts, bodies.many_listeners, bodies.thread_left,
]


@muxd.hookimpl
def muxd_jobs():
    jobs = [honest(n, *place) for n, place in enumerate({places!r})]
    jobs += [
        hostile("pages", "40s", PAGES, "main"),
        hostile("network", "40s", NETWORK, "main"),
        hostile("fresh", "160s", [p for p in PAGES if p not in BIG], "fresh"),
        hostile("bodies", "80s", BODIES, "main"),
        hostile("leaks", "160s", LEAKS, "main", timeout="6s"),
        hostile("blocks", "160s", [blocks], "fresh", timeout="8s", duration="8s"),
    ]
    return jobs
'''


@attrs.frozen
class Look:
    """What was seen at one moment."""

    at: float
    pid: int
    generation: int
    age: float
    """Of the browser, seconds."""
    daemon: int
    driver: int
    browser: int
    """Memory, bytes (PSS)."""
    handles: int
    """Of the daemon."""
    processes: int
    """In all, without the soak's own."""


class Soak:
    """One daemon, from start to verdict."""

    def __init__(self, folder: Path, url: str, seed: int) -> None:
        self.folder, self.state, self.random = folder, folder / "state", random.Random(seed)
        jobs = folder / "jobs"
        jobs.mkdir()
        places = list(HONEST.values())
        text = JOBS.format(root=str(ROOT), url=url, places=places, seed=seed)
        (jobs / "soak.py").write_text(text)
        config = folder / "muxd.toml"
        config.write_text(
            f'[plugins]\ndisable = ["demo"]\njobs_dirs = ["{jobs}"]\n[daemon]\ntimezone = "UTC"\n'
        )
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MUXD_")}
        self.environ = clean | {
            "MUXD_CONFIG": str(config),
            "MUXD_STATE_DIR": str(self.state),
            "MUXD_WEB_PORT": "0",
        }
        self.output = folder / "output.txt"
        self.looks: list[Look] = []
        self.kills: Counter[str] = Counter()
        self.resumed: Counter[str] = Counter()
        self.most = (0, 0)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "muxd", "start", "--log-format", "json"],
                env=self.environ,
                cwd=folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def call(self, *args: str) -> str:
        """A command of muxd's; empty if it fails, as it may while the daemon restarts."""
        done = subprocess.run(
            [sys.executable, "-m", "muxd", *args],
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout if done.returncode == 0 else ""

    def status(self) -> dict | None:
        """What `muxd status` says; None if it doesn't."""
        text = self.call("status", "--json")
        return json.loads(text) if text else None

    def wait_running(self) -> None:
        """Wait until it runs, or give up."""
        end = time.monotonic() + 150
        while (status := self.status()) is None or status["state"] != "running":
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"muxd did not start:\n{self.output.read_text()[-3000:]}")

    def processes(self) -> list[psutil.Process]:
        """All of muxd's: the guard, the daemon, the driver, the browser and what runs have left."""
        with contextlib.suppress(psutil.Error):
            guard = psutil.Process(self.process.pid)
            return [guard, *guard.children(recursive=True)]
        return []

    def kinds(self) -> dict[str, list[psutil.Process]]:
        """The processes by what they are: `daemon` (the guard too), `driver`, `browser`, ..."""
        found: dict[str, list[psutil.Process]] = {}
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                line = " ".join(process.cmdline())
                if "run-driver" in line:
                    kind = "driver"
                elif "--type=renderer" in line:
                    kind = "renderer"
                elif "--type=" in line or "crashpad" in line:
                    kind = "helper"
                elif "--user-data-dir=" in line:
                    kind = "browser"
                else:
                    kind = "daemon" if "muxd" in line else "other"
                found.setdefault(kind, []).append(process)
        return found

    def look(self) -> None:
        """Note what is to be seen now; nothing while the daemon or the browser is not up."""
        status = self.status()
        if status is None or not status["browser"]["up"]:
            return
        browsers, runs = status["browser"]["most_at_once"], status["runs"]["most_at_once"]
        self.most = (max(self.most[0], browsers), max(self.most[1], runs))
        kinds = self.kinds()
        tree = [p for kind in ("browser", "renderer", "helper") for p in kinds.get(kind, [])]
        born = datetime.fromisoformat(status["browser"]["up_since"]).timestamp()
        with contextlib.suppress(psutil.Error):
            self.looks.append(
                Look(
                    at=time.time(),
                    pid=status["pid"],
                    generation=status["browser"]["generation"],
                    age=time.time() - born,
                    daemon=sum(map(_pss, kinds.get("daemon", []))),
                    driver=sum(map(_pss, kinds.get("driver", []))),
                    browser=sum(map(_pss, tree)),
                    handles=psutil.Process(status["pid"]).num_fds(),
                    processes=len(self.processes()),
                )
            )

    def kill(self) -> None:
        """Kill something that muxd must be able to lose."""
        kinds = self.kinds()
        victims = [(kind, p) for kind in ("browser", "driver") for p in kinds.get(kind, [])]
        renderers = kinds.get("renderer", [])
        if renderers:
            victims.append(("renderer", self.random.choice(renderers)))
        if victims:
            kind, process = self.random.choice(victims)
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
                self.kills[kind] += 1

    def resume(self) -> None:
        """Have those that muxd has paused go on hurting."""
        status = self.status()
        if status is not None and status["paused"]:
            self.call("resume", "--all")
            self.resumed.update(pause["job"] for pause in status["paused"])

    def run(self, seconds: float) -> None:
        """Let it run, killing, looking and resuming."""
        now = time.monotonic()
        end, look, resume = now + seconds, now + EVERY, now + RESUME_EVERY
        kill = now + self.random.uniform(*KILL_EVERY)
        while (now := time.monotonic()) < end:
            if self.process.poll() is not None:
                raise SystemExit(f"muxd has ended:\n{self.output.read_text()[-3000:]}")
            if now >= look:
                self.look()
                look += EVERY
            if now >= kill:
                self.kill()
                kill = now + self.random.uniform(*KILL_EVERY)
            if now >= resume:
                self.resume()
                resume += RESUME_EVERY
            time.sleep(max(0.0, min(look, kill, resume, end) - time.monotonic()))

    def settle(self) -> float:
        """Wait until muxd answers and all that was released before has had time to end.

        Returns that instant. If a body blocks muxd right now, it may take a minute.
        """
        self.wait_running()
        instant = time.time()
        time.sleep(45)
        self.wait_running()
        return instant

    def stop(self) -> list[str]:
        """Stop it; say what is left of it."""
        before = self.processes()
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(90)
        _, left = psutil.wait_procs(before, timeout=5)
        names = [f"{p.pid}" for p in left if p.is_running()]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return names

    def history(self) -> list[dict]:
        """Every record that has an outcome."""
        return json.loads(self.call("history", "--json", "--limit", "1000000"))


def _pss(process: psutil.Process) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def judge_releases(records: list[dict], started: float, end: float) -> list[str]:
    """What is wrong with the honest releases between these instants."""
    wrong = []
    ends_well = {r["first_id"] or r["id"] for r in records if r["outcome"] == "ok"}
    for job, (interval, phase) in HONEST.items():
        begin = started
        # A job that is new has its first release up to one and a half intervals later.
        firsts = [_time(r["released_at"]) for r in records if r["job"] == job]
        begin = max(begin, min([*firsts, begin + 1.5 * interval + 1]) - 0.5)
        slots: dict[int, list[dict]] = {}
        for record in records:
            if record["job"] == job and record["cause"] == "slot" and record["attempt"] == 1:
                slots.setdefault(round(_time(record["released_at"])), []).append(record)
        first = int(begin - phase) // interval * interval + phase + interval
        for at in range(first, int(end), interval):
            found = slots.pop(at, [])
            if len(found) != 1:
                wrong.append(f"{job}: {len(found)} records of its release at {at}")
            elif found[0]["id"] not in ends_well:
                record = found[0]
                wrong.append(f"{job}: {record['outcome']} at {at}: {record['error']}")
        wrong += [f"{job}: a release that is not on the timetable, at {at}"
                  for at in slots if begin <= at < int(end)]  # fmt: skip
    return wrong


def judge_memory(looks: list[Look]) -> list[str]:
    """What grew. The driver and the browser are compared at the same age of theirs."""
    wrong = []
    third = len(looks) // 3
    early, late = looks[:third], looks[-third:]
    if third < 3:
        return ["too few looks for a verdict: let it run for longer"]
    for name, allowed in (("daemon", GROWTH), ("driver", GROWTH), ("browser", BROWSER_GROWTH)):
        pairs = []
        if name == "daemon":
            pairs = [(min(e.daemon for e in early), min(e.daemon for e in late))]
        else:
            for low in range(0, 3600, 30):
                sides = [
                    [getattr(e, name) for e in side if low <= e.age < low + 30]
                    for side in (early, late)
                ]
                if all(sides):
                    pairs.append(tuple(map(min, sides)))  # what it does now comes on top
        if not pairs:
            continue  # no two browsers reached the same age: nothing to compare
        before, after = (statistics.mean(side) for side in zip(*pairs, strict=True))
        if after - before > max(allowed * before, SLACK):
            wrong.append(f"{name}: {before / 2**20:.1f} MB became {after / 2**20:.1f} MB")
    for name in ("handles", "processes"):
        before, after = (min(getattr(e, name) for e in side) for side in (early, late))
        if after > before + 2:
            wrong.append(f"{name}: {before} became {after}")
    return wrong


def show(soak: Soak, records: list[dict]) -> None:
    """Print what was seen."""
    print(f"\n{'minute':>6} {'browser no.':>11} {'age':>5} {'daemon':>8} {'driver':>8} "
          f"{'browser':>8} {'handles':>8} {'processes':>9}")  # fmt: skip
    begin = soak.looks[0].at if soak.looks else 0
    step = max(1, len(soak.looks) // 40)
    for look in soak.looks[::step]:
        sizes = " ".join(f"{s / 2**20:>6.1f}MB" for s in (look.daemon, look.driver, look.browser))
        print(f"{(look.at - begin) / 60:>6.1f} {look.generation:>11} {look.age:>4.0f}s {sizes} "
              f"{look.handles:>8} {look.processes:>9}")  # fmt: skip
    print("\nruns by job and outcome:")
    for job in sorted({r["job"] for r in records}):
        mine = [r for r in records if r["job"] == job]
        counts = Counter(r["outcome"] for r in mine)
        late = [r["lateness"] for r in mine if r["lateness"] is not None]
        most = f", at most {max(late):.1f} s late" if late else ""
        print(f"  {job:16} {', '.join(f'{n} {o}' for o, n in counts.most_common())}{most}")
    harms = Counter((r["harm"] or "").split(":")[0] for r in records if r["harm"])
    for title, counter in (("harm", harms), ("killed", soak.kills), ("resumed", soak.resumed)):
        print(f"{title}: {', '.join(f'{n} {what}' for what, n in counter.most_common()) or 'none'}")


def main() -> int:
    """Run one, and print what was seen and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default: 1)")
    parser.add_argument("--keep", metavar="DIR", help="a directory for all files, kept")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if options.keep:
            folder = Path(options.keep).resolve()
            folder.mkdir(parents=True)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak")))
        soak = Soak(folder, stack.enter_context(open_site()), options.seed)
        left = ["it was not stopped"]
        try:
            soak.wait_running()
            begin = time.time()
            print(
                f"muxd runs (process {soak.process.pid}); {options.minutes:g} minutes", flush=True
            )
            soak.run(options.minutes * 60)
            end = soak.settle()
        finally:
            left = soak.stop()
        records = soak.history()
        show(soak, records)
        warm = [look for look in soak.looks if look.at - begin > options.minutes * 60 * WARM_UP]
        wrong = judge_releases(records, begin, end) + judge_memory(warm)
        if soak.most != (1, 1):
            wrong.append(f"most browsers and runs at once: {soak.most}")
        wrong += [f"a process is left: {name}" for name in left]
        print(f"\n{'FAILED' if wrong else 'PASSED'}: {len(records)} records, {len(warm)} looks")
        for line in wrong:
            print(f"  {line}")
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
