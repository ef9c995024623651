"""The same jobs two ways: each with a browser of its own, all at once; and one after the other."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import psutil
import structlog
import trio
from playwright.async_api import async_playwright

from muxd import Run, bridged
from muxd_demo.jobs import demo_jobs
from muxd_demo.meter import Meter, browsers_of, has_pss
from muxd_demo.site import Site
from muxd_demo.studio import Studio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext

    from muxd import Job

    Launch = Callable[[], Awaitable[Browser]]
    Way = Callable[[Launch, Sequence[Job]], Awaitable[list["Attempt"]]]

__all__ = ["Attempt", "Tally", "compare"]

_CLOSING = 10.0
"""Seconds that a browser has to close before it is left to be killed."""
_NO_LOG = structlog.wrap_logger(
    structlog.ReturnLogger(), wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
)


@attrs.frozen(kw_only=True)
class Attempt:
    """How one job fared."""

    job: str
    seconds: float
    """From its start, the launch of its browser included where it has its own."""
    failure: str | None = None
    """Why it failed, in one line; None if it did well."""


@attrs.frozen(kw_only=True)
class Tally:
    """What one way cost."""

    attempts: tuple[Attempt, ...]
    seconds: float
    """From the start of the first job until the last one ended and every browser was closed."""
    peak_browsers: int
    peak_memory: int
    """Bytes."""
    memory_kind: str
    """``PSS`` or ``RSS``."""

    @property
    def failures(self) -> list[Attempt]:
        """Those that did not do well."""
        return [attempt for attempt in self.attempts if attempt.failure is not None]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return attrs.asdict(self) | {
            "jobs": len(self.attempts),
            "failures": len(self.failures),
        }


async def compare(
    many: int, *, browser: Path | None, timeout: float, tell: Callable[[str], None]
) -> tuple[Tally, Tally]:
    """Run the first `many` jobs at once, then the same one by one, each way on a new site.

    Args:
      many: 1 to 16.
      browser: the executable; None: Playwright's own.
      timeout: seconds that each job has, the launch of its browser included.
      tell: is told what is going on, a line at a time.

    Returns:
      What it cost at once, and what it cost one by one.

    Must be called under `muxd.run`. Cancelled, it leaves no browser behind.
    """
    tell(f"{many} jobs at once, each with a browser of its own ...")
    at_once = await _measured(_at_once, many, browser, timeout)
    tell(f"The same {many} jobs one after the other, on one browser ...")
    return at_once, await _measured(_one_by_one, many, browser, timeout)


async def _measured(way: Way, many: int, browser: Path | None, timeout: float) -> Tally:
    site, meter = Site(port=0), Meter()
    here_before = set(browsers_of(psutil.Process()))
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(site.run)
            jobs = [job.replace(timeout=timeout) for job in demo_jobs(Studio(site))][:many]
            nursery.start_soon(meter.run)
            started = time.monotonic()
            attempts = await bridged(_with_playwright)(way, browser, jobs)
            seconds = time.monotonic() - started
            nursery.cancel_scope.cancel()
    finally:
        for left_over in set(browsers_of(psutil.Process())) - here_before:
            left_over.kill()
    return Tally(
        attempts=tuple(attempts),
        seconds=seconds,
        peak_browsers=meter.peak_browsers,
        peak_memory=meter.peak_memory,
        memory_kind="PSS" if has_pss() else "RSS",
    )


async def _with_playwright(way: Way, browser: Path | None, jobs: Sequence[Job]) -> list[Attempt]:
    async with async_playwright() as playwright:
        # No timeout of the launch's own: the job's is what counts.
        launch = partial(playwright.chromium.launch, executable_path=browser, timeout=0)
        return await way(launch, jobs)


async def _at_once(launch: Launch, jobs: Sequence[Job]) -> list[Attempt]:
    attempts: list[Attempt] = []

    async def alone(job: Job) -> None:
        async def all_of_it() -> None:
            async with _browser(launch) as browser:
                await _run(job, browser)

        attempts.append(await _attempt(job, all_of_it))

    async with trio.open_nursery() as nursery:
        for job in jobs:
            nursery.start_soon(bridged(alone), job)
    return attempts


async def _one_by_one(launch: Launch, jobs: Sequence[Job]) -> list[Attempt]:
    attempts = []
    async with _browser(launch) as browser:
        # One context for all, as a profile is: one job signs in, and the others are signed in.
        main = await browser.new_context()
        for job in jobs:
            context = main if job.session == "main" else None
            attempts.append(await _attempt(job, partial(_run, job, browser, context)))
    return attempts


@asynccontextmanager
async def _browser(launch: Launch) -> AsyncIterator[Browser]:
    browser = await launch()
    try:
        yield browser
    finally:
        with trio.move_on_after(_CLOSING, shield=True):
            await browser.close()


async def _run(job: Job, browser: Browser, shared: BrowserContext | None = None) -> None:
    context = shared or await browser.new_context()
    page = await context.new_page()
    now = time.time()
    try:
        await job.body(
            Run(
                id=secrets.token_hex(8),
                job=job,
                attempt=1,
                released_at=now,
                deadline=now + job.timeout,
                page=page,
                context=context,
                browser=browser,
                log=_NO_LOG,
            )
        )
    finally:
        with trio.move_on_after(_CLOSING, shield=True):
            await (page.close() if shared else context.close())


async def _attempt(job: Job, body: Callable[[], Awaitable[None]]) -> Attempt:
    started = time.monotonic()
    failure = None
    with trio.move_on_after(job.timeout) as deadline:
        try:
            await body()
        except Exception as error:
            first_line = str(error).strip().partition("\n")[0]
            failure = f"{type(error).__name__}: {first_line}"
    if deadline.cancelled_caught:
        failure = f"timed out after {job.timeout:g} s"
    return Attempt(job=job.name, seconds=time.monotonic() - started, failure=failure)
