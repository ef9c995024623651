"""A login without a daemon, in a window of a browser of its own: what `muxd login` does then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from muxd.alone import run_alone
from muxd.browser.loginwindow import hold_window
from muxd.bus import Bus
from muxd.login import login_job, login_url
from muxd.loginneeds import paused_for_login
from muxd.pauses import Pauses
from muxd.record import Outcome
from muxd.state import StateDir

if TYPE_CHECKING:
    from muxd.browser.launch import LaunchPlan
    from muxd.config import Config
    from muxd.events import Event
    from muxd.plugins import Plugins
    from muxd.record import Record
    from muxd.running import Run

__all__ = ["log_in_alone"]


async def log_in_alone(
    config: Config,
    plugins: Plugins,
    launch: LaunchPlan,
    session: str,
    url: str,
    *,
    seconds: float,
) -> tuple[Record | None, list[str], int | None]:
    """Open a window for a login, and save the session when the person has closed it.

    Args:
      config: what is in force.
      plugins: as loaded.
      launch: how the browser is started; headed.
      session: whose page it is.
      url: where it begins.
      seconds: how long it may take.

    Returns:
      Its record, None if it has none; the jobs that are resumed; the signal that ended it, if one did.

    Raises:
      AlreadyRunning: a daemon, or a run alone, holds the state directory.
      UserError: nobody can log in to that session, or to no such page.
      WorldError: the browser can't be launched.
    """
    records: list[Record] = []
    begins_at = login_url(url) if url else ""

    async def body(run: Run) -> str:
        await hold_window(run.context, run.page, session, begins_at)
        return "a person has logged in"

    job = login_job(session, body, seconds=seconds)
    number = await run_alone(config, plugins, launch, job, ended=records.append)
    record = records[0] if records else None
    done = record is not None and record.outcome is Outcome.ok
    return record, await _resume(config, plugins, session) if done else [], number


async def _resume(config: Config, plugins: Plugins, session: str) -> list[str]:
    """End the pauses of the jobs that have waited for it, as the daemon would."""
    state = StateDir(config.daemon.state_dir)
    with state.hold("run"):
        async with plugins.store(state.root).open() as store:
            bus: Bus[Event] = Bus()
            pauses = Pauses(store, bus, real_now=time.time)
            await pauses.load()
            names = paused_for_login(pauses.all, session)
            for name in names:
                pauses.resume(name, by=f"a login to the session {session!r}")
            await pauses.save()
    return names
