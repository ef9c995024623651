"""``muxd pause`` and ``muxd resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.complete import job_names
from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd.config import Config
    from muxd.errors import DaemonNotRunning
    from muxd.state import StateDir

__all__ = ["pause", "resume"]


@click.command(
    epilog=epilog(
        ("muxd pause headlines", "until somebody resumes it"),
        ('muxd pause headlines --for 2h --note "site is down"', "for a while, with the reason"),
    )
)
@click.argument("job", shell_complete=job_names)
@click.option("--for", "duration", metavar="DURATION", help="For how long, as in 2h.")
@click.option("--note", default="", metavar="TEXT", help="Why, for people.")
@config_options(needs=["daemon.state_dir"])
@json_option
def pause(config: Config, job: str, duration: str | None, note: str, as_json: bool) -> None:
    """Pass over the slots of JOB from now on, while the daemon runs and after its restarts.

    Each release that is passed over is recorded as `missed`. A run in progress goes on, and
    `muxd run` runs the job all the same. muxd pauses a job itself when three of its runs, one after
    another, did harm to others; it then tries the job again now and then.
    """
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.errors import UserError
    from muxd.state import StateDir
    from muxd.units import DURATION_HELP, parse_duration

    try:
        seconds = None if duration is None else parse_duration(duration)
    except ValueError:
        raise UserError(f"--for {duration}: give {DURATION_HELP}") from None
    state = StateDir(config.daemon.state_dir)
    state.check()
    ControlClient(state).pause(job, note=note, seconds=seconds)
    if as_json:
        print_json({"paused": [job]})
    else:
        end = f"`muxd resume {job}`" if duration is None else duration
        click.echo(f"{job} is paused {'until' if duration is None else 'for'} {end}")


@click.command(
    epilog=epilog(
        ("muxd resume headlines", "use its slots again"),
        ("muxd resume --all", "those of every job"),
    )
)
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=job_names)
@click.option("--all", "everything", is_flag=True, help="Resume every job that is paused.")
@config_options()
@json_option
def resume(config: Config, jobs: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Use the slots of paused jobs again, and forget the harm that they did.

    Without a daemon it holds from the next start on.
    """
    from muxd.cli.output import print_json
    from muxd.errors import DaemonNotRunning, UserError
    from muxd.state import StateDir

    if everything == bool(jobs):
        raise UserError("name the jobs to resume, or give --all (see `muxd status`)")
    state = StateDir(config.daemon.state_dir)
    state.check()
    names: Sequence[str | None] = jobs or [None]
    try:
        resumed = _in_daemon(state, names)
    except DaemonNotRunning as error:
        if not state.root.is_dir() or state.owner() is not None:
            raise
        resumed = _in_store(config, names, error)
    if as_json:
        print_json({"resumed": resumed})
        return
    for name in resumed:
        click.echo(f"{name} is resumed")
    for name in set(jobs) - set(resumed):
        click.echo(f"{name} was not paused")
    if not resumed and everything:
        click.echo("No job is paused.")


def _in_daemon(state: StateDir, names: Sequence[str | None]) -> list[str]:
    from muxd.control.client import ControlClient

    client = ControlClient(state)
    return [name for asked in names for name in client.resume(asked)]


def _in_store(config: Config, names: Sequence[str | None], error: DaemonNotRunning) -> list[str]:
    """As the daemon would do it; that none runs is an error if nothing is paused."""
    from muxd import run
    from muxd.cli.context import load
    from muxd.state import StateDir

    store = load(config).store(config.daemon.state_dir)

    async def edit() -> list[str]:
        # Who writes holds the directory: no daemon comes in between.
        with StateDir(config.daemon.state_dir).hold("run"):
            async with store.open() as opened:
                pauses = dict(await opened.pauses())
                gone = [name for name in pauses if None in names or name in names]
                paused = [name for name in gone if pauses[name].note]
                if not paused:
                    raise error
                await opened.set_pauses({k: v for k, v in pauses.items() if k not in gone})
                return paused

    return run(edit)
