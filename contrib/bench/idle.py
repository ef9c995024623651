"""What an idle muxd costs: how often its processes wake up while no job is due, and for how long.

    python contrib/bench/idle.py [--seconds 60] [--settle 150] [--after-run]

A real daemon with a real Chromium and sixteen jobs, the next of which is due in hours. When it has
settled it is left alone, and then read from /proc how often each of its processes went to sleep
voluntarily, all threads counted: as often it woke up. With ``--after-run`` a job is run first, so that
what a run leaves behind (a page made ready for the next) is seen too. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import attrs
import psutil

JOBS = 16
AHEAD = 6 * 3600
"""In how many seconds the first job is due."""
OURS = ("guard", "daemon", "driver")
TICK = os.sysconf("SC_CLK_TCK")

PLUGIN = """
import muxd

def make(number, phase):
    async def body(run):
        await run.page.set_content("<h1>idle</h1>")
        return await run.page.inner_text("h1")
    return muxd.Job(f"job-{number}", body, interval="1d", preferred_phase=phase, duration="20s")

@muxd.hookimpl
def muxd_jobs():
    return [make(number, phase) for number, phase in enumerate(PHASES)]
"""


@attrs.frozen
class Reading:
    """One process, at one moment."""

    kind: str
    """What it is for."""
    wakeups: int
    """How often its threads have gone to sleep until now."""
    processor: float
    """Seconds."""


def kind_of(process: psutil.Process, root: int) -> str:
    """What a process of muxd's is for."""
    words = process.cmdline()
    if process.pid == root:
        return "guard"
    if "muxd" in words and "start" in words:
        return "daemon"
    if any(word.endswith("/node") for word in words[:1]):
        return "driver"
    kinds = [word.partition("=")[2] for word in words if word.startswith("--type=")]
    more = [w.rpartition(".")[2] for w in words if w.startswith("--utility-sub-type=")]
    return " ".join(["chromium", *(kinds or ["browser"]), *more])


def read(root: int) -> dict[int, Reading]:
    """All processes, by pid."""
    found = {}
    guard = psutil.Process(root)
    for process in (guard, *guard.children(recursive=True)):
        wakeups, ticks = 0, 0
        with contextlib.suppress(psutil.Error, OSError):
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                status = (thread / "status").read_text()
                switches = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)
                wakeups += int(switches[1]) if switches else 0
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            found[process.pid] = Reading(kind_of(process, root), wakeups, ticks / TICK)
    return found


def measure(root: int, seconds: float) -> None:
    """Read twice, and print what was between."""
    before, begun = read(root), time.monotonic()
    time.sleep(seconds)
    after, took = read(root), time.monotonic() - begun
    print(f"{'process':<44} {'wake-ups a minute':>18} {'% of a core':>12}")
    ours = 0.0
    for pid, now in sorted(after.items()):
        then = before.get(pid, Reading(now.kind, 0, 0.0))
        share = 100 * (now.processor - then.processor) / took
        ours += share if now.kind in OURS else 0.0
        rate = 60 * (now.wakeups - then.wakeups) / took
        print(f"{f'{now.kind} ({pid})':<44} {rate:18.1f} {share:12.2f}")
    print(f"Python and driver together: {ours:.2f} % of a core; {took:.0f} s measured")


def start(folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """Start a daemon on a directory of its own."""
    (folder / "jobs").mkdir()
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = int((now - midnight).total_seconds())
    phases = [(since + AHEAD + 60 * number) % 86_400 for number in range(JOBS)]
    text = PLUGIN.replace("PHASES", repr(phases))
    (folder / "jobs" / "idle.py").write_text(text)
    (folder / "muxd.toml").write_text(
        f'[plugins]\ndisable = ["demo"]\njobs_dirs = ["{folder / "jobs"}"]\n'
        '[daemon]\ntimezone = "UTC"\n'
    )
    environ = {name: text for name, text in os.environ.items() if not name.startswith("MUXD_")}
    environ |= {"MUXD_CONFIG": str(folder / "muxd.toml"), "MUXD_STATE_DIR": str(folder / "state")}
    with (folder / "output.txt").open("wb") as output:
        command = [sys.executable, "-m", "muxd", "start", "--log-format", "json"]
        return subprocess.Popen(command, env=environ, stdout=output, stderr=output), environ


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument(
        "--settle", type=float, default=150, help="how long to wait before, seconds (default: 150)"
    )
    parser.add_argument("--after-run", action="store_true", help="run a job first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muxd-idle-") as name:
        folder = Path(name)
        daemon, environ = start(folder)
        try:
            until = time.monotonic() + 60
            while '"event": "started"' not in (folder / "output.txt").read_text():
                if daemon.poll() is not None or time.monotonic() > until:
                    raise SystemExit((folder / "output.txt").read_text())
                time.sleep(0.2)
            if options.after_run:
                command = [sys.executable, "-m", "muxd", "run", "job-0"]
                subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
            time.sleep(options.settle)
            measure(daemon.pid, options.seconds)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)


if __name__ == "__main__":
    main()
