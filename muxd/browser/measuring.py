"""What a launch, a page and a page's load cost, measured."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import attrs
import trio
from playwright.async_api import Error

from muxd.bridge import bridged
from muxd.browser.footprint import tree_cpu, tree_memory
from muxd.browser.generation import open_generation
from muxd.browser.sessions import FRESH, MAIN, SessionFiles
from muxd.errors import RunError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Request

    from muxd.browser.generation import Generation
    from muxd.browser.launch import LaunchPlan

__all__ = ["Launch", "Load", "measure_load", "measured_launch"]

LOAD_BOUND = 60.0
"""How long a page may take to load, seconds."""
SETTLE = 3.0
"""How long a page that has loaded may go on to ask for things before it is measured, seconds."""
MEASURE_BOUND = 30.0
"""How long it may take to ask what was loaded, seconds."""


@attrs.frozen(kw_only=True)
class Launch:
    """What a browser costs before it does anything."""

    seconds: float
    """From the start of its driver until it can be used."""
    main_page: float
    """Until the first page of the session ``main`` is open, seconds."""
    fresh_page: float
    """The same of the session ``fresh``, with its context."""
    cpu: float
    """Of browser, driver and Python for all of that, seconds."""
    memory: int
    """Of driver, browser and helpers with one page open, bytes."""


@attrs.frozen(kw_only=True)
class Load:
    """What one load of a page took."""

    requests: int
    """How many were answered."""
    size: int
    """Bytes that came in, headers too."""
    seconds: float
    """Until the page's load event."""
    cpu: float
    """Of browser, driver and Python, until the page had settled, seconds."""
    memory: int
    """Of driver, browser and helpers with the page open, bytes."""


@contextlib.asynccontextmanager
async def measured_launch(plan: LaunchPlan) -> AsyncIterator[tuple[Generation, Launch]]:
    """A browser, and what it took to have it; closed on leaving.

    Raises:
      BrowserLost: it did not launch, or gave no page.
      BrowserUnusable: it can't be launched before somebody does something.
    """
    cpu, begun = time.thread_time(), time.perf_counter()
    async with open_generation(1, plan, SessionFiles(plan.profile.with_name("sessions"))) as life:
        launched = time.perf_counter() - begun
        opened = {}
        for session in (MAIN, FRESH):
            begun = time.perf_counter()
            async with life.lease(session, block=()):
                opened[session] = time.perf_counter() - begun
                memory = await trio.to_thread.run_sync(tree_memory, life.pid)
        yield (
            life,
            Launch(
                seconds=launched,
                main_page=opened[MAIN],
                fresh_page=opened[FRESH],
                cpu=_cpu(life) - cpu,
                memory=memory or 0,
            ),
        )


async def measure_load(life: Generation, url: str, block: Sequence[str]) -> Load:
    """Load a page in a session of its own, with nothing in its cache, and measure that.

    Args:
      life: the browser, with no lease out.
      url: of the page.
      block: what it need not load, as `muxd.blocklist` has it.

    Raises:
      BrowserLost: the browser gave no page.
      RunError: the page can't be loaded within `LOAD_BOUND`; the message says why.
    """
    answered: list[Request] = []
    async with life.lease(FRESH, block=block) as lease:
        page = lease.page
        page.on("requestfinished", lambda request: answered.append(request))
        cpu, begun = _cpu(life), time.perf_counter()
        try:
            with trio.fail_after(LOAD_BOUND):
                await bridged(page.goto)(url, wait_until="load", timeout=0)
        except Error as error:
            why = error.message.splitlines()[0].removeprefix("Page.goto: ")
            raise RunError(f"{url} can't be loaded: {why}") from error
        except trio.TooSlowError:
            raise RunError(f"{url} was not loaded in {LOAD_BOUND:g} s") from None
        seconds = time.perf_counter() - begun
        with trio.move_on_after(SETTLE), contextlib.suppress(Error):
            await bridged(page.wait_for_load_state)("networkidle", timeout=0)
        cpu = _cpu(life) - cpu
        memory = await trio.to_thread.run_sync(tree_memory, life.pid)
        requests, size = len(answered), 0
        with trio.move_on_after(MEASURE_BOUND):
            for request in answered[:requests]:
                with contextlib.suppress(Error):
                    sizes = await bridged(request.sizes)()
                    size += sizes["responseHeadersSize"] + sizes["responseBodySize"]
    return Load(requests=requests, size=size, seconds=seconds, cpu=cpu, memory=memory or 0)


def _cpu(life: Generation) -> float:
    return time.thread_time() + tree_cpu(life.pid)
