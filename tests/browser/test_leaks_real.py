"""What bodies leave in and round a real Chromium is taken away, counted and charged, each time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import subprocess
import threading
import time

import attrs
import psutil
import pytest
import trio

import muxd
from muxd.book import RunBook
from muxd.bridge import bridged
from muxd.browser.evidence import EVIDENCE_BOUND
from muxd.browser.find import find_browser
from muxd.browser.generation import CLEAN_BOUND, open_generation
from muxd.bus import Bus
from muxd.children import BROWSER_MARK
from muxd.handles import open_handles
from muxd.job import Job
from muxd.leaks import Leaks
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.testing import MemoryStore
from tests.e2e.conftest import alive
from tests.faults.house import is_downloading, waited

from .conftest import PAGES, open_site

# Python tells of what the bodies here leave: so be it, that's what they are for.
pytestmark = [
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*Popen.__del__:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]

WORKER = "setInterval(() => {}, 100)"
SOCKET = "new WebSocket(location.origin.replace('http', 'ws') + '/never')"


def listener(*_):
    pass


async def honest(run, site):
    await run.page.goto(site.url)
    return await run.page.inner_text("h1")


async def uses_and_puts_back(run, site):
    """What a careful body does: all it opens it closes."""
    page = await run.context.new_page()
    await page.close()
    context = await run.browser.new_context()
    await context.close()
    run.context.on("request", listener)
    run.context.remove_listener("request", listener)
    async with run.page.expect_popup() as popup:
        await run.page.evaluate("open('about:blank')")
    await (await popup.value).close()
    await run.page.route("**/x", lambda route: route.abort())
    session = await run.browser.new_browser_cdp_session()
    await session.detach()


async def popups(run, site):
    await run.page.goto(site.url)
    for _ in range(2):
        async with run.page.expect_popup():
            await run.page.evaluate("void open('/second')")
    await run.context.new_page()


async def contexts(run, site):
    for _ in range(2):
        await (await run.browser.new_context()).new_page()


async def marks(run, site):
    """All that can be left on the shared context itself."""
    context = run.context
    context.on("page", listener)
    context.on("request", listener)
    run.browser.on("disconnected", listener)
    await context.route("**/*", lambda route: route.continue_())
    await context.add_init_script("1")
    await context.expose_function("left", listener)
    await context.set_extra_http_headers({"x-left": "1"})
    await context.set_offline(False)
    await context.tracing.start()
    await run.browser.start_tracing()


async def service_worker(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate("navigator.serviceWorker.register('/worker.js')")
    await run.page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    while not run.context.service_workers:  # noqa: ASYNC110 - a page's
        await trio.sleep(0.02)


async def workers_and_sockets(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate(
        "void (w = new Worker('/worker.js'), s = new SharedWorker('/worker.js'))"
    )
    await run.page.evaluate(f"void ({SOCKET})")


async def download(run, site):
    await run.page.goto(site.url)
    async with run.page.expect_download():
        await run.page.evaluate("location.href = '/download'")
    while not is_downloading():  # noqa: ASYNC110 - another process's file
        await trio.sleep(0.02)


async def dialog(run, site):
    await run.page.goto(site.url)
    run.page.on("dialog", lambda _: None)
    async with run.page.expect_event("dialog"):
        await run.page.evaluate("setTimeout(() => alert('stay'), 10)")


async def cdp_sessions(run, site):
    await run.browser.new_browser_cdp_session()
    await run.context.new_cdp_session(run.page)


async def second_browser(run, site):
    browser = await run.browser.browser_type.launch(
        executable_path=find_browser().path,
        chromium_sandbox=os.geteuid() != 0,
        # The driver's temporary directory has too long a name in tests.
        env={**os.environ, BROWSER_MARK: "1"},
    )
    await browser.new_page()


async def process(run, site):
    subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - the very thing


async def forks(run, site):
    child = os.fork()
    await asyncio.sleep(0.2)  # where the child ends
    while alive(child):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)
    await run.page.goto(site.url)


async def tasks(run, site):
    run.kept = [asyncio.create_task(asyncio.sleep(600)) for _ in range(3)]
    asyncio.get_running_loop().call_later(0.05, lambda: None)


# The first are no pages of anybody's. A service worker of `main` lasts as the profile does.
LASTS = ("browser_ui", "service_worker")

LEFT = {
    honest: None,
    uses_and_puts_back: None,
    popups: "3 pages",
    contexts: "2 contexts",
    marks: "1 exposed function, 1 init script, 3 listeners, 1 route, 2 settings, 2 traces",
    service_worker: None,
    workers_and_sockets: None,
    download: "1 download",
    dialog: None,
    cdp_sessions: "1 CDP session",
    second_browser: "1 browser",
    process: "1 process",
    forks: None,
    tasks: None,
}
HARM = {process: "left 1 process", second_browser: "left 1 browser"}


@attrs.define
class Bench:
    """A runner on a browser, watched."""

    life: object
    site: object
    book: RunBook
    runner: Runner
    plan: object

    async def run(self, body, **fields):
        async def call(run):
            return await body(attrs_free(run), self.site)

        job = Job("job", call, **({"interval": "1h", "timeout": "30s", "session": "main"} | fields))
        release = await self.book.release(job, released_at=time.time())
        return await self.runner.run(release, self.life)

    async def is_as(self, before):
        """All is as it was: at once but for workers, which end a little after their page."""
        now = None
        with trio.move_on_after(20):
            while (now := await self.count()) != before:  # noqa: ASYNC110 - the browser's
                await trio.sleep(0.05)
        assert now == before

    async def count(self):
        """What there is of everything, as the browser, the system and the libraries say."""
        session = await bridged(self.life._browser.new_browser_cdp_session)()
        answer = await bridged(session.send)("Target.getTargets")
        await bridged(session.detach)()
        targets = [t["type"] for t in answer["targetInfos"] if t["type"] not in LASTS]
        shared = self.life._main, self.life._browser
        return {
            "targets": sorted(targets),
            "contexts": len(self.life._browser.contexts),
            "pages": len(self.life._main.pages),
            "listeners": sum(map(count_listeners, shared)),
            "routes": len(self.life._main._impl_obj._routes),
            "processes": sorted(c.name() for c in psutil.Process().children()),
            "browsers": len(
                [p for p in psutil.Process().children(recursive=True) if is_browser(p)]
            ),
            "handles": len([h for h in open_handles() if not is_socket(h[0])]),
            "threads": len([t for t in threading.enumerate() if not t.name.startswith("Trio")]),
            "asyncio": len(asyncio.all_tasks()),
            "trio": count_tasks(trio.lowlevel.current_root_task()),
            "files": sorted(f.name for f in self.plan.scratch.rglob("*.crdownload")),
        }


def attrs_free(run):
    """The run, with room for what a body wants to keep."""

    class Room:
        page, context, browser = run.page, run.context, run.browser

    return Room()


def is_socket(handle):
    """True for the site's connections, which come and go: it is served by this process."""
    with contextlib.suppress(OSError):
        return stat.S_ISSOCK(os.fstat(handle).st_mode)
    return True


