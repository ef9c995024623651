"""The bridge with the real Playwright: what a job's body may do in its page, verbatim."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import subprocess
import sys

import pytest
import structlog
import trio
from playwright.async_api import Error, Page, async_playwright, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from muxd.bridge import (
    Abandoned,
    Leash,
    UnbridgedAwait,
    background_errors,
    bridged,
    open_nursery,
    run,
)
from muxd.browser.find import find_browser

SITE = {
    "http://site.test/": """
        <h1>hello</h1> <a href=/second>second</a> <button onclick="window.open('/popup')">open</button>
        <input id=name> <ul></ul> <script>setTimeout(() => { for (let i = 0; i < 3; i++)
        document.querySelector('ul').innerHTML += `<li>item ${i}</li>` }, 50)</script>""",
    "http://site.test/second": "<h1>second</h1>",
    "http://site.test/popup": "<h1>popup</h1>",
}


@contextlib.asynccontextmanager
async def open_chromium():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_browser().path, chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def open_page():
    """A page of a little site whose ``/never`` is never answered."""

    async def answer(route):
        if route.request.url == "http://site.test/never":
            await asyncio.sleep(600)
        await route.fulfill(body=SITE[route.request.url], content_type="text/html")

    async with open_chromium() as browser:
        context = await browser.new_context()
        context.set_default_timeout(10_000)
        await context.route("http://site.test/**", answer)
        yield await context.new_page()
        await context.close()


def with_page(test):
    """Run the test under muxd.run, bridged, with a page, for at most 60 s."""

    @pytest.mark.trio(run=run)
    @bridged
    @functools.wraps(test)
    async def bounded():
        with trio.fail_after(60):
            async with open_page() as page:
                await test(page)

    del bounded.__wrapped__  # or pytest would look for a fixture "page"
    return bounded


@with_page
async def test_snippets_run_verbatim(page):
    """Navigation, locators, expect, events, popups, scripts and gather, as Playwright's docs have them."""
    response = await page.goto("http://site.test/")
    assert response.status == 200
    await expect(page.get_by_role("heading")).to_have_text("hello")
    await expect(page.locator("li")).to_have_count(3)
    assert await page.locator("li").all_inner_texts() == ["item 0", "item 1", "item 2"]
    await page.fill("#name", "muxd")
    assert await page.input_value("#name") == "muxd"
    async with page.expect_popup() as popup_info:
        await page.get_by_role("button").click()
    popup = await popup_info.value
    await popup.wait_for_load_state()
    assert await popup.title() == ""
    await expect(popup.locator("h1")).to_have_text("popup")
    async with page.expect_response("**/second") as response_info:
        await page.click("a")
    assert (await response_info.value).ok
    await page.wait_for_url("**/second")
    texts = await asyncio.gather(page.inner_text("h1"), popup.inner_text("h1"))
    assert texts == ["second", "popup"]
    handle = await page.query_selector("h1")
    assert await page.evaluate("heading => heading.textContent", handle) == "second"
    assert isinstance(page, Page)


@with_page
async def test_trio_beside_playwright(page):
    """trio's sleeps, deadlines, nurseries and threads stand between page calls."""
    with trio.move_on_after(30):
        await page.goto("http://site.test/")
        await trio.sleep(0.01)
        assert await trio.to_thread.run_sync(lambda: 6 * 7) == await page.evaluate("6 * 7")
    titles = {}

    async def visit(path):
        tab = await page.context.new_page()
        await tab.goto(f"http://site.test/{path}")
        titles[path] = await tab.inner_text("h1")
        await trio.lowlevel.checkpoint()
        await tab.close()

    async with open_nursery() as nursery:
        nursery.start_soon(visit, "second")
        nursery.start_soon(visit, "popup")
    assert titles == {"second": "second", "popup": "popup"}


@with_page
async def test_a_plain_child_gets_a_helpful_error(page):
    """A raw page call in a child of a plain nursery raises UnbridgedAwait; the page is as before."""
    caught = []

    async def plain():
        try:
            await page.evaluate("1")
        except UnbridgedAwait as error:
            caught.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(plain)
        nursery.start_soon(bridged(page.evaluate), "1")
    assert "muxd.open_nursery()" in caught[0]
    assert await page.evaluate("1 + 1") == 2


@with_page
async def test_trio_deadlines_cut_calls_short(page):
    """goto, wait_for, evaluate and expect are left at trio's deadline; the page goes on working."""
    await page.goto("http://site.test/")
    for call in (
        lambda: page.evaluate("new Promise(() => {})"),
        lambda: page.wait_for_selector("#never", timeout=0),
        lambda: expect(page.locator("#never")).to_be_visible(timeout=60_000),
        lambda: page.wait_for_event("download", timeout=0),
        lambda: page.goto("http://site.test/never", timeout=0),
    ):
        with trio.move_on_after(0.2) as scope:
            await call()
        assert scope.cancelled_caught
    other = await page.context.new_page()
    await other.goto("http://site.test/second")
    assert await other.inner_text("h1") == "second"


