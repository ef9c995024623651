"""What a shell may complete: the names of jobs, the ids of runs."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from muxd.config import Config

__all__ = ["data_jobs", "job_names", "quietly", "run_ids", "session_names"]

AT_MOST = 1000
"""How many names of jobs are offered."""
NEWEST = 50
"""Of how many runs the ids are offered."""


def job_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The jobs that begin so: the daemon's if one is running, else those of the plugins.

    Never raises, and says nothing: somebody is typing.
    """
    with quietly(), context.scope(cleanup=False):
        config = _config(context)
        already = (context.params.get(parameter.name or "") or ()) if parameter.nargs == -1 else ()
        found = _of_the_daemon(config, incomplete)
        if found is None:
            from muxd.cli.context import load

            found = [job.name for job in load(config, lenient=True).jobs]
        return sorted(name for name in found if name.startswith(incomplete) and name not in already)
    return []


def data_jobs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The jobs that have saved something and begin so. Never raises, and says nothing."""
    with quietly(), context.scope(cleanup=False):
        from muxd.body.reading import DataReader

        tables = DataReader(_config(context).daemon.state_dir).tables()
        return sorted({table.job for table in tables if table.job.startswith(incomplete)})
    return []


def session_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The sessions of the plugins' jobs that begin so, and ``main``.

    Never raises, and says nothing.
    """
    with quietly(), context.scope(cleanup=False):
        from muxd.cli.context import load

        found = {"main", *(job.session for job in load(_config(context)).jobs)} - {"fresh"}
        return sorted(name for name in found if name.startswith(incomplete))
    return []


def run_ids(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The newest runs whose ids begin so, newest first, and the words for some of them.

    Never raises, and says nothing.
    """
    with quietly(), context.scope(cleanup=False):
        found = ["last", "last-failed", *_of_the_ledger(_config(context))]
        return [name for name in found if name.startswith(incomplete)]
    return []


def _config(context: click.Context) -> Config:
    from muxd.configfile import load_config

    given = context.params
    options = {
        "daemon.state_dir": (given.get("state_dir"), "--state-dir"),
        "plugins.jobs_dirs": (given.get("jobs_dirs") or None, "--jobs-dir"),
    }
    return load_config(given.get("config_file"), options)


def _of_the_daemon(config: Config, incomplete: str) -> list[str] | None:
    """None if there is none."""
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    client = ControlClient(StateDir(config.daemon.state_dir))
    if not client.listening():
        return None
    # Pages begin after a name: what comes before `incomplete` need not be asked for.
    before = incomplete[:-1]
    return [job["name"] for job in client.jobs(after=before, limit=AT_MOST)["jobs"]]


def _of_the_ledger(config: Config) -> list[str]:
    from muxd import run
    from muxd.cli.context import load
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    if not state.root.is_dir():
        return []
    store = load(config, lenient=True).store(state.root)

    async def read() -> list[str]:
        async with store.open(readonly=True) as opened:
            return [record.id for record in await opened.history(limit=NEWEST)]

    return run(read)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Nothing is told on stderr, where what plugins print goes too."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with contextlib.suppress(Exception):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
