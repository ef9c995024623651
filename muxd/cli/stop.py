"""``muxd stop``."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.state import Owner, StateDir

__all__ = ["stop"]

SLACK = 40.0
"""How much longer than its grace a stop may take, seconds: every step of it has a bound."""
BETWEEN = 0.2
"""How long after a signal the next one is another to whoever gets it, seconds."""
HEARD = 10.0
"""How long a process may take to hear a signal before it gets the next one all the same, seconds."""


@click.command(
    epilog=epilog(
        ("muxd stop", "the run in progress may finish; returns when the daemon is gone"),
        ("muxd stop --now", "the run in progress is ended and recorded as interrupted"),
    )
)
@click.option("--now", "at_once", is_flag=True, help="Don't let the run in progress finish.")
@config_options(needs=["daemon.state_dir"])
@json_option
def stop(config: Config, at_once: bool, as_json: bool) -> None:
    """Stop the daemon, and wait until it is gone.

    One that is only starting is stopped too, and one that a job blocks: at the latest when that has
    reached its limit, with --now at once.
    """
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.errors import DaemonNotRunning, DaemonSilent
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    owner = state.owner()
    if owner is None:
        raise DaemonNotRunning(str(state.root))
    if owner.role != "daemon":
        raise DaemonNotRunning(str(state.root), alone=owner.pid)
    client, grace = ControlClient(state), config.daemon.grace
    if not client.listening():
        # It is starting, or stopping, or just being started again: no socket yet, or none any more.
        _signal(state, owner, at_once=at_once)
    else:
        try:
            grace = client.stop(at_once=at_once).get("grace", grace)
        except (DaemonNotRunning, DaemonSilent):
            # It was about to end; or it is blocked, which its guard knows how to end.
            _signal(state, owner, at_once=at_once)
            grace += config.daemon.blocked_limit
    patience = time.monotonic() + grace + SLACK
    while _is_there(state, owner):  # another process's end: there is no event to wait for
        if time.monotonic() > patience:
            raise DaemonSilent(
                f"muxd (process {owner.told}) has not stopped; end it with: kill -9 {owner.told}"
            )
        time.sleep(0.05)
    if as_json:
        print_json({"stopped": True, "pid": owner.pid})
    else:
        click.echo(f"muxd (process {owner.pid}) has stopped")


def _signal(state: StateDir, owner: Owner, *, at_once: bool) -> None:
    """Tell it by a signal, which means the same and waits until it is heard."""
    patience = time.monotonic() + HEARD
    for _ in range(2 if at_once else 1):
        while _is_pending(owner, signal.SIGTERM) and time.monotonic() < patience:
            time.sleep(0.02)  # another one would be lost in it
        if owner.told is not None and _is_there(state, owner):
            with contextlib.suppress(ProcessLookupError):
                os.kill(owner.told, signal.SIGTERM)
            time.sleep(BETWEEN)


def _is_pending(owner: Owner, number: int) -> bool:
    """Whether this signal waits to be heard by the process; False where that can't be seen."""
    try:
        lines = Path(f"/proc/{owner.told}/status").read_text().splitlines()
        masks = [int(line.split()[1], 16) for line in lines if line[:7] in ("SigPnd:", "ShdPnd:")]
    except (OSError, ValueError, IndexError):
        return False
    return any(mask >> (number - 1) & 1 for mask in masks)


def _is_there(state: StateDir, owner: Owner) -> bool:
    """Whether that muxd still is, be it with another daemon."""
    now = state.owner()
    return now is not None and now.told == owner.told
