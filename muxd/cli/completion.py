"""``muxd completion``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from muxd.cli.options import epilog

__all__ = ["completion"]

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=epilog(
        ('eval "$(muxd completion bash)"', "into ~/.bashrc; with zsh into ~/.zshrc"),
        ("muxd completion fish > ~/.config/fish/completions/muxd.fish", "once"),
    )
)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def completion(shell: str | None) -> None:
    """Print what makes a shell complete commands, those of plugins too, options, jobs and runs.

    SHELL is by default the one that SHELL in the environment names.
    """
    from click.shell_completion import get_completion_class

    from muxd.cli import main
    from muxd.errors import UserError

    shell = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(shell) if shell in SHELLS else None
    if kind is None:
        raise UserError(f"say for which shell: {', '.join(SHELLS)}")
    click.echo(kind(main, {}, "muxd", "_MUXD_COMPLETE").source())
