"""Blocking: what pages need not load is not asked for, and everything else is."""

from __future__ import annotations

import attrs
import pytest
import trio
from playwright.async_api import Error, expect

import muxd
from muxd.bridge import bridged
from muxd.browser.blocking import open_blocking
from muxd.browser.driver import open_driver
from muxd.engine import Engine

from .conftest import open_site

ENGINE = "headless-shell"

WAYS = {
    "by Chromium": lambda context: open_blocking(context.browser, Engine.chromium, ()),
    "by a route": lambda context: open_blocking(context.browser, Engine.firefox, ()),
}


@pytest.fixture
def drive(plan):
    """Run an async test function with (the shared context of a real browser, a site), bounded."""
    plan = attrs.evolve(plan, args=("--host-resolver-rules=MAP *.test 127.0.0.1",))

    def drive(test):
        async def main():
            with trio.fail_after(60):
                async with open_site() as site, open_driver(plan.scratch) as (playwright, _):
                    launch = playwright.chromium.launch_persistent_context
                    context = await bridged(launch)(**plan.options())
                    try:
                        await bridged(test)(context, site)
                    finally:
                        with trio.CancelScope(shield=True):
                            await bridged(context.close)()

        muxd.run(main)

    return drive


def asked(site):
    """The paths that were asked for since the last time, but for the icon that browsers look for."""
    paths = {path for path, _ in site.seen} - {"/favicon.ico"}
    site.seen.clear()
    return paths


async def load(page, url):
    """Go there and let all that is asked for be asked for."""
    await page.goto(url, wait_until="load")
    await page.evaluate("document.fonts.ready")
    await page.wait_for_function("(document.querySelector('video')?.networkState ?? 3) === 3")


HEAVY = {"/heavy", "/a.css", "/a.woff2", "/a.png", "/a.mp4", "/a.js"}


@pytest.mark.parametrize("way", WAYS)
def test_each_kind_is_refused_alone_and_nothing_after_it_was_lifted(drive, way):
    """image, font, media and stylesheet: no such request is made; all are, before and after."""

    async def test(context, site):
        blocking = WAYS[way](context)
        page = await context.new_page()
        for block, missing in [
            ((), set()),
            (("image",), {"/a.png"}),
            (("font", "media"), {"/a.woff2", "/a.mp4"}),
            (("stylesheet",), {"/a.css"}),
            ((), set()),
        ]:
            await blocking.apply(block, page)
            await load(page, site.url + "/heavy")
            assert asked(site) == HEAVY - missing
            inside = page.locator("img[src^=data]")  # a picture that is no request
            assert await inside.evaluate("img => img.naturalWidth") == 1
            await blocking.lift()

    drive(test)


@pytest.mark.parametrize("way", WAYS)
def test_hosts_are_refused_whatever_their_port_and_path(drive, way):
    """A host is itself, `*.host` what is below it; one that only stands in a path is not meant."""

    async def test(context, site):
        blocking = WAYS[way](context)
        port = site.url.rpartition(":")[2]
        page = await context.new_page()
        await blocking.apply(("ads.test", "*.tracker.test"), page)
        await load(page, site.url)
        asked(site)
        for host, goes in {
            "ads.test": False,
            "ADS.test": False,
            "more.ads.test": True,
            "a.b.tracker.test": False,
            "tracker.test": True,
            "badads.test": True,
        }.items():
            path = "/" + host.lower() + "/://ads.test/a.tracker.test:1/"
            await page.evaluate(
                "async url => {await fetch(url, {mode: 'no-cors'}).catch(() => 0)}",
                f"http://{host}:{port}{path}",
            )
            assert asked(site) == ({path} if goes else set()), host
        for url in ("http://ads.test/x", "https://ads.test", f"http://ads.test:{port}/"):
            other = await context.new_page()  # the page of an error would get in the next one's way
            with pytest.raises(Error, match="BLOCKED_BY_CLIENT"):
                await other.goto(url)
        await blocking.lift()
        await load(page, f"http://ads.test:{port}/second")
        assert "/second" in asked(site)

    drive(test)


@pytest.mark.parametrize("way", WAYS)
def test_popups_other_pages_and_a_page_that_was_open_before(drive, way):
    """All that a run opens is covered from its first request on, and so is what it was given."""

    async def test(context, site):
        blocking = WAYS[way](context)
        page = await context.new_page()
        await blocking.apply(("image",), page)
        await page.set_content(f"<img src={site.url}/a.png>", wait_until="load")
        assert asked(site) == set()
        await load(page, site.url)
        async with page.expect_popup() as opened:
            await page.evaluate("void window.open('/heavy')")
        popup = await opened.value
        await popup.wait_for_load_state()
        await popup.evaluate("document.fonts.ready")
        await popup.wait_for_function("document.querySelector('video').networkState === 3")
        async with page.expect_popup() as opened:
            await page.evaluate(
                "open('').document.write(`<img src=${location.origin}/written.png><p>written`)"
            )
        await expect((await opened.value).locator("p")).to_have_text("written")
        other = await context.new_page()
        await load(other, site.url + "/heavy")
        assert asked(site) == {"/"} | HEAVY - {"/a.png"}

    drive(test)


def test_a_runs_own_routes_go_before(drive):
    """What a route of the run answers is not asked of the network; what it lets go is blocked."""

    async def test(context, site):
        blocking = WAYS["by Chromium"](context)
        page = await context.new_page()
        await blocking.apply(("image", "stylesheet"), page)
        picture = (
            "<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'><rect width='7'/></svg>"
        )

        async def answer(route):
            if route.request.resource_type == "image":
                await route.fulfill(body=picture, content_type="image/svg+xml")
            else:
                await route.continue_()

        await context.route("**/a.*", answer)
        await load(page, site.url + "/heavy")
        assert asked(site) == HEAVY - {"/a.png", "/a.css"}
        assert await page.locator("img").first.evaluate("img => img.naturalWidth") == 7

    drive(test)


def test_blocking_costs_four_calls_a_run_and_nothing_where_nothing_is_blocked(drive):
    """Three calls to begin, one to end, and one for the first of all; none where nothing is blocked."""

    async def test(context, site):
        page = await context.new_page()
        connection = context._impl_obj._connection
        send, sent = connection.send_message_to_server, []

        def counting(target, method, *args, **kwargs):
            sent.append(method)
            return send(target, method, *args, **kwargs)

        connection.send_message_to_server = counting
        calls = []
        blocking = open_blocking(context.browser, Engine.chromium, ("image",))
        for block in ((), None, None, ("font",), ()):
            sent.clear()
            await blocking.apply(block, page)
            await blocking.lift()
            await blocking.lift()
            calls.append(len(sent))
        assert calls == [0, 5, 4, 4, 0]

    drive(test)
