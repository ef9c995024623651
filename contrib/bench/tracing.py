"""What evidence costs a run that ends well: Playwright's trace, and listening to the page.

    python contrib/bench/tracing.py [--rounds 60] [--requests 20]

A run opens a page in the one context, goes to a page of about 100 kB that loads some scripts and
pictures, waits for its list, reads it and closes the page. The variants take turns within each
round, in an order that changes, on one browser; each is compared with the bare run of its own
round, and the bare run is there twice: how far the second is from 1 shows how far a ratio can be
trusted. Wall time is that of the run, the ratio the median of the pairs'; CPU time is that of Python, the
driver and the browser together, in the mean (the system counts it coarsely).
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from _bench import shuffled

import muxd
from muxd.browser.driver import open_driver
from muxd.browser.find import find_browser
from muxd.browser.launch import LaunchPlan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from playwright.async_api import BrowserContext

ITEMS = "".join(
    f"<li class=item><a href='/item/{i}'>Item {i}</a> <span>{i * 7} points</span></li>"
    for i in range(1200)
)


class Site(BaseHTTPRequestHandler):
    """One page of about 100 kB, and the little things that it loads."""

    requests = 20

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/":
            loads = "".join(f"<img src='/img/{i}'>" for i in range(self.requests))
            body, kind = f"<title>list</title>{loads}<ul>{ITEMS}</ul>".encode(), "text/html"
        else:
            body, kind = b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


async def work(context: BrowserContext, url: str) -> None:
    """The run itself."""
    page = await context.new_page()
    await page.goto(url)
    await page.wait_for_selector("li.item")
    texts = await page.locator("li.item a").all_inner_texts()
    assert len(texts) == 1200
    await page.close()


def tracing(
    *, chunk: bool = False, keep: bool = False, **options: Any
) -> Callable[[BrowserContext], Any]:
    """A variant that traces: begun and ended for each run, or in chunks of one long trace."""

    @contextlib.asynccontextmanager
    async def around(context: BrowserContext) -> AsyncIterator[None]:
        trace = context.tracing
        await (trace.start_chunk() if chunk else trace.start(**options))
        yield
        stop = trace.stop_chunk if chunk else trace.stop
        with tempfile.TemporaryDirectory() as folder:
            await stop(path=Path(folder) / "trace.zip" if keep else None)

    around.begin = options if chunk else None
    return around


@contextlib.asynccontextmanager
async def bare(_context: BrowserContext) -> AsyncIterator[None]:
    """Nothing."""
    yield


def listening(*events: str) -> Callable[[BrowserContext], Any]:
    """A variant that listens to these events of the context."""

    @contextlib.asynccontextmanager
    async def around(context: BrowserContext) -> AsyncIterator[None]:
        def note(what: Any) -> None:
            pass

        for event in events:
            context.on(event, note)
        yield
        for event in events:
            context.remove_listener(event, note)

    return around


RARE = ("console", "weberror", "requestfailed")
VARIANTS = {
    "bare": bare,
    "bare again": bare,
    "listening to console, errors, failures": listening(*RARE),
    "listening to responses, too": listening(*RARE, "response"),
    "trace": tracing(screenshots=True, snapshots=True),
    "trace, kept": tracing(screenshots=True, snapshots=True, keep=True),
    "trace without screenshots": tracing(snapshots=True),
    "trace without either": tracing(),
    "trace in chunks": tracing(chunk=True, screenshots=True, snapshots=True),
    "trace in chunks without either": tracing(chunk=True),
}


def cpu() -> float:
    """CPU seconds so far of this process and all below it that live."""
    me = psutil.Process()
    total = 0.0
    for process in [me, *me.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


async def measure(rounds: int, url: str, folder: Path) -> dict[str, list[tuple[float, float]]]:
    """(wall, CPU) seconds of each variant in each round."""
    plan = LaunchPlan(found=find_browser(), profile=folder / "profile")
    plan.make_profile()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in VARIANTS}
    async with open_driver(plan.scratch) as (playwright, _):
        context = await playwright.chromium.launch_persistent_context(**plan.options())
        for number, order in enumerate(shuffled(VARIANTS, 3 + rounds), -3):
            for name in order:
                around = VARIANTS[name]
                begin = getattr(around, "begin", None)
                if begin is not None:  # the long trace itself is not the run's
                    await context.tracing.start(**begin)
                    await context.tracing.stop_chunk()
                before, began = cpu(), time.perf_counter()
                async with around(context):
                    await work(context, url)
                took = time.perf_counter() - began, cpu() - before
                if begin is not None:
                    await context.tracing.stop()
                if number >= 0:
                    found[name].append(took)
        await context.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=60, help="how many (default: 60)")
    parser.add_argument("--requests", type=int, default=20, help="that a page makes (default: 20)")
    options = parser.parse_args()
    Site.requests = options.requests
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="muxd-", ignore_cleanup_errors=True) as folder:
        url = f"http://127.0.0.1:{server.server_port}/"
        found = muxd.run(measure, options.rounds, url, Path(folder))
    print(f"{options.rounds} rounds, {options.requests} requests a page")
    print(f"{'':40} {'wall ms':>8} {'ratio':>6}  {'CPU ms':>7} {'ratio':>6}")
    spent = {name: statistics.mean(one[1] for one in times) for name, times in found.items()}
    for name, times in found.items():
        wall = 1000 * statistics.median(one[0] for one in times)
        pairs = zip(times, found["bare"], strict=True)
        ratio = statistics.median(one[0] / base[0] for one, base in pairs)
        cpu_ratio = spent[name] / spent["bare"]
        print(f"{name:40} {wall:8.1f} {ratio:6.2f}  {1000 * spent[name]:7.1f} {cpu_ratio:6.2f}")


if __name__ == "__main__":
    main()
