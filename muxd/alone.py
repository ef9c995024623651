"""Runs of one job without a daemon, in a browser of their own: what `muxd run` does then."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

import trio

from muxd.book import RunBook
from muxd.browser.generation import open_generation
from muxd.browser.sessions import SessionFiles
from muxd.bus import Bus
from muxd.channel import open_priority_channel
from muxd.companions import start_services
from muxd.errors import PluginError, RunError, UserError
from muxd.evidence import RECALLED
from muxd.keeping import evidence_of
from muxd.lastrung import end_process
from muxd.leaks import Leaks
from muxd.pulse import forget_fate, last_fate
from muxd.record import Outcome
from muxd.release import Cause, Release
from muxd.runner import Runner
from muxd.signals import stop_signals
from muxd.state import StateDir
from muxd.supervisor import Supervisor
from muxd.worker import Worker
from muxd.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from muxd.browser.launch import LaunchPlan
    from muxd.config import Config
    from muxd.events import Event
    from muxd.job import Job
    from muxd.plugins import Plugins
    from muxd.record import Record

__all__ = ["run_alone"]

END_BOUND = 30.0
"""How long the end may take, from the last run's or the first signal on, seconds: the ladder, the
browser, the services."""


async def run_alone(
    config: Config,
    plugins: Plugins,
    launch: LaunchPlan,
    job: Job,
    *,
    repeat: int = 1,
    ended: Callable[[Record], None],
) -> int | None:
    """Run a job now, `repeat` times one after another, with its plugin's services beside it.

    The records go into the same ledger as a daemon's, with the cause ``manual``. There are no
    retries.

    Args:
      config: what is in force.
      plugins: as loaded.
      launch: how the browser is started.
      job: one of the plugins' jobs.
      repeat: how often, 1 or more.
      ended: is told of each record.

    Returns:
      The signal that ended it, one of `stop_signals`, or None. At the first the run in progress
      is ended and recorded as ``interrupted``, and no other is begun. Further ones change nothing:
      the end has its bound, whatever the body does.

    Raises:
      AlreadyRunning: a daemon, or another such run, holds the state directory.
      PluginError: a service of the job's plugin did not start.
      WorldError: the browser can't be launched.

    When cancelled, the browser is closed, and the run in progress is recorded as ``interrupted``
    at the next start.
    """
    state = StateDir(config.daemon.state_dir)
    with (
        trio.open_signal_receiver(*stop_signals()) as signals,
        state.hold("run"),
        Leaks(launch.scratch) as leaks,
    ):
        bus: Bus[Event] = Bus()
        book = RunBook(plugins.store(state.root), bus, real_now=time.time)
        end = _End(book)
        async with book.store.open(), trio.open_nursery() as outer:
            outer.start_soon(end.last_rung, leaks, state)
            async with trio.open_nursery() as beside, end.begins_after():
                beside.start_soon(end.heed, signals)
                beside.start_soon(book.run)
                await book.recover(last_fate(state.root))
                if not book.unwritten:
                    forget_fate(state.root)
                evidence = evidence_of(config, state)
                if evidence is not None:
                    await evidence.begin(await book.store.history(job=job.name, limit=RECALLED))
                with end.cuts_short():
                    mine = [pair for pair in plugins.services() if pair[0] == job.plugin]
                    await start_services(mine, beside, _refuse)
                send, receive = open_priority_channel[Release](math.inf)
                async with trio.open_nursery() as bodies, trio.open_nursery() as inner:
                    end.runner = Runner(
                        book,
                        bodies,
                        real_now=time.time,
                        evidence=evidence,
                        leaks=leaks,
                        workplace=Workplace(),
                    )
                    supervisor = Supervisor(
                        partial(
                            open_generation, plan=launch, sessions=SessionFiles(state.sessions)
                        ),
                        Worker(receive, end.runner, lambda _record: None),
                        bus,
                        real_now=time.time,
                        patience=0,
                    )
                    with end.cuts_short():
                        inner.start_soon(supervisor.run)
                        await supervisor.up.wait()
                    for _ in range(repeat):
                        if end.signal is not None:
                            break
                        try:
                            release = await book.release(
                                job, released_at=time.time(), cause=Cause.manual
                            )
                        except UserError:
                            if end.signal is None:
                                raise
                            break
                        assert release is not None  # one at a time: nothing to coalesce with
                        send.send_nowait(release)
                        ended(await book.wait_ended(release.id))
                    inner.cancel_scope.cancel()
                    bodies.cancel_scope.cancel()
                beside.cancel_scope.cancel()
            outer.cancel_scope.cancel()
    return end.signal


class _End:
    """What signals do to a run alone."""

    def __init__(self, book: RunBook) -> None:
        self.signal: int | None = None
        """The first that came."""
        self.runner: Runner | None = None
        self._book = book
        self._scope = trio.CancelScope()
        self._begun = trio.Event()

    def begin(self) -> None:
        """From now on the process must end within its bound."""
        self._begun.set()

    async def last_rung(self, leaks: Leaks, state: StateDir) -> None:
        """End the process where a service or a body would keep it for ever."""
        await self._begun.wait()
        await trio.sleep(END_BOUND)

        def clean_up() -> None:
            state.lock_file.unlink(missing_ok=True)
            leaks.close()

        await end_process(self._book.finish, clean_up)

    async def heed(self, signals: AsyncIterator[int]) -> None:
        """At the first signal end what there is, in order."""
        async for number in signals:
            if self.signal is not None:
                continue
            self.signal = number
            self.begin()
            self._scope.cancel()
            if self.runner is not None:
                name = signal.Signals(number).name
                self.runner.end_current(Outcome.interrupted, RunError(f"{name} ended it"))
            await self._book.close()  # a run that has no page yet gets none

    @contextlib.asynccontextmanager
    async def begins_after(self) -> AsyncIterator[None]:
        """The end begins when this is left, however it is."""
        try:
            yield
        finally:
            self.begin()

    @contextlib.contextmanager
    def cuts_short(self) -> Iterator[None]:
        """What is done inside is cancelled by a signal, and not even begun after one."""
        with trio.CancelScope() as self._scope:
            if self.signal is not None:
                self._scope.cancel()
            yield


def _refuse(plugin: str, cause: Exception) -> None:
    raise PluginError(plugin, "muxd_services", str(cause)) from cause
