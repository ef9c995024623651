"""The real machinery of runs round a real Chromium, for one fault after another."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from functools import partial
from pathlib import Path

import attrs
import psutil
import trio

import muxd
from muxd.artifacts import Artifacts
from muxd.book import RunBook
from muxd.browser.find import find_browser
from muxd.browser.generation import open_generation
from muxd.browser.launch import LaunchPlan
from muxd.browser.sessions import SessionFiles
from muxd.bus import Bus
from muxd.channel import open_priority_channel
from muxd.evidence import KEEP_BOUND, Evidence
from muxd.job import Job
from muxd.leaks import Leaks
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.supervisor import Supervisor
from muxd.testing import MemoryStore
from muxd.worker import Worker

FREE_WITHIN = 10.0
"""The browser is free again so many seconds after any deadline, or has been killed."""
LAUNCH_WITHIN = 15.0
"""How long a launch may take on a busy machine, seconds."""
GONE_WITHIN = 10.0
"""How long processes may take to be gone, seconds."""


def is_downloading():
    """Whether a browser of ours has the file of a download open: that is a moment after the event."""
    for child in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            if any(file.path.endswith(".crdownload") for file in child.open_files()):
                return True
    return False


async def honest(run, url):
    """What the others do: the next run must not notice anything of the one before."""
    page = run.page
    assert len(run.browser.contexts) == 1, run.browser.contexts
    assert len(run.context.pages) <= 2, run.context.pages
    await page.goto(url)
    assert await page.title() == ""
    async with page.expect_navigation():
        await page.click("a")
    return await page.inner_text("h1")


class _Noting(Evidence):
    """Notes when a run has left the browser: only then it is asked to keep what was seen."""

    def __init__(self, artifacts):
        super().__init__(artifacts)
        self.freed = {}

    def learn(self, job, outcome):
        self.freed[job] = time.time(), waited(threading.get_native_id())
        super().learn(job, outcome)


@attrs.define
class House:
    """One browser after another, one run after another, in a thread of its own.

    The tests are outside: they stay awake whatever a run does to the loop in there.
    """

    url: str
    """Of the hostile site."""
    token: trio.lowlevel.TrioToken
    book: RunBook
    supervisor: Supervisor
    send: object
    before: frozenset[psutil.Process]
    """Child processes that are somebody else's."""
    thread: int
    """The system's number of the thread in which all this is."""
    freed: dict[str, tuple[float, float]]
    """When the browser was free of each job's last run, Unix seconds; and what `waited` was then."""
    held: float = attrs.field(default=0.0, init=False)
    """For how long the last hostile run had the browser, but for what the system gave to others, seconds."""

    def call(self, async_fn, *args, within: float = 60.0):
        """Run something of muxd's in there, bounded; return or raise what it does."""

        async def bounded():
            with trio.fail_after(within):
                return await async_fn(*args)

        return trio.from_thread.run(bounded, trio_token=self.token)

    def job(self, name, body, **fields):
        async def call(run):
            return await body(run, self.url)

        return Job(name, call, interval="1h", **fields)

    async def _release(self, job):
        release = await self.book.release(job, released_at=time.time())
        assert release is not None
        self.send.send_nowait(release)
        return release

    async def _both(self, hostile, other):
        first, second = await self._release(hostile), await self._release(other)
        return await self.book.wait_ended(first.id), await self.book.wait_ended(second.id)

    def survives(self, body, *outcomes, timeout=1.0, session="main", kept=True, **fields):
        """Have a hostile run and an honest one behind it; return the record of the hostile one.

        Args:
          body: the hostile body, taking the run and the site's address.
          outcomes: which ends of it are right.
          timeout: its deadline, seconds.
          session: where it runs.
          kept: whether the browser lives through it; None where either is right.
          fields: others of its job.
        """
        generation = self.supervisor.launched
        # Each has a name of its own: a job that has failed before is traced.
        hostile = self.job(
            f"hostile-{body.__name__}-{session}", body, timeout=timeout, session=session, **fields
        )
        other = self.job("honest", honest, timeout=20)
        within = timeout + FREE_WITHIN + LAUNCH_WITHIN + 20
        waited_before = waited(self.thread)
        first, second = self.call(self._both, hostile, other, within=within)
        assert first.outcome in outcomes, first
        freed, waited_since = self.freed[first.job]
        # What the system gave to others is no time that muxd took. The record comes later: when the
        # browser is free, the run's evidence is masked and written.
        self.held = held = freed - first.started_at - (waited_since - waited_before)
        assert held < timeout + FREE_WITHIN, (held, first)
        assert first.duration < timeout + FREE_WITHIN + KEEP_BOUND, first
        assert (second.outcome, second.result) == (Outcome.ok, "second"), (first, second)
        replaced = second.browser_generation != first.browser_generation
        bound = timeout + FREE_WITHIN + (LAUNCH_WITHIN if replaced else 0)
        assert second.lateness < bound, (first, second)
        if kept is not None and not is_busy():
            assert replaced is not kept, (first, self.supervisor.last_loss)
        assert self.supervisor.launched - generation <= 1
        self.is_clean()
        return first

    def is_clean(self):
        """No page, context or process is there but the browser's own; never were two browsers."""
        assert self.supervisor.most_at_once == self.book.most_at_once == 1
        self.call(self._no_pages)
        end = time.monotonic() + GONE_WITHIN
        while wrong := self._too_many():
            assert time.monotonic() < end, wrong
            time.sleep(0.05)  # other processes' ends: there is no event for those of a browser

    async def _no_pages(self):
        generation = self.supervisor.current
        assert generation is not None
        end = trio.current_time() + GONE_WITHIN
        while True:  # the next page may just be opened
            main, shelf = generation._main, generation._shelf
            contexts = set(generation._browser.contexts) - {main, *shelf.contexts}
            pages = set(main.pages) - {*generation._closer.keepers, *shelf.pages}
            if not contexts and not pages:
                return
            assert trio.current_time() < end, (contexts, pages)
            await trio.sleep(0.05)

    def _too_many(self):
        """The processes that should not be there; empty if all is well."""
        children = psutil.Process(os.getpid()).children(recursive=True)
        lines = {}
        for child in children:
            if child in self.before:
                continue
            with contextlib.suppress(psutil.Error):
                lines[child.pid] = child.cmdline()
        kinds = [kind_of(line) for line in lines.values()]
        # Renderers: the first page's, the ready page's, a spare one; and on a busy machine one that
        # Chromium keeps for a while of a navigation that came to nothing.
        wanted = {"driver": 1, "browser": 1, "renderer": 3 + is_busy(), "other": 0}
        wrong = {kind: kinds.count(kind) for kind in wanted if kinds.count(kind) > wanted[kind]}
        return wrong and (wrong, lines)


