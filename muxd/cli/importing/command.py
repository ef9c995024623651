"""``muxd import``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli.options import epilog

if TYPE_CHECKING:
    from muxd.slotting.crontab import Form

__all__ = ["import_"]

_EXAMPLES = (
    ("crontab -l | muxd import crontab - > muxd.toml", "when your jobs run"),
    ("muxd import changedetection url-watches.json >> muxd.toml", "what you watch"),
)
_file = click.argument("file", type=click.Path(path_type=Path))


@click.group("import", epilog=epilog(*_EXAMPLES))
def import_() -> None:
    """Print, as configuration, what another program knows of its jobs.

    Nothing is written and no daemon is asked. What can't be carried over stands beside it, as comments.
    """


@import_.command(epilog=epilog(_EXAMPLES[0]))
@_file
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "user", "system"]),
    default="auto",
    show_default=True,
    help="Whether a user stands before each command, as in /etc/crontab.",
)
def crontab(file: Path, form: Form) -> None:
    """Print a table [jobs.NAME] for each line of a crontab: its interval and phase.

    FILE is one as crontab -l prints it, /etc/crontab, or "-": stdin. The jobs themselves are yours to
    write: muxd runs what uses its browser, not commands.
    """
    from muxd.cli.importing.crontab import crontab_toml
    from muxd.slotting.crontab import parse_crontab, read_crontab

    if str(file) == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
        read = parse_crontab(text, "stdin", form)
    else:
        read = read_crontab(file, form)
    click.echo(crontab_toml(read), nl=False)


@import_.command(epilog=epilog(_EXAMPLES[1]))
@_file
def changedetection(file: Path) -> None:
    """Print a table [[plugins.watch.page]] for each watch of changedetection.io.

    FILE is its url-watches.json, its data directory, a backup of it (a ZIP file), or what its API
    answers for a watch; "-" is stdin. The tables are for the plugin of the package muxd-watch.
    """
    from muxd.cli.importing.changedetection import watches_toml
    from muxd.cli.importing.watches import read_watches

    click.echo(watches_toml(read_watches(file)), nl=False)
