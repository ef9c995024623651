"""How a browser grows with the runs it has made, and what a page and a relaunch cost.

    python contrib/bench/recycling.py [--runs 400] [--session main] [--session fresh]

For each session a new browser makes that many runs of muxd's own runner, one after another: open a
page of about 100 kB with a list that a script fills, wait for it, read it. Every tenth run the
memory of the driver, the browser and all its helpers is read after the page was closed, and of the
run before that while the page was open. At the end the browser is closed and launched ten times.
It prints the curve, by which the defaults of ``[browser] recycle_*`` were chosen.

Another browser on the machine takes over part of what is counted, as they share the pages of their
program: what is anonymous (not of files) shows growth all the same.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import re
import statistics
import tempfile
import threading
import time
from pathlib import Path

import psutil
import trio

import muxd
from muxd import Job
from muxd.book import RunBook
from muxd.browser.find import find_browser
from muxd.browser.footprint import tree_memory
from muxd.browser.generation import open_generation
from muxd.browser.launch import LaunchPlan
from muxd.browser.sessions import SessionFiles
from muxd.bus import Bus
from muxd.runner import Runner
from muxd.testing import MemoryStore

MB = 1_000_000
PAGE = (
    "<!doctype html><title>bench</title><ul></ul>"
    + "".join(f"<p id=p{i}>{'Lorem ipsum dolor sit amet. ' * 12}</p>" for i in range(280))
    + "<script>setTimeout(() => {for (let i = 0; i < 50; i++) "
    "document.querySelector('ul').innerHTML += `<li>item ${i}</li>`}, 20)</script>"
)


class Site(http.server.BaseHTTPRequestHandler):
    """One page at every path."""

    def do_GET(self) -> None:
        """Answer with it."""
        body = PAGE.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def anonymous(pid: int) -> int:
    """What the browser and its helpers have in memory that is of no file, bytes."""
    total = 0
    browser = psutil.Process(pid)
    for process in (browser, *browser.children(recursive=True)):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += 1024 * sum(map(int, re.findall(r"Pss_(?:Anon|Shmem): +(\d+)", text)))
    return total


async def grow(plan: LaunchPlan, session: str, runs: int, url: str) -> None:
    """Let one browser make the runs; print its memory as it goes."""
    open_sizes: list[int] = []
    read_times: list[float] = []

    async def measured(pid: int) -> int:
        begun = time.perf_counter()
        size = await trio.to_thread.run_sync(tree_memory, pid)
        read_times.append(time.perf_counter() - begun)
        return size or 0

    store = MemoryStore()
    async with store.open(), trio.open_nursery() as bodies:
        book = RunBook(store, Bus(), real_now=time.time)
        runner = Runner(book, bodies, real_now=time.time)
        async with open_generation(1, plan, SessionFiles(plan.profile.parent)) as life:
            look = False

            async def body(run: muxd.Run) -> list[str]:
                await run.page.goto(f"{url}/{run.id}")
                await run.page.wait_for_selector("li:nth-child(50)")
                found = await run.page.locator("li").all_inner_texts()
                if look:
                    open_sizes.append(await measured(life.pid))
                return found

            job = Job("bench", body, interval="1h", session=session, expects_result=True)
            new = await measured(life.pid)
            print(f"{session}: new {new / MB:.0f} MB", flush=True)
            lasted: list[float] = []
            for number in range(1, runs + 1):
                look = number % 10 == 9
                begun = time.perf_counter()
                release = await book.release(job, released_at=time.time())
                assert release is not None
                record = await runner.run(release, life)
                lasted.append(time.perf_counter() - begun)
                assert record.outcome == "ok", record
                if number % 10 == 0 or number < 4:
                    closed = await measured(life.pid)
                    page = f"{open_sizes[-1] / MB:6.0f}" if open_sizes else "      "
                    print(
                        f"{session}: after {number:4} runs {closed / MB:6.0f} MB, with a page open "
                        f"{page} MB, anonymous {anonymous(life.pid) / MB:.0f} MB, a run {statistics.median(lasted[-10:]):.3f} s",
                        flush=True,
                    )
        bodies.cancel_scope.cancel()
    print(
        f"{session}: reading takes {1000 * statistics.median(read_times):.0f} ms "
        f"(at most {1000 * max(read_times):.0f})"
    )


async def relaunch(plan: LaunchPlan) -> None:
    """Launch and close ten times; print how long each takes."""
    launches, closes = [], []
    for number in range(10):
        begun = time.perf_counter()
        async with open_generation(number, plan, SessionFiles(plan.profile.parent)):
            launches.append(time.perf_counter() - begun)
            begun = time.perf_counter()
        closes.append(time.perf_counter() - begun)
    for name, times in (("launch", launches), ("close", closes)):
        print(f"{name}: median {statistics.median(times):.2f} s, at most {max(times):.2f} s")


async def measure(sessions: list[str], runs: int) -> None:
    """Do all of it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    for session in sessions:
        with tempfile.TemporaryDirectory() as folder:
            plan = LaunchPlan(found=find_browser(), profile=Path(folder) / "profile")
            await grow(plan, session, runs, url)
    with tempfile.TemporaryDirectory() as folder:
        await relaunch(LaunchPlan(found=find_browser(), profile=Path(folder) / "profile"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=400, help="a session (default: 400)")
    parser.add_argument("--session", action="append", help="(default: main, then fresh)")
    options = parser.parse_args()
    muxd.run(measure, options.session or ["main", "fresh"], options.runs)


if __name__ == "__main__":
    main()
