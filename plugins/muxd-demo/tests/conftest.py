"""A site, and a browser on it, for the tests."""

from __future__ import annotations

import time
from itertools import count

import pytest
import structlog
import trio
from muxd_demo.jobs import demo_jobs
from muxd_demo.site import Site
from muxd_demo.studio import Studio
from playwright.async_api import async_playwright

import muxd
from muxd import find_browser


@pytest.fixture
async def site(nursery):
    """A site of the test's own, served on a free port until the test ends."""
    site = Site(port=0)
    with trio.fail_after(10):
        await nursery.start(site.run)
    return site


@pytest.fixture
def jobs(site):
    """The sixteen jobs on the test's site, by name."""
    return {job.name: job for job in demo_jobs(Studio(site))}


@pytest.fixture
def in_browser(jobs, tmp_path):
    """Runs ``async def scenario(play)`` with a browser; ``await play(job name)`` is one run.

    It has a persistent profile, as muxd has: what one run signs in, the next finds signed in. A
    scenario that needs another profile's directory gives ``profile``.
    """

    async def run_scenario(scenario, *, profile="profile"):
        async def with_browser():
            async with (
                async_playwright() as playwright,
                await playwright.chromium.launch_persistent_context(
                    tmp_path / profile, executable_path=find_browser().path
                ) as context,
            ):
                await scenario(_player(jobs, context))

        with trio.fail_after(90):
            await muxd.bridged(with_browser)()

    return run_scenario


def _player(jobs, main):
    numbers = count(1)

    async def play(name):
        job = jobs[name]
        fresh = job.session == "fresh"
        context = await main.browser.new_context() if fresh else main
        page = await context.new_page()
        try:
            return await job.body(
                muxd.Run(
                    id=f"run-{next(numbers):08d}",
                    job=job,
                    attempt=1,
                    released_at=time.time(),
                    deadline=time.time() + job.timeout,
                    page=page,
                    context=context,
                    browser=main.browser,
                    log=structlog.get_logger().bind(job=name),
                )
            )
        finally:
            await (context.close() if fresh else page.close())

    return play
