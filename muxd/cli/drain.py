"""``muxd drain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["drain"]


@click.command(
    epilog=epilog(
        ("muxd drain --wait", "returns when nothing waits and nothing runs"),
        ("muxd resume --all", "go on"),
    )
)
@click.option("--wait", is_flag=True, help="Wait until nothing waits and nothing runs.")
@click.option("--note", default="", metavar="TEXT", help="Why, for people.")
@config_options(needs=["daemon.state_dir"])
@json_option
@click.pass_context
def drain(context: click.Context, config: Config, wait: bool, note: str, as_json: bool) -> None:
    """Let nothing become a run any more; the daemon stays up until it is resumed or stopped.

    What waits is run. Releases of slots are passed over and recorded as `missed`, and `muxd run` is
    refused. Further tries, overdue releases and runs that wait for a gap are kept for afterwards. A
    drain ends with the daemon: `muxd pause --all` is what survives it.

    Exit code 1 if --wait finds that the drain was ended by somebody.
    """
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    drained = ControlClient(state).drain(note=note, wait=wait)
    if as_json:
        print_json({"drained": drained})
    elif not wait:
        click.echo("no release becomes a run until `muxd resume --all`")
    else:
        click.echo("nothing waits and nothing runs" if drained else "the drain was ended")
    if wait and not drained:
        context.exit(1)
