"""The imagined bodies: they hold the browser for a while, and break as the plan says."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, NoReturn, cast, final

import attrs
import trio

from muxd.simulation.faults import Fault, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from muxd.job import Job
    from muxd.learned import Learned
    from muxd.running import Run
    from muxd.simulation.pages import SimulatedPages
    from muxd.simulation.world import World
    from muxd.testing import FakePage

__all__ = ["Bodies", "BodyError", "Lasting"]

USUAL = 0.6
"""What share of its declared duration a run of a job without history takes as a median."""
SHARE = 0.9
"""No honest run takes more than this share of its timeout."""
P95 = 1.6449
"""Standard deviations from the median to the 95th percentile."""
SLOWER = 10
STUBBORN = 60.0
"""For how long a body ignores its cancellation, seconds."""


class BodyError(Exception):
    """What imagined bodies raise."""


class _TargetClosed(Exception):
    """As Playwright's calls end when their page or browser is gone."""


_TargetClosed.__module__ = "playwright.async_api"


@attrs.frozen
class Lasting:
    """How long the runs of a job take: lognormal, between bounds."""

    p50: float
    """Median, seconds."""
    p95: float
    """95th percentile, seconds."""
    most: float
    """Seconds."""

    @classmethod
    def of(cls, job: Job, learned: Learned | None) -> Lasting:
        """From a job's history, or what it declares."""
        most = SHARE * job.timeout
        if learned is not None:
            return cls(max(learned.p50, 0.001), max(learned.p95, learned.p50, 0.001), most)
        return cls(USUAL * job.duration, job.duration, most)

    def sample(self, seed: str) -> float:
        """Seconds; the same seed gives the same."""
        sigma = math.log(self.p95 / self.p50) / P95
        return min(Random(seed).lognormvariate(math.log(self.p50), sigma), self.most)


@final
class Bodies:
    """Makes bodies for jobs."""

    def __init__(
        self,
        world: World,
        learned: Mapping[str, Learned],
        browser: Callable[[], SimulatedPages | None],
    ) -> None:
        """Make none yet.

        Args:
          world: where they are.
          learned: what is known of each job's durations.
          browser: gives the one that is up, or None.
        """
        self._world, self._learned, self._browser = world, learned, browser

    def instead_of(self, job: Job) -> Job:
        """The same job with an imagined body."""
        lasting = Lasting.of(job, self._learned.get(job.name))

        async def body(run: Run) -> object:
            return await self._perform(run, lasting)

        return job.replace(body=body)

    async def _perform(self, run: Run, lasting: Lasting) -> object:
        world = self._world
        page = cast("FakePage", run.page)
        seconds = lasting.sample(f"{world.seed}/{run.id}")
        for place, share in (
            (Place.body_start, 0.5),
            (Place.body_middle, 0.5),
            (Place.body_end, 0.0),
        ):
            fault = await world.meet(place, run=run.id, job=run.job.name)
            if fault is Fault.slow:
                seconds *= SLOWER
            elif fault is not None:
                await self._break(fault, page)
            await _call(page, seconds * share)
        return f"{seconds:.3f} s"

    async def _break(self, fault: Fault, page: FakePage) -> None:
        browser = self._browser()
        if browser is None:  # it was lost in this very moment
            return
        match fault:
            case Fault.error:
                raise BodyError("the page was not as expected")
            case Fault.page_crash:
                browser.crash()
            case Fault.browser_lost:
                browser.kill("it crashed")
            case Fault.listener:
                browser.leave_errors.append(BodyError("a listener raised"))
            case Fault.hang:
                await page.closed.wait()
            case Fault.stuck:
                browser.hangs = True
                await trio.sleep_forever()
            case Fault.stubborn:
                browser.hangs = True
                with trio.CancelScope(shield=True):
                    await trio.sleep(STUBBORN)


async def _call(page: FakePage, seconds: float) -> None:
    """A call to the page that takes so long."""
    if page.closed.is_set():
        _closed()
    with trio.move_on_after(seconds):
        await page.closed.wait()
    if page.closed.is_set():
        _closed()


def _closed() -> NoReturn:
    raise _TargetClosed("Target page, context or browser has been closed")