def told(record):
    """What was left, but for file handles, which may be the site's."""
    parts = [part for part in (record.left or "").split(", ") if "file handle" not in part]
    return ", ".join(parts) or None


def count_listeners(shared):
    emitter = shared._impl_obj
    return sum(len(emitter.listeners(event)) for event in emitter.event_names())


def is_browser(process):
    with contextlib.suppress(psutil.Error):
        line = process.cmdline()
        return bool(line) and "chrom" in line[0] and not any(p.startswith("--type=") for p in line)
    return False


def count_tasks(task):
    """How many tasks are below this one, but for the site's connections."""
    children = [t for nursery in task.child_nurseries for t in nursery.child_tasks]
    children = [t for t in children if "_highlevel_serve_listeners" not in t.name]
    return len(children) + sum(map(count_tasks, children))


@pytest.fixture
def perform(plan, sessions, monkeypatch):
    """Run an async test function with a bench, bounded by so many seconds."""
    monkeypatch.setitem(PAGES, "/worker.js", WORKER)

    def perform(test, bound=120):
        async def main():
            store = MemoryStore()
            with trio.fail_after(bound), Leaks() as leaks:
                async with (
                    open_site() as site,
                    open_generation(1, plan, sessions) as life,
                    store.open(),
                    trio.open_nursery() as nursery,
                ):
                    book = RunBook(store, Bus(), real_now=time.time)
                    runner = Runner(book, nursery, real_now=time.time, leaks=leaks)
                    await test(Bench(life, site, book, runner, plan))
                    nursery.cancel_scope.cancel()

        muxd.run(main)

    return perform


