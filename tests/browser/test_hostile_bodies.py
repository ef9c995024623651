"""Bodies that do what they should not: each costs its own run, in every kind of session."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time

import pytest
import trio

from muxd.book import RunBook
from muxd.bus import Bus
from muxd.errors import BrowserLost
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.testing import MemoryStore

ENGINE = "headless-shell"


def bang(*_):
    raise ZeroDivisionError("bang")


async def closes_context(run, life):
    await run.context.close()


async def closes_page(run, life):
    await run.page.close()


async def console_listener(run, life):
    run.page.on("console", bang)
    await run.page.evaluate("console.log(1)")


async def context_close_listener(run, life):
    run.context.on("close", bang)


async def page_close_listener(run, life):
    run.page.on("close", bang)


async def playwright_error_in_a_listener(run, life):
    from playwright.async_api import Error

    def listener(_):
        raise Error("made up")

    run.page.on("console", listener)
    await run.page.evaluate("console.log(1)")


async def bad_length(run, life):
    class Rude:
        def __len__(self):
            raise ZeroDivisionError

        __iter__ = __contains__ = None

    return Rude()


async def half_an_emoji(run, life):
    return "\ud83d"


async def leaves_contexts(run, life):
    for _ in range(2):
        context = await run.browser.new_context()
        await context.new_page()


async def leaves_a_task(run, life):
    async def later():
        await asyncio.sleep(0.2)
        bang()

    life.task = asyncio.create_task(later())


async def exits_in_a_task(run, life):
    async def leave():
        sys.exit(3)

    life.task = asyncio.create_task(leave())
    await trio.sleep(0.2)


async def exits_in_a_listener(run, life):
    run.page.on("console", lambda _: sys.exit(3))
    await run.page.evaluate("console.log(1)")
    await trio.sleep(0.2)


async def stops_the_loop(run, life):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.1)


async def rude_result(run, life):
    class Rude:
        def __repr__(self):
            sys.exit(3)

    return Rude()


async def leaves_a_browser_listener(run, life):
    run.browser.on("context", bang)


async def touches_everything(run, life):
    context = run.context
    context.set_default_timeout(1)
    context.set_default_navigation_timeout(1)
    context.on("page", bang)
    context.on("request", bang)
    await context.set_extra_http_headers({"x-left": "behind"})
    await context.set_offline(True)
    await context.route("**/*", lambda route: route.abort())
    await context.add_init_script("document.title = 'left behind'")
    await context.expose_function("left", lambda: 1)
    await context.grant_permissions(["geolocation"])
    with contextlib.suppress(ZeroDivisionError):
        await run.page.title()


async def honest(run, life):
    assert len(run.browser.contexts) <= 2
    page = run.page
    await page.route("**/*", lambda route: route.fulfill(body="<h1>hello</h1>"))
    sent = []
    page.on("request", lambda request: sent.append(request.headers))
    await page.goto("http://honest.example/")
    assert "x-left" not in sent[0]
    assert await page.title() == ""
    assert await page.evaluate("typeof left") == "undefined"
    return await page.locator("h1").inner_text()


@pytest.fixture
def perform(lent):
    """Run bodies one after another, on one browser as long as it lives; gives their records."""

    def perform(*steps, timeout="20s"):
        records = []

        async def test(life, site):
            store = MemoryStore()
            async with store.open(), trio.open_nursery() as nursery:
                book = RunBook(store, Bus(), real_now=time.time)
                runner = Runner(book, nursery, real_now=time.time)
                for body, session, expects in steps:

                    async def call(run, body=body):
                        return await body(run, life)

                    job = Job(
                        "job", call, interval="1h", timeout=timeout, session=session,
                        expects_result=expects,
                    )  # fmt: skip
                    release = await book.release(job, released_at=time.time())
                    try:
                        records.append(await runner.run(release, life))
                    except BrowserLost:
                        await book.withdraw(release, Outcome.cancelled, "no browser")
                nursery.cancel_scope.cancel()

        lent(test)
        return records

    return perform


FAILS = {
    console_listener,
    context_close_listener,
    page_close_listener,
    playwright_error_in_a_listener,
    leaves_a_browser_listener,
    exits_in_a_task,
    stops_the_loop,
}


@pytest.mark.parametrize(
    "sessions",
    [("main", "named"), pytest.param(("fresh",), marks=pytest.mark.nightly)],
    ids=["kept", "fresh"],
)
@pytest.mark.parametrize(
    "body",
    [
        closes_page,
        console_listener,
        page_close_listener,
        playwright_error_in_a_listener,
        bad_length,
        half_an_emoji,
        leaves_contexts,
        leaves_a_task,
        touches_everything,
        exits_in_a_task,
        stops_the_loop,
        rude_result,
    ],
)
def test_it_costs_its_own_run_at_most(perform, body, sessions):
    """In any session: the next run, in the shared one and in the same, is as if nothing had been."""
    steps = [
        step
        for session in sessions
        for step in ((body, session, True), (honest, "main", True), (honest, session, True))
    ]
    records = iter(perform(*steps))
    for session in sessions:
        first, second, third = next(records), next(records), next(records)
        assert (second.outcome, second.result) == (Outcome.ok, "hello"), (session, second)
        assert third.outcome is Outcome.ok, (session, third)
        if body in FAILS:
            assert first.outcome is Outcome.failed, (session, first)
            assert first.error


@pytest.mark.parametrize("session", ["named", "fresh"])
@pytest.mark.parametrize("body", [closes_context, context_close_listener])
def test_its_own_context_is_its_own_affair(perform, body, session):
    """Closing one's own context, or raising when it closes, fails that run only."""
    first, second = perform((body, session, False), (honest, "main", True))
    assert second.outcome is Outcome.ok, second
    if body is context_close_listener or session == "named":
        assert first.outcome is Outcome.failed, first


@pytest.mark.parametrize("session", ["main", "named"])
def test_a_browser_that_dies_at_the_end_of_a_body_is_a_crash(perform, session):
    """kill -9 in a body's last moment: `crashed`, whatever is still to be saved."""

    async def kills(run, life):
        os.kill(life.pid, signal.SIGKILL)
        await life.wait_gone()
        await trio.sleep(0.1)

    (record,) = perform((kills, session, False))
    assert record.outcome is Outcome.crashed, record


def test_an_exit_in_a_listener_ends_the_run_and_not_the_daemon(perform):
    """sys.exit() where Playwright calls back tears its connection: that run did not end well."""
    (record,) = perform((exits_in_a_listener, "main", False))
    assert record.outcome in (Outcome.failed, Outcome.crashed), record


def test_a_damaged_session_is_a_failure_and_says_what_to_do(perform, lent):
    """A session file that is no state fails its run with the remedy; the browser lives on."""
    paths = []

    async def damage(life, site):
        life._sessions.save("damaged", {"cookies": 5})
        paths.append(life._sessions.path("damaged"))

    lent(damage)
    first, second = perform((honest, "damaged", True), (honest, "main", True))
    assert first.outcome is Outcome.failed
    assert str(paths[0]) in first.error
    assert second.outcome is Outcome.ok


def test_a_blocked_loop_is_late(perform):
    """A body that blocks the process beyond its timeout can't be ended; it's not ok either."""

    async def blocks(run, life):
        time.sleep(4)  # noqa: ASYNC251 - the very thing

    (record,) = perform((blocks, "fresh", False), timeout="1s")
    assert record.outcome is Outcome.timed_out
