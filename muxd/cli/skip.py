"""``muxd skip``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.complete import job_names
from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["skip"]


@click.command(
    epilog=epilog(
        ('muxd skip report --note "holiday"', "the next release of its slot is passed over"),
        ("muxd skip report --undo", "it is not, after all"),
    )
)
@click.argument("job", shell_complete=job_names)
@click.option("--note", default="", metavar="TEXT", help="Why, for people.")
@click.option("--undo", is_flag=True, help="Don't skip it after all.")
@config_options(needs=["daemon.state_dir"])
@json_option
def skip(config: Config, job: str, note: str, undo: bool, as_json: bool) -> None:
    """Pass over the next release of JOB's slot, once.

    It is recorded as `missed`, with the reason; the one after it is run as always. That holds after
    restarts of the daemon too. Further tries and runs that people ask for are not concerned.
    """
    from muxd.cli.output import print_json
    from muxd.cli.when import local_text
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    told = ControlClient(state).skip(job, note=note, undo=undo)
    if as_json:
        print_json(told)
    elif undo:
        click.echo(f"{job} is not skipped" if told["undone"] else f"{job} was not to be skipped")
    else:
        at = local_text(told["at"], config)
        click.echo(f"{job} is skipped at {at}, once; `muxd skip {job} --undo` takes that back")
