"""Runs without a daemon, in a browser of their own: what `muxd run` does then, and `muxd dev`."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any, final

import attrs
import trio

from muxd.body.data import FILE_NAME, Data
from muxd.body.memory import Memory
from muxd.book import RunBook
from muxd.browser.footprint import tree_memory
from muxd.browser.generation import open_generation
from muxd.browser.sessions import SessionFiles
from muxd.bus import Bus
from muxd.channel import open_priority_channel
from muxd.companions import start_services
from muxd.errors import PluginError, RunError, UserError
from muxd.evidence import RECALLED
from muxd.keeping import artifacts_of, evidence_of, secrets_of
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
from muxd.wrapping import Wrappers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from muxd.abc import PageSource, Service
    from muxd.artifacts import Artifacts
    from muxd.browser.launch import LaunchPlan
    from muxd.channel import PrioritySendChannel
    from muxd.config import Config
    from muxd.events import Event
    from muxd.evidence import Evidence
    from muxd.job import Job
    from muxd.plugins import Plugins
    from muxd.record import Record
    from muxd.secrets import KnownSecrets

__all__ = ["Alone", "open_alone", "run_alone"]

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
    measured: Callable[[int | None], object] | None = None,
    secrets: KnownSecrets | None = None,
    hear: Callable[[Event], object] | None = None,
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
      measured: is told after each run what the browser takes, bytes; None if it is gone.
      secrets: what is masked in all that is kept; None: what the configuration names.
      hear: is told what bodies have to say; None: their news are logged.
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
    secrets = secrets if secrets is not None else secrets_of(config)
    evidence = evidence_of(config, StateDir(config.daemon.state_dir), secrets)
    async with open_alone(
        config, plugins, launch, evidence=evidence, secrets=secrets, recalled=job.name
    ) as alone:
        alone.wrappers.replace(plugins.page_wrappers())
        alone.hear = hear
        await alone.start(pair for pair in plugins.services() if pair[0] == job.plugin)
        async with alone.open_browser(launch):
            for _ in range(repeat):
                record = await alone.run(job)
                if record is None:
                    break
                ended(record)
                if measured is not None:
                    measured(await alone.memory())
    return alone.signal


@contextlib.asynccontextmanager
async def open_alone(
    config: Config,
    plugins: Plugins,
    launch: LaunchPlan,
    *,
    evidence: Evidence | None,
    secrets: KnownSecrets | None = None,
    recalled: str | None = None,
) -> AsyncIterator[Alone]:
    """Hold the state directory, and have all that runs need but the browser.

    Args:
      config: what is in force.
      plugins: have the store.
      launch: how the browser will be started.
      evidence: keeps what the pages of the runs show.
      secrets: what is masked in all that is kept.
      recalled: the job whose past tells what is traced; None: all of them.

    Raises:
      AlreadyRunning: a daemon, or another such run, holds the state directory.
    """
    state = StateDir(config.daemon.state_dir)
    with (
        trio.open_signal_receiver(*stop_signals()) as signals,
        state.hold("run"),
        Leaks(launch.scratch, own=[state.root / FILE_NAME]) as leaks,
    ):
        bus: Bus[Event] = Bus()
        book = RunBook(plugins.store(state.root), bus, real_now=time.time)
        end = _End(book)
        data = Data(state.root, real_now=time.time)
        async with book.store.open(), data, trio.open_nursery() as outer:
            outer.start_soon(end.last_rung, leaks, state)
            async with trio.open_nursery() as beside, end.begins_after():
                beside.start_soon(end.heed, signals)
                beside.start_soon(book.run)
                await book.recover(last_fate(state.root))
                if not book.unwritten:
                    forget_fate(state.root)
                if evidence is not None:
                    await evidence.begin(await book.store.history(job=recalled, limit=RECALLED))
                yield Alone(
                    state,
                    artifacts_of(config, state),
                    Memory(data, book.store, real_now=time.time),
                    bus,
                    book,
                    evidence,
                    secrets,
                    leaks,
                    end,
                    beside,
                )
                beside.cancel_scope.cancel()
            outer.cancel_scope.cancel()


@final
@attrs.define(eq=False)
class Alone:
    """Runs jobs one after another, until a signal comes. Made by `open_alone`."""

    _state: StateDir
    _artifacts: Artifacts
    _memory: Memory
    _bus: Bus[Event]
    _book: RunBook
    _evidence: Evidence | None
    _secrets: KnownSecrets | None
    _leaks: Leaks
    _end: _End
    _beside: trio.Nursery
    wrappers: Wrappers = attrs.field(factory=Wrappers)
    """What plugins do round the bodies."""
    hear: Callable[[Event], object] | None = None
    """Is told what bodies have to say; None: their news are logged."""
    _send: PrioritySendChannel[Release] | None = None
    _supervisor: Supervisor | None = None

    @property
    def signal(self) -> int | None:
        """The first that came; None: it may go on."""
        return self._end.signal

    def cuts_short(self) -> contextlib.AbstractContextManager[None]:
        """What is done inside is cancelled by a signal, and not even begun after one."""
        return self._end.cuts_short()

    async def start(
        self, services: Iterable[tuple[str, Service]], nursery: trio.Nursery | None = None
    ) -> None:
        """Have these services run until the end, or that of the nursery.

        Raises:
          PluginError: one did not start.
        """
        with self._end.cuts_short():
            await start_services(services, nursery or self._beside, _refuse)

    @contextlib.asynccontextmanager
    async def open_browser(
        self, launch: LaunchPlan, lent: Callable[[PageSource], PageSource] = lambda pages: pages
    ) -> AsyncIterator[None]:
        """Have a browser up inside, and another one when it is lost.

        Args:
          launch: how it is started.
          lent: gives what the runs get their pages of.

        Raises:
          WorldError: it can't be launched.
        """
        self._send, receive = open_priority_channel[Release](math.inf)
        async with trio.open_nursery() as bodies, trio.open_nursery() as inner:
            self._end.runner = _Lending(
                lent,
                self._book,
                bodies,
                real_now=time.time,
                evidence=self._evidence,
                leaks=self._leaks,
                workplace=Workplace(
                    artifacts=self._artifacts,
                    memory=self._memory,
                    secrets=self._secrets,
                    publish=self.hear or (lambda _event: None),
                    logs_news=self.hear is None,
                ),
                wrappers=self.wrappers,
            )
            self._supervisor = supervisor = Supervisor(
                partial(open_generation, plan=launch, sessions=SessionFiles(self._state.sessions)),
                Worker(receive, self._end.runner, lambda _record: None),
                self._bus,
                real_now=time.time,
                patience=0,
            )
            with self._end.cuts_short():
                inner.start_soon(supervisor.run)
                await supervisor.up.wait()
            yield
            inner.cancel_scope.cancel()
            bodies.cancel_scope.cancel()

    async def memory(self) -> int | None:
        """What the browser takes now, with its driver, bytes; None if it is not up."""
        life = self._supervisor.current if self._supervisor is not None else None
        if life is None:
            return None
        return await trio.to_thread.run_sync(tree_memory, life.pid, abandon_on_cancel=True)

    def end_run(self, outcome: Outcome, reason: RunError) -> None:
        """End the run in progress, if there is one. Never blocks."""
        if self._end.runner is not None:
            self._end.runner.end_current(outcome, reason)

    async def run(self, job: Job) -> Record | None:
        """Run a job now, and give its record; None: a signal came before it had begun.

        One at a time.
        """
        assert self._send is not None, "there is no browser"
        if self._end.signal is not None:
            return None
        try:
            release = await self._book.release(job, released_at=time.time(), cause=Cause.manual)
        except UserError:
            if self._end.signal is None:
                raise
            return None
        assert release is not None  # one at a time: nothing to coalesce with
        self._send.send_nowait(release)
        return await self._book.wait_ended(release.id)


class _Lending(Runner):
    """Has its runs get their pages by way of somebody else."""

    def __init__(self, lent: Callable[[PageSource], PageSource], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lent = lent

    async def run(self, release: Release, pages: PageSource) -> Record:
        """See `Runner.run`."""
        return await super().run(release, self._lent(pages))


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
