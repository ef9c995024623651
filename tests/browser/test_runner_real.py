"""Runs on a real Chromium: whatever a body does in its page, the browser is free for the next."""

from __future__ import annotations

import contextlib
import time

import pytest
import trio

from muxd import bridged, open_nursery
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.testing import MemoryStore

TIMEOUT = 1.5


async def loop(run, site):
    await run.page.evaluate("while (true) {}")


async def loop_in_the_page(run, site):
    await run.page.goto(site.url + "/loop")
    await run.page.wait_for_selector("nothing")


async def never_answers(run, site):
    await run.page.goto(site.url + "/never", timeout=0)


async def drips(run, site):
    await run.page.goto(site.url + "/drip", timeout=0)


async def dialog_left_open(run, site):
    run.page.on("dialog", lambda dialog: None)
    await run.page.goto(site.url + "/alert")
    await run.page.evaluate("1")


async def download_left_running(run, site):
    await run.page.goto(site.url)
    async with run.page.expect_download() as download:
        await run.page.evaluate("location.href = '/download'")
    await (await download.value).path()


async def popup_storm(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate("for (let i = 0; i < 50; i++) window.open('/second')")
    await trio.sleep_forever()


async def beforeunload(run, site):
    await run.page.goto(site.url + "/unload")
    await run.page.fill("input", "touched")
    await run.page.close(run_before_unload=True)
    await trio.sleep_forever()


async def swallows_everything(run, site):
    while True:
        with contextlib.suppress(BaseException):
            await trio.sleep(1)


async def hangs_in_children(run, site):
    async with open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(run.page.wait_for_selector, "nothing")


async def plain(run, site):
    await run.page.goto(site.url)
    return await run.page.inner_text("h1")


@pytest.fixture
def perform(browse):
    """Run bodies one after another on one browser; gives their records and the browser."""

    def perform(*bodies, **fields):
        records, lives = [], []

        async def test(life, site):
            store = MemoryStore()
            async with store.open(), trio.open_nursery() as nursery:
                book = RunBook(store, Bus(), real_now=time.time)
                runner = Runner(book, nursery, real_now=time.time)
                for body in bodies:
                    lives.append(life.lost)
                    if life.lost is not None:
                        break

                    async def call(run, body=body):
                        return await body(run, site)

                    job = Job("job", call, interval="1h", **({"timeout": TIMEOUT} | fields))
                    release = await book.release(job, released_at=time.time())
                    records.append(await runner.run(release, life))
                nursery.cancel_scope.cancel()

        browse(test)
        return records, lives

    return perform


@pytest.mark.parametrize("session", ["main", "fresh"])
@pytest.mark.parametrize(
    "body",
    [
        loop,
        loop_in_the_page,
        never_answers,
        drips,
        dialog_left_open,
        download_left_running,
        popup_storm,
        beforeunload,
        hangs_in_children,
    ],
)
def test_a_deadline_frees_the_browser(perform, body, session):
    """The run is `timed_out` within ten seconds of its deadline, and the same browser goes on."""
    records, lives = perform(body, plain, session=session, timeout="3s")
    first, second = records
    assert first.outcome is Outcome.timed_out, first
    assert first.duration < 3 + 10
    assert (second.outcome, second.result) == (Outcome.ok, "hello")
    assert lives == [None, None]


# Python tells of such a coroutine when it is collected. So be it: that's what it does.
@pytest.mark.filterwarnings("ignore:.*swallows_everything:pytest.PytestUnraisableExceptionWarning")
def test_a_body_that_swallows_its_end_is_left_behind(perform):
    """Such a body costs the browser its life, within the same bound, and never the daemon's."""
    records, lives = perform(swallows_everything, plain)
    assert records[0].outcome is Outcome.timed_out
    assert records[0].duration < TIMEOUT + 10
    assert lives[1] is not None


def test_trio_and_playwright_side_by_side(perform):
    """A body may mix nurseries, cancel scopes and Playwright's calls; the snippets are verbatim."""

    async def body(run, site):
        await run.page.goto(site.url)
        async with run.page.expect_navigation():
            await run.page.click("a")
        with trio.move_on_after(0.2) as scope:
            await run.page.wait_for_selector("nothing")
        assert scope.cancelled_caught
        found = []

        async def look(selector):
            found.append(await run.page.inner_text(selector))

        async with open_nursery() as nursery:
            nursery.start_soon(look, "h1")
            nursery.start_soon(bridged(look), "body")
        return sorted(found)

    (record,), _ = perform(body, timeout="20s")
    assert record.outcome is Outcome.ok, record
    assert record.result == "2 items: ['second', 'second']"


def test_errors_of_listeners_and_handlers_are_charged_to_their_run(perform):
    """A listener, a route handler and a callback that raise fail their own run, no other."""

    def bang(*_):
        raise RuntimeError("bang")

    async def listener(run, site):
        run.page.on("close", bang)
        await run.page.goto(site.url)

    async def route(run, site):
        async def handler(route):
            await route.continue_()
            raise RuntimeError("bang")

        await run.page.route("**/*", handler)
        await run.page.goto(site.url)

    async def weberror(run, site):
        run.context.on("response", bang)
        try:
            await run.page.goto(site.url)
            await run.page.title()
        finally:
            run.context.remove_listener("response", bang)

    records, _ = perform(
        listener, plain, route, plain, weberror, plain, timeout="20s", session="main"
    )
    assert [r.outcome.value for r in records] == ["failed", "ok"] * 3, records
    assert all("bang" in r.error for r in records[::2])
