"""What the benchmarks of runs share: a site, contestants that do the same job, what they cost.

A contestant is a context manager with `job`, which does the job once and returns how long that took,
in seconds, and `pid`, the root of its process tree. `CONTESTANTS` has them by name; `interleaved` lets
them take turns, in the orders that `shuffled` gives.

The job: open a page, go to a local page of 100 kB, wait for a list that a script renders after
50 ms, read its 50 items, close.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import psutil

from muxd.browser.find import find_browser
from muxd.browser.footprint import process_memory
from muxd.control.client import ControlClient
from muxd.state import StateDir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from playwright.async_api import Browser, BrowserContext

ITEMS = 50
PAGE = (
    "<!doctype html><title>bench</title><ul></ul>"
    + "".join(f"<p id=p{i}>{'Lorem ipsum dolor sit amet. ' * 12}</p>" for i in range(290))
    + "<script>setTimeout(() => {document.querySelector('ul').innerHTML = "
    f"Array.from({{length: {ITEMS}}}, (_, i) => `<li>item ${{i}}</li>`).join('')}}, 50)</script>"
)
REST = 0.3
"""How long all is quiet after each job, seconds, so that what it leaves to be done isn't in the next one's
way."""
SETTLE = 3.0
"""How long all rest before the first and after the last look at their CPU time, seconds: what the last
job leaves to be done is done then."""
PATIENCE = 60.0
"""How long anything may take, seconds."""


class _Answer(BaseHTTPRequestHandler):
    """One page at every path."""

    def do_GET(self) -> None:
        body = PAGE.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def open_site() -> Iterator[str]:
    """A site on loopback, in this process; its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


# What anybody can be asked


class Contestant(Protocol):
    """Somebody who does the job."""

    pid: int
    """The root of the process tree whose CPU time and memory count."""

    def job(self) -> float:
        """Do it once; how long it took, seconds."""


def cpu_time(pid: int) -> float:
    """The CPU time of a process with all that is and was below it, seconds.

    A process that has ended is counted with the one that has waited for it.
    """
    total = 0.0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total


def memory(pid: int) -> int:
    """The memory (PSS) of a process with all that is below it, bytes."""
    total = 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(OSError, ValueError):
            total += process_memory(Path("/proc") / str(process.pid))
    return total


@attrs.frozen
class Cost:
    """What a contestant's jobs cost."""

    walls: Sequence[float]
    """How long it took in each round, seconds."""
    cpu: float
    """For each time that it was asked, seconds; with all that it did between its turns."""


def shuffled(names: Iterable[str], rounds: int, *, seed: int = 0) -> Iterator[list[str]]:
    """The order of each round: by chance, and the same whenever it is asked for.

    In an order that only rotates each would always come after the same one, and have that one's
    belated work beside its own.
    """
    chance, order = random.Random(seed), list(names)
    for _ in range(rounds):
        chance.shuffle(order)
        yield list(order)


def interleaved(
    contestants: Mapping[str, Contestant], rounds: int, *, warm_up: int = 3
) -> dict[str, Cost]:
    """Let all take turns, in an order that changes from round to round; what that cost each.

    So a machine that is busy with other things harms all alike. CPU time is all that a contestant
    used from the first counted round to the last: what it does while others have their turns, or
    while nobody has, would else be nobody's.
    """
    walls: dict[str, list[float]] = {name: [] for name in contestants}

    def take_turns(order: Iterable[str]) -> None:
        for name in order:
            walls[name].append(contestants[name].job())
            time.sleep(REST)

    def cpu_times() -> dict[str, float]:
        time.sleep(SETTLE)
        return {name: cpu_time(contestant.pid) for name, contestant in contestants.items()}

    orders = shuffled(contestants, warm_up + rounds)
    for order in islice(orders, warm_up):
        take_turns(order)
    before = cpu_times()
    for order in orders:
        take_turns(order)
    after = cpu_times()
    return {
        name: Cost(all_[warm_up:], (after[name] - before[name]) / rounds)
        for name, all_ in walls.items()
    }


def ratios(cost: Cost, base: Cost) -> dict[str, float]:
    """Wall: the median of the rounds' ratios, with its quartiles. CPU: the ratio of all of it."""
    pairs = [own / other for own, other in zip(cost.walls, base.walls, strict=True)]
    low, middle, high = statistics.quantiles(pairs, n=4)
    return {"wall": middle, "wall_low": low, "wall_high": high, "cpu": cost.cpu / base.cpu}


# Plain Playwright


async def _page_per_job(_browser: Browser, context: BrowserContext, url: str) -> None:
    await _job(context, url)


async def _context_per_job(browser: Browser, _context: BrowserContext, url: str) -> None:
    context = await browser.new_context()
    await _job(context, url)
    await context.close()


async def _job(context: BrowserContext, url: str) -> None:
    page = await context.new_page()
    await page.goto(url)
    await page.wait_for_selector("li")
    texts = await page.locator("li").all_inner_texts()
    assert len(texts) == ITEMS, texts
    await page.close()


_PLAIN = {"page": _page_per_job, "context": _context_per_job}


async def _work(kind: str, url: str) -> None:
    """Do the job for each line on stdin, and print how long it took."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_browser().path, chromium_sandbox=os.geteuid() != 0
        )
        context = await browser.new_context()
        while await asyncio.to_thread(sys.stdin.readline):
            begun = time.perf_counter()
            await _PLAIN[kind](browser, context, url)
            print(time.perf_counter() - begun, flush=True)
        await browser.close()


class Worker:
    """A program that does the job for each line it reads, and then writes how long it took."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process, self.pid = process, process.pid

    def job(self) -> float:
        """Have it done once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        return float(_line(self._process.stdout))


@contextlib.contextmanager
def working(command: Sequence[str | Path], **options: Any) -> Iterator[Worker]:
    """Start such a program; on leaving its standard input ends, and so does it."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **options
    ) as process:
        try:
            yield Worker(process)
        finally:
            _end(process, lambda: process.communicate(timeout=PATIENCE))


