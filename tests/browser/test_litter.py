"""What runs leave on the disk is gone while nothing else is to be done."""

from __future__ import annotations

import pytest

from muxd.bridge import bridged


def files(life):
    """All that is in Playwright's folder, by name."""
    folder = life._profile.with_name("tmp")
    return sorted(p.name for p in folder.glob("playwright-artifacts-*/**/*") if p.is_file())


@bridged
async def work(page, url):
    """Go somewhere, and download something."""
    await page.goto(url)
    await page.set_content("<a download=a href='data:text/x,a'>a</a>")
    async with page.expect_download() as download:
        await page.click("a")
    assert await (await download.value).path()


@pytest.mark.parametrize("session", ["main", "fresh"])
def test_traces_and_downloads_leave_nothing(browse, session):
    """However many runs were traced, with pictures or without, the next page's own trace is all."""

    async def test(life, site):
        for pictures in (False, True, False):
            assert await life.prepare(session, trace=True)
            async with life.lease(session) as lease:
                await life.trace(lease, pictures=pictures)
                await work(lease.page, site.url)
            assert files(life)  # Playwright keeps them
        assert await life.prepare(session, trace=True)
        [name] = life._shelf.traces
        assert files(life) == [f"{name}.network", f"{name}.trace"]

    browse(test)
