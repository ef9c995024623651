"""Runs on a real Chromium. What becomes of those that misbehave is tested in `tests/faults/`."""

from __future__ import annotations

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

ENGINE = "headless-shell"

TIMEOUT = 1.5


async def plain(run, site):
    await run.page.goto(site.url)
    return await run.page.inner_text("h1")


@pytest.fixture
def perform(lent):
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

        lent(test)
        return records, lives

    return perform


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