@pytest.mark.timeout(360)  # above its own bound, which says more
@pytest.mark.parametrize("session", ["main", pytest.param("fresh", marks=pytest.mark.nightly)])
def test_each_kind_of_leak_is_counted_and_taken_away(perform, session):
    """After each run all is as it was, and the next run, an honest one, has nothing of it."""

    async def test(bench):
        await bench.run(honest)
        before = await bench.count()
        for body, left in LEFT.items():
            if session == "fresh" and body in (marks, download):
                left = {marks: "1 listener, 1 trace"}.get(body)  # the rest goes with it
            record = await bench.run(body, session=session)
            assert (record.outcome, told(record), record.harm) == (
                Outcome.ok,
                left,
                HARM.get(body),
            ), (body, record, record.error)
            await bench.is_as(before)
            record = await bench.run(honest)
            assert (record.outcome, record.result, told(record)) == (Outcome.ok, "hello", None)
        assert bench.life.lost is None

    perform(test)


def test_a_service_worker_keeps_no_context_alive(perform):
    """It goes with its session's context; that of `main` is kept, and is in nobody's way."""

    async def workers(bench):
        session = await bridged(bench.life._browser.new_browser_cdp_session)()
        answer = await bridged(session.send)("Target.getTargets")
        await bridged(session.detach)()
        return [t["type"] for t in answer["targetInfos"]].count("service_worker")

    async def routes(run, site):
        await run.context.route("**/second", lambda route: route.abort())
        await run.context.set_extra_http_headers({"x-left": "1"})
        return await honest(run, site)

    async def test(bench):
        for session, kept in [("fresh", 0), ("named", 0), ("main", 1), ("main", 1)]:
            record = await bench.run(service_worker, session=session)
            assert (record.outcome, told(record)) == (Outcome.ok, None), record
            with trio.fail_after(20):
                while await workers(bench) != kept:  # noqa: ASYNC110 - the browser's
                    await trio.sleep(0.05)
            assert len(bench.life._browser.contexts) == 1
            record = await bench.run(routes)
            assert (record.outcome, record.result) == (Outcome.ok, "hello"), record

    perform(test)


@pytest.mark.nightly
@pytest.mark.timeout(360)  # more than its own bound
def test_a_hundred_runs_leave_nothing(perform):
    """Honest runs and leaking ones, in turn: everything is where it was after a hundred of them."""

    async def test(bench):
        bodies = [body for body in LEFT if body not in (second_browser, process)]
        for body in bodies:
            await bench.run(body)
        before = await bench.count()
        for number in range(100):
            body = bodies[number % len(bodies)]
            record = await bench.run(body, session=("main", "fresh")[number // len(bodies) % 2])
            assert record.outcome is Outcome.ok, (body, number, record, record.left, record.error)
        await bench.is_as(before)

    perform(test, bound=300)


# `tests/faults/test_pages.py` has a storm that is ended by its run's deadline.
@pytest.mark.nightly
def test_a_storm_of_two_hundred_popups(perform):
    """They are closed, or the browser is: within the bound; and it is charged."""

    async def storm(run, site):
        await run.page.goto(site.url)
        await run.page.evaluate("for (let i = 0; i < 200; i++) open('/second'), 0")
        while len(run.context.pages) < 60:  # noqa: ASYNC110 - pages
            await trio.sleep(0.05)

    async def test(bench):
        ended = trio.current_time()

        async def body(run, site):
            nonlocal ended
            try:
                await storm(run, site)
            finally:
                ended = trio.current_time()

        record = await bench.run(body, timeout="60s")
        assert trio.current_time() - ended < EVIDENCE_BOUND + CLEAN_BOUND + 2
        assert int(told(record).split()[0]) > 50, record
        assert f"left {told(record)}" in record.harm
        if bench.life.lost is None:
            assert (await bench.run(honest)).outcome is Outcome.ok
        else:
            assert "would not close" in record.harm

    perform(test)


# Python tells of such a coroutine when it is collected. So be it: that's what it does.
@pytest.mark.filterwarnings("ignore:.*stubborn:pytest.PytestUnraisableExceptionWarning")
def test_the_worst_body_has_the_browser_for_less_than_ten_seconds(perform):
    """Hanging pages, a process that ignores its end, and a body that does: still in time."""

    async def stubborn(run, site):
        subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600"])  # noqa: ASYNC220
        with contextlib.suppress(BaseException):  # the deadline may come before it has loaded
            await run.page.goto(site.url + "/loop")
        while True:
            with contextlib.suppress(BaseException):
                await trio.sleep(1)

    async def test(bench):
        here = threading.get_native_id()
        before = waited(here)
        record = await bench.run(stubborn, timeout="1s")
        # That the system gave the processor to others is no time that muxd took.
        assert record.duration - (waited(here) - before) < 1 + 10
        assert record.outcome is Outcome.timed_out
        assert "the browser was killed" in record.harm
        assert "2 processes" in record.left  # the shell, and what it waits for

    perform(test)