def plain(kind: str, url: str) -> AbstractContextManager[Worker]:
    """Playwright in one browser. `kind`: a new ``page`` for each job, or a new ``context``."""
    return working([sys.executable, __file__, kind, url])


# muxd

_PLUGIN = """
import json
import time

import muxd
from muxd.abc import Sink
from muxd.events import RunEnded

URL, ITEMS, HEARD = {url!r}, {items}, {heard!r}


async def body(run):
    await run.page.goto(URL)
    await run.page.wait_for_selector("li")
    texts = await run.page.locator("li").all_inner_texts()
    assert len(texts) == ITEMS, texts
    return texts


@muxd.hookimpl
def muxd_jobs():
    return [
        muxd.Job(name, body, interval="24h", preferred_phase={phase}, duration="2s",
                 session={session!r}, expects_result=True)
        for name in {names!r}
    ]


class Heard(Sink):
    name = "heard"

    def __init__(self):
        self._file = open(HEARD, "w")

    async def handle(self, event):
        if isinstance(event, RunEnded):
            told = {{"took": time.time() - event.record.released_at, **event.record.as_dict()}}
            print(json.dumps(told), file=self._file, flush=True)


@muxd.hookimpl
def muxd_sinks():
    return [Heard()]
"""


class MuxdDaemon:
    """A daemon with jobs whose releases are asked for as `muxd run` does.

    How long it took is from the release, as the record has it, to the sink's hearing of the end: the
    record is in the ledger then.
    """

    def __init__(self, process: subprocess.Popen[bytes], state: StateDir, heard: Any) -> None:
        self._control, self._heard, self.pid = ControlClient(state), heard, process.pid

    def job(self) -> float:
        """Have it done once."""
        self.ask("bench")
        return float(self.heard()["took"])

    def ask(self, name: str) -> None:
        """Have a job released. It is put into the queue."""
        self._control.run(name, wait=False)

    def heard(self) -> dict[str, Any]:
        """The record of the next run that ends, and as ``took`` the seconds since its release."""
        told: dict[str, Any] = json.loads(_line(self._heard))
        assert told["outcome"] == "ok", told
        return told

    def status(self) -> dict[str, Any]:
        """What `muxd status` shows."""
        return self._control.status()


@contextlib.contextmanager
def muxd_daemon(
    url: str, *, session: str = "main", names: Sequence[str] = ("bench",), config: str = ""
) -> Iterator[MuxdDaemon]:
    """Start `muxd start` on a state directory of its own; stop it on leaving.

    Args:
      url: the site.
      session: of its jobs.
      names: of its jobs, which all do the same. `MuxdDaemon.job` releases ``bench``.
      config: more lines for its muxd.toml; the tables ``plugins`` and ``daemon`` are taken.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="muxd-bench-")))
        jobs, fifo = folder / "jobs", folder / "heard"
        jobs.mkdir()
        os.mkfifo(fifo)
        # Read and write: its end never comes, whoever else has it open.
        heard = stack.enter_context(open(os.open(fifo, os.O_RDWR), encoding="utf-8"))
        noon = (int(time.time()) + 12 * 3600) % 86400  # its slot must not come meanwhile
        (jobs / "bench.py").write_text(
            _PLUGIN.format(
                url=url,
                items=ITEMS,
                heard=str(fifo),
                phase=noon,
                session=session,
                names=list(names),
            )
        )
        (folder / "muxd.toml").write_text(
            f'[plugins]\ndisable = ["demo"]\njobs_dirs = ["{jobs}"]\n[daemon]\ntimezone = "UTC"\n'
            + config
        )
        environ = {k: v for k, v in os.environ.items() if not k.startswith("MUXD_")}
        environ |= {"MUXD_CONFIG": f"{folder}/muxd.toml", "MUXD_STATE_DIR": f"{folder}/state"}
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "muxd", "start"], env=environ, cwd=folder, stdout=log, stderr=log
        )
        stack.callback(_end, process, partial(_stop, process))
        daemon = MuxdDaemon(process, StateDir(folder / "state"), heard)
        try:
            _wait_up(process, daemon)
        except BaseException:
            print((folder / "log").read_text(), file=sys.stderr)
            raise
        yield daemon


def _wait_up(process: subprocess.Popen[bytes], daemon: MuxdDaemon) -> None:
    """Wait until it has a browser, and the first job can be asked for."""
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(Exception):  # not there yet
            if daemon.status()["state"] == "running":
                return
        assert process.poll() is None, "muxd ended"
        assert time.monotonic() < end, "muxd does not come up"
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)


def _end(process: subprocess.Popen[Any], politely: Callable[[], object]) -> None:
    below = []
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
    try:
        politely()
    finally:
        for each in (process, *below):
            with contextlib.suppress(psutil.Error):
                each.kill()


def _line(stream: Any) -> str:
    if not select.select([stream], [], [], PATIENCE)[0]:
        raise TimeoutError(f"a job was not done in {PATIENCE:g} s")
    line: str = stream.readline()
    assert line, "it ended"
    return line


CONTESTANTS: dict[str, Callable[[str], AbstractContextManager[Contestant]]] = {
    "C": partial(plain, "page"),
    "D": partial(plain, "context"),
    "muxd main": partial(muxd_daemon, session="main"),
    "muxd fresh": partial(muxd_daemon, session="fresh"),
}
"""By name, called with the site's URL. C: plain Playwright, a page for each job; D: a context."""


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
