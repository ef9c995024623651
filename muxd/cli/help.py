"""``muxd help``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.options import epilog

if TYPE_CHECKING:
    from muxd.cli.group import LazyGroup

__all__ = ["help_"]


@click.command(
    "help",
    epilog=epilog(
        ("muxd help", "all commands, those of plugins too"),
        ("muxd help history show", "as muxd history show --help"),
    ),
)
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_(context: click.Context, names: tuple[str, ...]) -> None:
    """Show all commands, those of plugins too; or the help of a command.

    `muxd --help` is quicker, and shows muxd's own: it loads no plugin.
    """
    root = context.find_root()
    group: LazyGroup = root.command  # type: ignore[assignment]
    if names:
        _help_of(root, names)
        return
    click.echo(root.get_help())
    commands = group.foreign()
    for words in commands.warnings:
        click.echo(f"muxd: warning: {words}", err=True)
    if found := commands.found:
        formatter = click.HelpFormatter(max_width=100)
        with formatter.section("Commands of plugins"):
            formatter.write_dl(
                [
                    (name, f"{each.command.get_short_help_str(70)} [{each.plugin}]")
                    for name, each in sorted(found.items())
                ]
            )
        click.echo(f"\n{formatter.getvalue()}", nl=False)


def _help_of(context: click.Context, names: tuple[str, ...]) -> None:
    """The help of the command that these lead to."""
    for name in names:
        command = context.command
        if not isinstance(command, click.Group):
            raise click.UsageError(f"{context.command_path!r} has no command {name!r}", context)
        _, inner, _ = command.resolve_command(context, [name])
        assert inner is not None
        context = click.Context(inner, parent=context, info_name=name)
    click.echo(context.get_help())
