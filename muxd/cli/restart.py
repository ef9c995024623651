"""``muxd restart``."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime
from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.config import Config
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

__all__ = ["restart"]

SLACK = 120.0
"""How long the next daemon may take to be up, seconds, beside the grace of the run in progress."""
TAKEN = 3.0
"""How long after the time of the gap it is asked whether the gap was taken, seconds."""


@click.command(
    epilog=epilog(
        ("muxd restart", "in the next gap that is long enough; returns when muxd is up again"),
        ("muxd restart --now", "at once; the run in progress may finish"),
        ("muxd restart --no-wait", "only have it done"),
    )
)
@click.option("--now", "at_once", is_flag=True, help="Don't wait for a gap.")
@click.option("--wait/--no-wait", default=True, help="Wait until muxd is up again. [default: wait]")
@config_options(needs=["daemon.state_dir"], warns=False)
@json_option
def restart(config: Config, at_once: bool, wait: bool, as_json: bool) -> None:
    """Start the daemon anew, on the same state: for another version of muxd, of a plugin or of Python.

    It is done in a gap of the timetable that is long enough for it, or in the longest of the day, so
    that no run has to wait. Pauses, skips and what is still to be caught up with are kept; a run that
    waits is tried again. The guard starts the next daemon; with [daemon] restart = false there is
    none, and this is refused. So it is while the configuration is wrong.
    """
    from muxd.cli.output import print_json
    from muxd.cli.when import local_text
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    client = ControlClient(state)
    before = client.status(upcoming=0)["pid"]
    told = client.restart(at_once=at_once)
    if not as_json:
        when = "now" if at_once else f"at {local_text(told['at'], config)}"
        click.echo(f"muxd (process {before}) is restarted {when}", err=wait)
    if not wait:
        if as_json:
            print_json(told | {"pid": None})
        return

    def later(at: str) -> None:
        told["at"] = at
        click.echo(f"the gap was taken: now at {local_text(at, config)}", err=True)

    pid = _up_again(client, state, before, config.daemon.grace, at=told["at"], later=later)
    if as_json:
        print_json(told | {"pid": pid})
    else:
        click.echo(f"muxd is up again (process {pid})")


def _up_again(
    client: ControlClient,
    state: StateDir,
    before: int,
    grace: float,
    *,
    at: str,
    later: Callable[[str], object],
) -> int:
    """Wait for another daemon; its process. `later` is told when it is not at this time after all."""
    from muxd.errors import DaemonNotRunning, DaemonSilent

    gone_at: float | None = None
    while True:  # another process's end and beginning: there is no event to wait for
        owner = state.owner()
        if owner is None:
            raise DaemonNotRunning(str(state.root))
        if owner.pid != before:
            gone_at = gone_at or time.monotonic()
            if client.listening():
                told = client.status(upcoming=0)
                if told["pid"] != before and told["state"] == "running":
                    return int(told["pid"])
            if time.monotonic() - gone_at > grace + SLACK:
                raise DaemonSilent("muxd has ended, and the next one is not up: see `muxd status`")
        elif time.time() > datetime.fromisoformat(at).timestamp() + TAKEN:
            with contextlib.suppress(DaemonNotRunning, DaemonSilent):  # it may be ending just now
                told = client.status(upcoming=0)
                if told["pid"] == before and (told["restart_at"] or at) > at:
                    at = told["restart_at"]
                    later(at)
        time.sleep(0.1 if gone_at is not None else 0.5)
