"""What the border costs: `page.evaluate` under plain asyncio and under muxd, in pairs.

    python contrib/bench/bridge.py [--rounds 60] [--calls 50]

Three processes, each with a browser of its own, make their calls by turns, a block each: one under
muxd, one under asyncio, one more under asyncio. The order changes from round to round. So a machine
that is busy with other things harms all alike, and what asyncio costs against itself shows how far
a ratio can be trusted. Cost is that of the Python process alone, per call: its CPU time (all threads)
and wall time. muxd promises at most 1.5 times asyncio's CPU time, and no more wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time

from _bench import shuffled
from playwright.async_api import async_playwright

import muxd
from muxd.browser.find import find_browser

KINDS = ("asyncio", "muxd", "asyncio again")


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
    parser.add_argument("--rounds", type=int, default=60, help="how many (default: 60)")
    parser.add_argument("--calls", type=int, default=50, help="calls a block (default: 50)")
    parser.add_argument("--worker", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        return muxd.run(work) if options.worker == "muxd" else asyncio.run(work())

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

    costs: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number, order in enumerate(shuffled(KINDS, options.rounds + 6)):
        for kind in order:
            cost = measure(kind)
            if number >= 6:  # the first few warm up
                costs[kind].append(cost)
    for worker in workers.values():
        worker.communicate()

    print(f"Python {sys.version.split()[0]}, {options.rounds} rounds of {options.calls} calls")
    for which, name in enumerate(("CPU ", "wall")):
        for kind in KINDS[1:]:
            pairs = zip(costs[kind], costs["asyncio"], strict=True)
            ratios = [own[which] / plain[which] for own, plain in pairs]
            low, middle, high = statistics.quantiles(ratios, n=4)
            typical = statistics.median(cost[which] for cost in costs[kind])
            print(
                f"{name} {kind:13} {typical:.3f} ms, {middle:.2f} times asyncio "
                f"(middle half {low:.2f} to {high:.2f})"
            )
    return None


if __name__ == "__main__":
    main()
