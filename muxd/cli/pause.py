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

WHOLE, DRAIN = "*", "*drain"
"""What the daemon calls the pause of all jobs, and a drain: see `muxd.pause`."""
ALL = {WHOLE: "all jobs are resumed", DRAIN: "releases become runs again"}


@click.command(
    epilog=epilog(
        ("muxd pause headlines", "until somebody resumes it"),
        ('muxd pause headlines --for 2h --note "site is down"', "for a while, with the reason"),
        ("muxd pause --all --for 30m", "no slot of any job is used for half an hour"),
    )
)
@click.argument("job", required=False, shell_complete=job_names)
@click.option("--all", "everything", is_flag=True, help="Pass over the slots of all jobs.")
@click.option("--for", "duration", metavar="DURATION", help="For how long, as in 2h.")
@click.option("--note", default="", metavar="TEXT", help="Why, for people.")
@config_options(needs=["daemon.state_dir"])
@json_option
def pause(
    config: Config,
    job: str | None,
    everything: bool,
    duration: str | None,
    note: str,
    as_json: bool,
) -> None:
    """Pass over the slots of JOB, or of all, from now on, and after restarts of the daemon too.

    Each release that is passed over is recorded as `missed`. A run in progress goes on, what waits is
    run, and `muxd run` runs the job all the same. muxd pauses a job itself when three of its runs, one
    after another, did harm to others; it then tries the job again now and then. A pause of all jobs is
    one of its own: it changes nothing about those that are paused themselves.
    """
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.errors import UserError
    from muxd.state import StateDir
    from muxd.units import DURATION_HELP, parse_duration

    if everything == bool(job):
        raise UserError("name the job to pause, or give --all")
    try:
        seconds = None if duration is None else parse_duration(duration)
    except ValueError:
        raise UserError(f"--for {duration}: give {DURATION_HELP}") from None
    state = StateDir(config.daemon.state_dir)
    state.check()
    client = ControlClient(state)
    if job is None:
        client.pause_all(note=note, seconds=seconds)
    else:
        client.pause(job, note=note, seconds=seconds)
    if as_json:
        print_json({"paused": [job or WHOLE]})
    else:
        end = f"`muxd resume {job or '--all'}`" if duration is None else duration
        who = f"{job} is" if job else "all jobs are"
        click.echo(f"{who} paused {'until' if duration is None else 'for'} {end}")


@click.command(
    epilog=epilog(
        ("muxd resume headlines", "use its slots again"),
        ("muxd resume --all", "end `muxd pause --all` or a drain; else those of every job"),
    )
)
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=job_names)
@click.option("--all", "everything", is_flag=True, help="Resume all.")
@config_options(needs=["daemon.state_dir", "plugins.jobs_dirs", "plugins.disable"])
@json_option
def resume(config: Config, jobs: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Use the slots of paused jobs again, and forget the harm that they did.

    --all ends the pause of all jobs, and a drain; jobs that are paused themselves stay so, and a
    second --all resumes them. Those that wait for a login are resumed by that (muxd login), or by their
    names. It is told who stays paused. Without a daemon it holds from the next start on.
    """
    from muxd.cli.output import harmless, print_json
    from muxd.errors import DaemonNotRunning, UserError
    from muxd.state import StateDir

    if everything == bool(jobs):
        raise UserError("name the jobs to resume, or give --all (see `muxd status`)")
    state = StateDir(config.daemon.state_dir)
    state.check()
    names: Sequence[str | None] = jobs or [None]
    try:
        resumed, left = _in_daemon(state, names)
    except DaemonNotRunning as error:
        if not state.root.is_dir() or state.owner() is not None:
            raise
        resumed, left = _in_store(config, names, error)
    if not everything:
        left = {}
    if as_json:
        still = [{"job": name, "note": note} for name, note in left.items()]
        print_json({"resumed": resumed, "still_paused": still})
        return
    for name in resumed:
        click.echo(ALL.get(name) or f"{name} is resumed")
    for name in set(jobs) - set(resumed):
        click.echo(f"{name} was not paused")
    for name, note in left.items():
        click.echo(f"{name} stays paused: {harmless(note)}")
    if not resumed and not left and everything:
        click.echo("No job is paused.")


def _in_daemon(state: StateDir, names: Sequence[str | None]) -> tuple[list[str], dict[str, str]]:
    """Who is resumed; and who is still paused, with the reason."""
    from muxd.control.client import ControlClient

    client = ControlClient(state)
    resumed = [name for asked in names for name in client.resume(asked)]
    paused = client.status(upcoming=0)["paused"] if None in names else ()
    return resumed, {pause["job"]: pause["note"] for pause in paused}


def _in_store(
    config: Config, names: Sequence[str | None], error: DaemonNotRunning
) -> tuple[list[str], dict[str, str]]:
    """As the daemon would do it; that none runs is an error if nothing is paused."""
    from muxd import run
    from muxd.cli.context import load
    from muxd.login import login_session
    from muxd.pause import is_a_jobs
    from muxd.state import StateDir

    store = load(config, lenient=True).store(config.daemon.state_dir)

    async def edit() -> tuple[list[str], dict[str, str]]:
        # Who writes holds the directory: no daemon comes in between.
        with StateDir(config.daemon.state_dir).hold("run"):
            async with store.open() as opened:
                pauses = dict(await opened.pauses())
                gone = [name for name in pauses if is_a_jobs(name) or name == WHOLE]
                if None not in names:
                    gone = [name for name in gone if name in names]
                elif WHOLE in pauses:
                    gone = [WHOLE]
                else:
                    gone = [name for name in gone if login_session(pauses[name].note) is None]
                left = {
                    name: pause.note
                    for name, pause in pauses.items()
                    if is_a_jobs(name) and pause.note and name not in gone
                }
                paused = [name for name in gone if pauses[name].note]
                if not paused and not (left and None in names):
                    raise error
                await opened.set_pauses({k: v for k, v in pauses.items() if k not in gone})
                return paused, left

    return run(edit)
