"""``muxd stop``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["stop"]

SLACK = 40.0
"""How much longer than its grace a stop may take, seconds: every step of it has a bound."""


@click.command(
    epilog=epilog(
        ("muxd stop", "the run in progress may finish; returns when the daemon is gone"),
        ("muxd stop --now", "the run in progress is ended and recorded as interrupted"),
    )
)
@click.option("--now", "at_once", is_flag=True, help="Don't let the run in progress finish.")
@config_options()
@json_option
def stop(config: Config, at_once: bool, as_json: bool) -> None:
    """Stop the daemon, and wait until it is gone."""
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.errors import DaemonNotRunning, MuxdError
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    pid = state.owner()
    if pid is None:
        raise DaemonNotRunning(str(state.root))
    ControlClient(state).stop(at_once=at_once)
    patience = time.monotonic() + config.daemon.grace + SLACK
    while state.owner() == pid:  # another process's end: there is no event to wait for
        if time.monotonic() > patience:
            raise MuxdError(f"muxd (process {pid}) has not stopped; end it with: kill -9 {pid}")
        time.sleep(0.05)
    if as_json:
        print_json({"stopped": True, "pid": pid})
    else:
        click.echo(f"muxd (process {pid}) has stopped")
