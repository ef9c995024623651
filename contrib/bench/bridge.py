"""What the border costs: `page.evaluate` under plain asyncio and under muxd, in pairs.

    python contrib/bench/bridge.py [--pairs 40] [--calls 50]

Two processes, one of each kind, each with a browser of its own, make their calls by turns: a block
of the one, then at once a block of the other, and who begins changes from pair to pair. So a
machine that is busy with other things harms both alike. Cost is that of the Python process alone,
per call: its CPU time (all threads) and wall time. muxd promises at most 1.5 times asyncio's CPU
time, and no more wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time

from playwright.async_api import async_playwright

import muxd
from muxd.browser.find import find_browser

KINDS = ("asyncio", "muxd")


async def work() -> None:
    """Make a block of calls for each number on stdin; print CPU and wall milliseconds a call."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_browser().path, chromium_sandbox=os.geteuid() != 0
        )
        page = await browser.new_page()
        while line := await asyncio.to_thread(sys.stdin.readline):
            calls = int(line)
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(calls):
                await page.evaluate("1 + 1")
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            print(1000 * cpu / calls, 1000 * wall / calls, flush=True)
        await browser.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=40, help="pairs of blocks (default: 40)")
    parser.add_argument("--calls", type=int, default=50, help="calls a block (default: 50)")
    parser.add_argument("--worker", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker == "asyncio":
        return asyncio.run(work())
    if options.worker == "muxd":
        return muxd.run(work)

    workers = {
        kind: subprocess.Popen(
            [sys.executable, __file__, "--worker", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for kind in KINDS
    }

    def measure(kind: str) -> tuple[float, float]:
        pipe_in, pipe_out = workers[kind].stdin, workers[kind].stdout
        assert pipe_in is not None
        assert pipe_out is not None
        print(options.calls, file=pipe_in, flush=True)
        cpu, wall = pipe_out.readline().split()
        return float(cpu), float(wall)

    pairs = []
    for pair in range(-4, options.pairs):  # the first four warm up
        order = KINDS if pair % 2 else KINDS[::-1]
        cost = {kind: measure(kind) for kind in order}
        if pair >= 0:
            pairs.append((*cost["muxd"], *cost["asyncio"]))
    for worker in workers.values():
        worker.communicate()

    print(f"Python {sys.version.split()[0]}: {len(pairs)} pairs of {options.calls} page.evaluate")
    for name, own, plain in (("CPU ", 0, 2), ("wall", 1, 3)):
        ratios = sorted(pair[own] / pair[plain] for pair in pairs)
        low, _, high = statistics.quantiles(ratios, n=4)
        print(
            f"{name}: muxd {statistics.median(pair[own] for pair in pairs):.3f} ms, "
            f"asyncio {statistics.median(pair[plain] for pair in pairs):.3f} ms, "
            f"ratio {statistics.median(ratios):.2f} (middle half {low:.2f} to {high:.2f})"
        )
    return None


if __name__ == "__main__":
    main()