def waited(thread):
    """How long a thread of this process has waited for a processor so far, seconds."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0  # the system does not count it


def is_busy():
    """True on a machine so busy that pages may not close within muxd's bounds.

    Then the browser is killed and replaced, as it should be, where it would live on otherwise.
    """
    return os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1)


def kind_of(line):
    """What a child process is, by its command line: `driver`, `browser`, its parts, `other`."""
    if "run-driver" in line:
        return "driver"
    for part in line:
        if part.startswith("--type="):
            return part.removeprefix("--type=")
    if any(part.startswith("--user-data-dir=") for part in line):
        return "browser"
    # Chromium's crash handler, and multiprocessing's, that it starts once and keeps; and a process
    # that is just being started has no line yet.
    helpers = ("crashpad", "resource_tracker")
    return "helper" if not line or any(each in " ".join(line) for each in helpers) else "other"


@contextlib.contextmanager
def open_house(folder, url, *, args=()):
    """A house on a state directory of its own; closed, and all its processes gone, on leaving."""
    plan = LaunchPlan(found=find_browser(), profile=folder / "profile", args=tuple(args))
    sessions = SessionFiles(folder / "sessions")
    before = frozenset(psutil.Process().children(recursive=True))
    ready, house, end, failed = threading.Event(), [], [], []

    async def main(stack):
        store, bus = MemoryStore(), Bus()
        send, receive = open_priority_channel(math.inf)
        evidence = _Noting(Artifacts(folder / "artifacts"))
        async with (
            store.open(),
            trio.open_nursery() as bodies,
            trio.open_nursery() as inner,
        ):
            leaks = stack.enter_context(Leaks(plan.scratch))
            book = RunBook(store, bus, real_now=time.time)
            runner = Runner(book, bodies, real_now=time.time, evidence=evidence, leaks=leaks)
            supervisor = Supervisor(
                partial(open_generation, plan=plan, sessions=sessions),
                Worker(receive, runner, lambda _record: None, coming=lambda: ("main",)),
                bus,
                real_now=time.time,
            )
            inner.start_soon(book.run)
            inner.start_soon(supervisor.run)
            with trio.fail_after(60):
                await supervisor.up.wait()
            token = trio.lowlevel.current_trio_token()
            thread = threading.get_native_id()
            house.append(House(url, token, book, supervisor, send, before, thread, evidence.freed))
            end.append(inner.cancel_scope.cancel)
            ready.set()
            await trio.sleep_forever()

    async def whole():
        with trio.CancelScope() as scope:
            end.append(scope.cancel)
            with contextlib.ExitStack() as stack:
                await main(stack)

    def run():
        try:
            muxd.run(whole)
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="house", daemon=True)
    thread.start()
    assert ready.wait(90), "the house did not start"
    if failed:
        raise failed[0]
    try:
        yield house[0]
    finally:
        house[0].token.run_sync_soon(end[0])
        thread.join(60)
        assert not thread.is_alive(), "the house would not end"
    if failed:
        raise failed[0]