@with_page
async def test_asyncio_timeouts_and_groups_round_calls(page):
    """asyncio.timeout, wait_for and TaskGroup work with page calls, inside a trio deadline."""
    await page.goto("http://site.test/")
    await expect(page.locator("li")).to_have_count(3)  # they come a little later
    with trio.fail_after(30):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await page.evaluate("new Promise(() => {})")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(page.evaluate("new Promise(() => {})"), 0.1)
        async with asyncio.TaskGroup() as group:
            title = group.create_task(page.inner_text("h1"))
            count = group.create_task(page.locator("li").count())
        assert (title.result(), count.result()) == ("hello", 3)
    with pytest.raises(PlaywrightTimeoutError, match="Timeout 50ms"):
        await page.click("#never", timeout=50)


@with_page
async def test_a_gather_of_calls_left_at_a_deadline_logs_nothing(page):
    """Page calls that are given up leave no error behind."""
    with background_errors() as background:
        with trio.move_on_after(0.1):
            await asyncio.gather(*(page.evaluate("new Promise(() => {})") for _ in range(3)))
        assert await page.evaluate("1") == 1
        await asyncio.sleep(0.05)
    assert background.errors == []


@with_page
async def test_a_closed_page_ends_its_calls(page):
    """Closing the page from another task ends a call in flight with Playwright's own error."""

    async def close_soon():
        await trio.sleep(0.1)
        await page.close()

    async with open_nursery() as nursery:
        nursery.start_soon(close_soon)
        with pytest.raises(Error, match="closed"):
            await page.evaluate("new Promise(() => {})")


@with_page
async def test_an_error_in_a_listener_comes_out_at_the_next_call(page):
    """A listener or route handler that raises makes the next call of anyone raise it, once."""

    def listener(_message):
        raise ValueError("in a listener")

    async def async_listener(_message):
        raise ValueError("in a listener")

    async def handler(route):
        await route.abort()
        raise ValueError("in a listener")

    other = await page.context.new_page()
    await page.route("**/handled", handler)
    for event, trigger in (
        (listener, "console.log(1)"),
        (async_listener, "console.log(1)"),
        (None, "fetch('http://site.test/handled').catch(() => {})"),
    ):
        if event is not None:
            page.on("console", event)
        with contextlib.suppress(ValueError):  # it may be told of it already
            await page.evaluate(trigger)
            await asyncio.sleep(0.1)
            with pytest.raises(ValueError, match="in a listener"):
                await other.evaluate("1")
        assert await other.evaluate("1") == 1
        if event is not None:
            page.remove_listener("console", event)


@with_page
async def test_background_tasks_of_a_body_are_charged(page):
    """A task that a listener starts and that fails is charged to the run in progress."""
    tasks = []

    async def work():
        raise ValueError("in a task of a listener")

    with background_errors() as background:
        page.on("console", lambda _message: tasks.append(asyncio.create_task(work())))
        await page.evaluate("console.log(1)")
        await asyncio.sleep(0.1)
        assert len(tasks) == 1
        tasks.clear()
        await asyncio.sleep(0)
    assert [str(error) for error in background.errors] == ["in a task of a listener"]


@with_page
async def test_whose_context_handlers_have(page):
    """Playwright calls handlers in the context it was started in, not in the body's: as under
    plain asyncio. What the body itself starts has the body's."""
    seen = {}

    def look(place):
        seen[place] = structlog.contextvars.get_contextvars().get("job")

    with structlog.contextvars.bound_contextvars(job="headlines"):
        page.on("console", lambda _message: look("listener"))
        await page.evaluate("console.log(1)")
        asyncio.get_running_loop().call_soon(look, "callback")
        await page.evaluate("1")
        look("body")
    assert seen == {"listener": None, "callback": "headlines", "body": "headlines"}


@with_page
async def test_a_hostile_body_is_let_go_and_the_browser_lives(page):
    """A body that retries a hanging page for ever is given up; other pages are as before."""
    tries, leash, ended, hangs = [], Leash(), [], trio.Event()

    async def body():
        tab = await page.context.new_page()
        while True:
            tries.append(1)
            hangs.set()
            with contextlib.suppress(BaseException):
                await tab.evaluate("new Promise(() => {})")

    async def hold():
        with pytest.raises(Abandoned):
            await leash.run(body)
        ended.append(True)

    async with open_nursery() as nursery:
        nursery.start_soon(hold)
        await hangs.wait()
        await trio.sleep(0.1)
        leash.let_go()
        await trio.sleep(0.1)
        made = len(tries)
        assert ended
    await page.goto("http://site.test/second")
    assert await page.inner_text("h1") == "second"
    assert len(tries) == made


def test_a_browser_that_is_left_running_is_ended():
    """A run that ends without stopping Playwright leaves no process and no warning of a resource."""
    script = f"""
import asyncio, gc, trio
from playwright.async_api import async_playwright
from muxd.bridge import run
async def main():
    global browser
    playwright = await async_playwright().start()
    browser = await playwright.chromium.launch(
        executable_path={str(find_browser().path or "")!r} or None,
        chromium_sandbox={os.geteuid() != 0})
    print(await (await browser.new_page()).evaluate("6 * 7"), flush=True)
run(main)
import psutil, time
end = time.monotonic() + 10
while psutil.Process().children(recursive=True) and time.monotonic() < end:
    time.sleep(0.05)
print(psutil.Process().children(recursive=True))
del browser
gc.collect()
"""
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["42", "[]"], done.stderr
    assert "ResourceWarning" not in done.stderr
    assert done.returncode == 0
