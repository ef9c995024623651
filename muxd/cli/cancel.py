"""``muxd cancel``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.complete import run_ids
from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["cancel"]


@click.command(
    epilog=epilog(
        ("muxd cancel 5PH9M2", "a run by the end of its id, as `muxd status` shows it"),
        ("muxd cancel 01K4ZB 01K4ZC", "several"),
    )
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=run_ids)
@config_options(needs=["daemon.state_dir"])
@json_option
@click.pass_context
def cancel(context: click.Context, config: Config, runs: tuple[str, ...], as_json: bool) -> None:
    """End runs that wait or are in progress. RUN is an id, or how one begins or ends.

    A run that waits, is held or has a place in a gap is not begun. One in progress is ended as it is
    at its deadline, and the browser is free within 10 s. Either is recorded as `cancelled` and not
    tried again. A run that has failed and would be tried again is not.

    Exit code 1 if a run ended by itself before it could be cancelled.
    """
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    client = ControlClient(state)
    told = []
    for run in dict.fromkeys(runs):
        done = client.cancel(run)
        told.append(done)
        if not as_json:
            click.echo(_line(done["was"], done["run"]))
    if as_json:
        print_json(told)
    late = [done for done in told if done["was"] == "running"]
    if any(done["run"]["outcome"] != "cancelled" for done in late):
        context.exit(1)


def _line(was: str, run: dict[str, str]) -> str:
    which = f"{run['id']}  {run['job']}"
    if was == "a further try":
        return f"{which}  is not tried again"
    if run["outcome"] != "cancelled":
        return f"{which}  had ended by itself: {run['outcome']}"
    return f"{which}  cancelled ({'was running' if was == 'running' else f'was {was}'})"
