"""Jobs that are tried whenever their code is saved, in a browser that stays up: `muxd dev`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol, final

import attrs
import trio

from muxd.alone import open_alone
from muxd.errors import MuxdError, PluginError, RunError
from muxd.evidence import Evidence
from muxd.keeping import artifacts_of
from muxd.keptpages import PageKeeper
from muxd.record import Outcome
from muxd.state import StateDir

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from muxd.abc import PageSource
    from muxd.alone import Alone
    from muxd.browser.launch import LaunchPlan
    from muxd.config import Config
    from muxd.events import Event
    from muxd.job import Job
    from muxd.observation import TraceWhen
    from muxd.plugins import Plugins
    from muxd.record import Record
    from muxd.running import Run
    from muxd.saves import Saves
    from muxd.secrets import KnownSecrets

    Load = Callable[[Collection[Path]], tuple[Plugins, list[Job]]]

__all__ = ["Screen", "Tried", "develop"]


@attrs.frozen
class Tried:
    """One run, as it is shown."""

    record: Record
    returned: Any
    """What the body returned, itself; None if it raised."""
    folder: Path | None
    """What is kept of the run."""


class Screen(Protocol):
    """Shows what happens."""

    def begins(self, job: Job) -> None:
        """A run of the job begins."""

    def tried(self, tried: Tried) -> None:
        """It has ended."""

    def hears(self, event: Event) -> None:
        """The run in progress has something to say."""

    def wrong(self, error: MuxdError) -> None:
        """Nothing can be run: a file can't be imported, or the configuration is wrong."""

    def waits(self, ran: int) -> None:
        """So many runs were made; the next save is waited for."""


async def develop(
    config: Config,
    keepers: Plugins,
    launch: LaunchPlan,
    load: Load,
    saves: Saves,
    screen: Screen,
    *,
    secrets: KnownSecrets,
    trace: TraceWhen = "retries",
) -> int | None:
    """Try jobs now, and again whenever something is saved, until a signal comes.

    A save ends the run in progress: what it would show is out of date. If the browser's window is
    shown, the page of the last run stays open.

    Args:
      config: what is in force; its state directory is not a daemon's.
      keepers: have the store.
      launch: how the browser is started.
      load: gives the plugins as they are now, and the jobs to be tried, for what was saved since:
        nothing at first. What is wrong it raises.
      saves: tells of them.
      screen: is shown what happens.
      secrets: what is masked in all that is kept.
      trace: which runs are traced with pictures.

    Returns:
      The signal, one of `stop_signals`. The run in progress is then ended first.

    Raises:
      AlreadyRunning: somebody else holds the state directory.
      WorldError: the browser can't be launched.
    """
    evidence = Evidence(
        artifacts_of(config, StateDir(config.daemon.state_dir)),
        secrets=secrets,
        trace=trace,
        of_good=True,
    )
    async with (
        open_alone(config, keepers, launch, evidence=evidence, secrets=secrets) as alone,
        trio.open_nursery() as beside,
    ):
        await beside.start(saves.watch)
        keeper = PageKeeper()
        beside.start_soon(keeper.run)
        alone.hear = screen.hears
        lent = keeper.keeping if launch.headed else _as_they_are
        async with alone.open_browser(launch, lent):
            bench = _Bench(alone, load, saves, screen, evidence)
            saved: Collection[Path] = ()
            while alone.signal is None:
                saved = await bench.round(saved)
            await keeper.let_go()
        beside.cancel_scope.cancel()
    return alone.signal


def _as_they_are(pages: PageSource) -> PageSource:
    return pages


@final
@attrs.frozen
class _Bench:
    """Tries the jobs, one round a save."""

    alone: Alone
    load: Load
    saves: Saves
    screen: Screen
    evidence: Evidence

    async def round(self, saved: Collection[Path]) -> Collection[Path]:
        """Try what these saves concern; gives the next ones, nothing after a signal."""
        ran = 0
        async with trio.open_nursery() as beside:
            for job in await self._ready(saved, beside):
                if self.saves.pending or self.alone.signal is not None:
                    break
                ran += await self._try(job)
            if self.alone.signal is None and not self.saves.pending:
                self.screen.waits(ran)
            with self.alone.cuts_short():
                await self.saves.wait()
            beside.cancel_scope.cancel()
        return self.saves.take()

    async def _ready(self, saved: Collection[Path], beside: trio.Nursery) -> list[Job]:
        """The jobs to try, their services running; what is in the way is shown."""
        try:
            plugins, jobs = self.load(saved)
            concerned = {job.plugin for job in jobs}
            services = plugins.services(only=concerned)
            self.alone.wrappers.replace(plugins.page_wrappers())
            wrappers = plugins.page_wrappers(only=concerned)
        except MuxdError as error:
            self.screen.wrong(error)
            return []
        for problem in plugins.problems:
            self.screen.wrong(problem)
        try:
            await self.alone.start(services, beside)
        except PluginError as problem:
            self.screen.wrong(problem)
            return []
        self.alone.wrappers.replace(wrappers)
        return jobs

    async def _try(self, job: Job) -> bool:
        """Run it once, and show how it went; False if a signal came before it had begun."""
        returned: list[Any] = []
        self.screen.begins(job)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_saves)
            record = await self.alone.run(_noted(job, returned.append))
            nursery.cancel_scope.cancel()
        if record is None:
            return False
        folder = self.evidence.artifacts.find(record.id)
        self.screen.tried(Tried(record, returned[0] if returned else None, folder))
        return True

    async def _heed_saves(self) -> None:
        await self.saves.wait()
        self.alone.end_run(Outcome.cancelled, RunError("something was saved meanwhile"))


def _noted(job: Job, note: Callable[[Any], object]) -> Job:
    """The same job; what its body returns is told."""
    body = job.body

    @functools.wraps(body)
    async def noting(run: Run) -> Any:
        result = await body(run)
        note(result)
        return result

    return job.replace(body=noting)
