"""``muxd install`` and ``muxd uninstall``."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd.config import Config

__all__ = ["install", "uninstall"]

PASSED_ON = "muxd.cli.install.passed_on"
NOTE = 1000
"""How long a note may be, characters: as the daemon takes it."""


class _PassingOn(click.Command):
    """What stands behind ``--`` is kept for the installer, and is none of this command's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, further = args, list[str]()
        if "--" in args:
            at = args.index("--")
            own, further = args[:at], args[at + 1 :]
        ctx.meta[PASSED_ON] = further
        return super().parse_args(ctx, own)


@click.command(
    cls=_PassingOn,
    epilog=epilog(
        ("muxd install muxd-trends", "and slot its jobs in, if a daemon runs"),
        ("muxd install -e ./my-plugin", "one that you write, where it is"),
        ("muxd install ./my-plugin -- --no-deps", "options behind -- are the installer's"),
    ),
)
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option(
    "-e",
    "--editable",
    "editable",
    multiple=True,
    metavar="DIR",
    help="A plugin that is worked on: it stays in its directory, and `muxd reload` takes over what is "
    "changed there. May be given again.",
)
@config_options(needs=["daemon.state_dir"], warns=False)
@click.pass_context
def install(
    context: click.Context, config: Config, packages: tuple[str, ...], editable: tuple[str, ...]
) -> None:
    """Install plugins into the environment that muxd itself is in, and take them over.

    PACKAGE is whatever pip takes: a name, one with a version, a path (./my-plugin), an address. It is pip that
    installs, or uv where that has made the environment. If a daemon runs it is reloaded; what came and
    where it was slotted is told. If the installation fails, nothing changes for the daemon.
    """
    from muxd.installer import installer, version_of

    if not packages and not editable:
        raise click.UsageError("Missing argument 'PACKAGE...', or --editable DIR.")
    tool, before = installer(), version_of("muxd")
    _run(tool.install(packages, context.meta[PASSED_ON], editable=editable))
    _take_over(context, config, before, f"installed {', '.join((*packages, *editable))}")


@click.command(
    cls=_PassingOn,
    epilog=epilog(("muxd uninstall muxd-trends", "and remove its jobs, if a daemon runs")),
)
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...")
@config_options(needs=["daemon.state_dir"], warns=False)
@click.pass_context
def uninstall(context: click.Context, config: Config, packages: tuple[str, ...]) -> None:
    """Remove plugins from the environment that muxd itself is in, and have the daemon drop them.

    PACKAGE is the name of a distribution, as `muxd plugins` shows it. Runs of its jobs that wait are
    cancelled; one in progress ends as it is.
    """
    from muxd.installer import installer, version_of

    tool, before = installer(), version_of("muxd")
    _run(tool.uninstall(packages, context.meta[PASSED_ON]))
    _take_over(context, config, before, f"uninstalled {', '.join(packages)}")


def _run(command: Sequence[str]) -> None:
    """Have the installer say what it says; raises `MuxdError` if it fails."""
    from muxd.errors import MuxdError

    sys.stdout.flush()
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        raise MuxdError("the installer failed (see above): muxd goes on as it was")


def _take_over(context: click.Context, config: Config, before: str | None, note: str) -> None:
    """Have the daemon reload, if there is one. `note`: what was done, for its audit trail."""
    from muxd.cli.nextsteps import command, muxd, same
    from muxd.cli.reload import tell_changes
    from muxd.control.client import ControlClient
    from muxd.installer import version_of
    from muxd.secrets import Secrets
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    owner = state.owner() if state.root.is_dir() else None
    if owner is None or owner.role != "daemon":
        click.echo("no muxd is running: `muxd plan` shows what the jobs would be slotted like")
        return
    told: dict[str, Any] = ControlClient(state).reload(
        note=Secrets().mask(note)[:NOTE]  # an address may have a password
    )
    tell_changes(told, config)
    if told["added"]:
        job = told["added"][0]["job"]
        click.echo(f"run one now: {command(*muxd(), 'run', job, *same(config))}")
    if version_of("muxd") != before:
        click.echo("! muxd itself is another version now: needs a restart (muxd restart)")
    if told["problems"]:
        context.exit(1)
