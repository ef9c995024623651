"""What a login asks of a real browser: its window, signs of a logout, and that nothing is traced."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest
import trio

import muxd
from muxd.bridge import bridged
from muxd.browser.loginwindow import hold_window
from muxd.browser.sign import SIGN_BOUND


async def shown(context, url):
    """The page at this address, once it is there."""
    with trio.fail_after(20):
        while True:
            for page in context.pages:
                if page.url == url:
                    return page
            await trio.sleep(0.02)  # that one has got there gives no event to wait for


def test_a_login_ends_when_its_window_is_closed(lent):
    """The window of a named session and of `main` alike: it ends when all pages are closed that were
    opened in it, popups too, and the browser lives on."""

    async def test(life, site):
        for session in ("shop", "main"):
            done = trio.Event()
            async with life.lease(session) as lease, muxd.open_nursery() as nursery:

                async def hold(lease=lease, session=session, done=done):
                    await hold_window(lease.context, lease.page, session, f"{site.url}/second")
                    done.set()

                nursery.start_soon(hold)
                page = await shown(lease.context, f"{site.url}/second")
                await bridged(page.evaluate)("url => void window.open(url)", f"{site.url}/list")
                popup = await shown(lease.context, f"{site.url}/list")
                await bridged(page.close)()
                await trio.sleep(0.1)
                assert not done.is_set()
                await bridged(popup.close)()
                with trio.fail_after(10):
                    await done.wait()
            assert life.lost is None

    lent(test)


def test_signs_and_no_trace(lent, monkeypatch):
    """An address or a selector shows that a page is logged out; what hangs or is no selector does not,
    and costs no more than its bound. A trace that was begun ahead is thrown away for a login."""

    async def test(life, site):
        assert await life.prepare("shop", trace=True)
        async with life.lease("shop") as lease:
            assert life._tracer.on
            await life.untrace(lease)
            assert not life._tracer.on
            await bridged(lease.page.goto)(f"{site.url}/second")
            monkeypatch.setattr("muxd.browser.sign.SIGN_BOUND", 20.0)
            signs = ("/second", "**/second", "h1", "/first", "#login", ">>>")
            assert [await life.has_sign(lease, sign) for sign in signs] == [True] * 3 + [False] * 3
            monkeypatch.undo()
            await bridged(lease.page.goto)(f"{site.url}/loop", wait_until="commit")
            await trio.sleep(0.2)
            begun = time.perf_counter()
            assert not await life.has_sign(lease, "#login")
            assert time.perf_counter() - begun < SIGN_BOUND + 2
            assert await life.has_sign(lease, "/loop")

    lent(test)


SHOP = "http://shop.example"
ACCOUNTS = {
    "/slow": "<body><script>fetch('/late').then(() => document.body.innerHTML = '<p id=in>in')</script>",
    "/out": "<h1>log in</h1>",
    "/down": "<h1>sorry</h1>",
}


def test_a_page_that_still_loads_is_not_logged_out(lent):
    """`LoggedIn` waits for it; one that is at rest without its mark is; of a server in trouble neither is
    known, so that fails."""

    async def answer(route):
        path = route.request.url.removeprefix(SHOP)
        if path == "/late":
            await asyncio.sleep(4)  # a handler is a task of asyncio's
        await route.fulfill(
            body=ACCOUNTS.get(path, ""),
            content_type="text/html",
            status=503 if path == "/down" else 200,
        )

    async def test(life, site):
        async with life.lease("fresh") as lease:
            await bridged(lease.page.route)(f"{SHOP}/**", answer)

            async def check(path):
                logged_in = muxd.LoggedIn(f"{SHOP}{path}", shows="#in", within="3s")
                return await bridged(logged_in)(SimpleNamespace(page=lease.page))

            assert await check("/slow") is True
            assert await check("/out") is False
            with pytest.raises(LookupError, match="/down answered 503"):
                await check("/down")

    lent(test)
