"""``muxd top``."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import click

from muxd.cli.options import config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd.cli.topfeed import Client
    from muxd.config import Config

__all__ = ["top"]

RUNS = 100
"""How many runs of a job are shown."""
BOUND = 60.0
"""How long reading them may take, seconds."""


@click.command(
    epilog=epilog(
        ("muxd top", "the status, live; q ends it"),
        ("muxd status", "the same once, for scripts and logs"),
    )
)
@config_options(needs=["daemon.state_dir"])
def top(config: Config) -> None:
    """Show what the daemon is doing, live, on the whole terminal; 80x24 is enough.

    The arrows choose a job; r runs it, p pauses and resumes it, c cancels its run (in progress or
    waiting), h shows its history, enter shows all that is known of it, s sorts by name or by the next
    release, q ends it. Where there are more than 500 jobs, ] and [ show others.

    When the daemon stops, it says so, and goes on when there is one again.
    """
    from muxd.control.client import ControlClient
    from muxd.errors import UserError
    from muxd.state import StateDir

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("muxd top needs a terminal; `muxd status` doesn't")
    state = StateDir(config.daemon.state_dir)
    state.check()
    client = ControlClient(state)
    client.status(upcoming=0)  # that there is no daemon is better said here

    from muxd.cli.topapp import TopApp

    TopApp(cast("Client", client), lambda job: _past(config, job)).run()


def _past(config: Config, job: str) -> Sequence[dict[str, Any]]:
    """The runs of a job, read by a process of its own: a plugin may print, or take its time."""
    from muxd.errors import MuxdError

    command = [sys.executable, "-m", "muxd", "history", "--json", "--limit", str(RUNS)]
    command += ["--job", job, "--state-dir", str(config.daemon.state_dir)]
    if config.file is not None:
        command += ["--config", str(config.file)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    if done.returncode:
        raise MuxdError(done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}")
    return cast("Sequence[dict[str, Any]]", json.loads(done.stdout))
