"""Runs of one job without a daemon, in a browser of their own: what `muxd run` does then."""

from __future__ import annotations

import math
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
from muxd.errors import PluginError
from muxd.release import Cause, Release
from muxd.runner import Runner
from muxd.state import StateDir
from muxd.supervisor import Supervisor
from muxd.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.browser.launch import LaunchPlan
    from muxd.config import Config
    from muxd.events import Event
    from muxd.job import Job
    from muxd.plugins import Plugins
    from muxd.record import Record

__all__ = ["run_alone"]


async def run_alone(
    config: Config,
    plugins: Plugins,
    launch: LaunchPlan,
    job: Job,
    *,
    repeat: int = 1,
    ended: Callable[[Record], None],
) -> None:
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

    Raises:
      AlreadyRunning: a daemon, or another such run, holds the state directory.
      PluginError: a service of the job's plugin did not start.
      WorldError: the browser can't be launched.

    When cancelled, the run in progress is ended at once and recorded as ``interrupted``.
    """
    state = StateDir(config.daemon.state_dir)
    with state.hold():
        bus: Bus[Event] = Bus()
        book = RunBook(plugins.store(state.root), bus, real_now=time.time)
        async with book.store.open(), trio.open_nursery() as beside:
            beside.start_soon(book.run)
            await book.recover()
            mine = [pair for pair in plugins.services() if pair[0] == job.plugin]
            await start_services(mine, beside, _refuse)
            send, receive = open_priority_channel[Release](math.inf)
            async with trio.open_nursery() as bodies, trio.open_nursery() as inner:
                runner = Runner(book, bodies, real_now=time.time)
                supervisor = Supervisor(
                    partial(open_generation, plan=launch, sessions=SessionFiles(state.sessions)),
                    Worker(receive, runner, lambda _record: None),
                    bus,
                    real_now=time.time,
                    patience=0,
                )
                inner.start_soon(supervisor.run)
                await supervisor.up.wait()
                for _ in range(repeat):
                    release = await book.release(job, released_at=time.time(), cause=Cause.manual)
                    assert release is not None  # one at a time: nothing to coalesce with
                    send.send_nowait(release)
                    ended(await book.wait_ended(release.id))
                inner.cancel_scope.cancel()
                bodies.cancel_scope.cancel()
            beside.cancel_scope.cancel()


def _refuse(plugin: str, cause: Exception) -> None:
    raise PluginError(plugin, "muxd_services", str(cause)) from cause
