"""What a lease leaves of its pages, whatever they do: one browser for all of these."""

from __future__ import annotations

import threading

import pytest
import trio

from muxd.bridge import bridged
from muxd.browser.generation import OWN_BOUND
from muxd.errors import PageCrashed
from tests.faults.house import is_busy, waited

ENGINE = "headless-shell"


def test_nothing_is_left_of_a_lease(lent):
    """Pages, popups and routes of a run are gone when its lease has been left."""

    async def test(life, site):
        async with life.lease("main") as lease:
            contexts = len(lease.browser.contexts)
            pages = len(lease.context.pages)
            await bridged(lease.context.route)("**/second", lambda route: route.abort())
            await bridged(lease.page.goto)(site.url + "/storm")
        async with life.lease("named") as lease:
            await bridged(lease.page.goto)(site.url)
        async with life.lease("main") as lease:
            assert len(lease.context.pages) == pages
            assert len(lease.browser.contexts) == contexts
            await bridged(lease.page.goto)(site.url + "/second")

    lent(test)


@pytest.mark.parametrize("path", ["/loop", "/never", "/unload", "/alert", "/drip", "/download"])
def test_a_hostile_page_is_closed_within_the_bound(lent, path):
    """Leaving a lease is bounded whatever the page does, and the browser serves the next run."""

    async def test(life, site):
        async with life.lease("main") as lease:
            page = lease.page
            with trio.move_on_after(1.5):
                try:
                    await bridged(page.goto)(site.url + path, wait_until="commit")
                    await bridged(page.evaluate)("1")
                    await trio.sleep(0.5)
                except Exception as error:
                    assert "Download" in str(error)  # noqa: PT017 - what goto says to one
            here = threading.get_native_id()
            before, left = waited(here), trio.current_time()
        took = trio.current_time() - left - (waited(here) - before)
        assert took < OWN_BOUND + 1  # nobody has revoked it
        if life.lost is not None:
            assert is_busy(), life.lost
            return
        async with life.lease("main") as lease:
            await bridged(lease.page.goto)(site.url)

    lent(test)


def test_a_dead_renderer_is_told_from_a_dead_browser(lent):
    """A renderer that dies takes its page along: PageCrashed; the browser goes on."""

    async def test(life, site):
        async with life.lease("main") as lease:
            with pytest.raises(Exception, match="crash"):
                await bridged(lease.page.goto)("chrome://crash")
            with trio.fail_after(20):  # the system's work
                assert isinstance(await life.wait_lost(lease), PageCrashed)
        assert life.lost is None
        async with life.lease("main") as lease:
            await bridged(lease.page.goto)(site.url)

    lent(test)


def test_a_listener_that_raises_is_charged_to_its_own_run(lent):
    """Playwright makes the next call by anyone raise it: here it's kept with its own lease."""

    async def test(life, site):
        def listener(_):
            raise RuntimeError("listener")

        async with life.lease("main") as lease:
            lease.page.on("close", listener)
        (error,) = lease.errors
        assert isinstance(error, RuntimeError)
        assert str(error).endswith("listener")
        async with life.lease("main") as lease:
            await bridged(lease.page.goto)(site.url)
        assert lease.errors == []

    lent(test)
