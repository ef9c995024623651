"""A group whose commands are imported when used, and that turns errors into exit codes."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from click.shell_completion import CompletionItem

    from muxd.cli.plugincommands import PluginCommand, PluginCommands
    from muxd.errors import MuxdError

__all__ = ["Entry", "LazyGroup"]

_FOREIGN = "muxd.cli.group.foreign"
"""Where in the context's ``meta`` the commands of plugins are, once they were looked for."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell gives it."""


class Entry(NamedTuple):
    """A line of the table of commands."""

    target: str
    """``module:attribute`` of the click command."""
    help: str
    """One line."""


class LazyGroup(click.Group):
    """Shows its table in ``--help``; imports a command when it is run or asked for its help."""

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, Entry] | None = None,
        further: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
          *args: as of `click.Group`.
          table: the commands.
          further: where there is what finds commands that are not in the table, ``module:attribute``:
            it is called with the table's names when such a command is asked for.
          **kwargs: as of `click.Group`.
        """
        super().__init__(*args, **kwargs)
        self.table = dict(table or {})
        self._further = further

    def foreign(self) -> PluginCommands:
        """The commands that are not in the table: plugins are loaded for them."""
        if self._further is None:
            from muxd.cli.plugincommands import PluginCommands

            return PluginCommands({}, [])
        context = click.get_current_context().find_root()
        if _FOREIGN not in context.meta:
            module, _, attribute = self._further.partition(":")
            find = getattr(importlib.import_module(module), attribute)
            context.meta[_FOREIGN] = find(tuple(self.table))
        found: PluginCommands = context.meta[_FOREIGN]
        return found

    def main(self, args: Any = None, *further: Any, **options: Any) -> Any:
        """As click's; as a program, one that plugins can't keep from its end."""
        if args is not None or not options.get("standalone_mode", True):
            return super().main(args, *further, **options)
        try:
            return super().main(args, *further, **options)
        except SystemExit as end:
            if not isinstance(end.code, int | None):
                raise
            code = end.code or 0
        except OSError:
            code = 1  # what was to be said can't be written: the disk is full
        if "muxd.plugins" in sys.modules:
            from muxd.cli.leaving import leave

            leave(code)
        sys.exit(code)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported."""
        entry = self.table.get(cmd_name)
        if entry is None:
            found = _known(ctx, cmd_name)
            return None if found is None else found.command
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begin with; a misspelt one gets a guess."""
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            if ctx.resilient_parsing:
                self._foreign_quietly(ctx)
                return super().resolve_command(ctx, args)
            with ctx.scope(cleanup=False):
                foreign = self.foreign().found
            if name not in foreign:
                from muxd.hints import did_you_mean

                ctx.fail(f"No such command {name!r}; {did_you_mean(name, {*self.table, *foreign})}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What may be meant; commands of plugins where none of muxd's own begins so, as it takes loading them."""
        found = super().shell_complete(ctx, incomplete)
        if found or not incomplete or incomplete.startswith("-"):
            return found
        from click.shell_completion import CompletionItem as Item

        return [
            Item(name, help=each.command.get_short_help_str())
            for name, each in sorted(self._foreign_quietly(ctx).items())
            if name.startswith(incomplete) and not each.command.hidden
        ]

    def _foreign_quietly(self, ctx: click.Context) -> Mapping[str, PluginCommand]:
        """The commands of plugins while somebody types: nothing is said, whatever is wrong."""
        from muxd.cli.complete import quietly

        with quietly(), ctx.scope(cleanup=False):
            return self.foreign().found
        return {}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.table.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever it raises becomes a message and an exit code.

        A command may return its exit code.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit, OSError) as error:
            # Click knows these; a broken pipe (a reader like `head` that has seen enough) it
            # ends quietly. Any other OSError is one that nobody foresaw.
            if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
                ctx.exit(report(error, debug=ctx.params.get("debug", False)))
            raise
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(INTERRUPTED)
        except SystemExit:
            raise
        except BaseException as error:
            leaves = list(_leaves(error))
            if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
                ctx.exit(INTERRUPTED)  # Ctrl-C within a nursery
            if all(isinstance(leaf, BrokenPipeError) for leaf in leaves):
                raise leaves[0] from None  # as above
            found = _known(ctx, ctx.invoked_subcommand)
            plugin = None if found is None else found.plugin
            ctx.exit(report(error, debug=ctx.params.get("debug", False), plugin=plugin))
        if isinstance(result, int) and result:
            ctx.exit(result)
        return result


def _known(context: click.Context, name: str | None) -> PluginCommand | None:
    """The command of a plugin of this name, if they were looked for."""
    commands: PluginCommands | None = context.find_root().meta.get(_FOREIGN)
    return None if commands is None else commands.found.get(name or "")


def report(error: BaseException, *, debug: bool, plugin: str | None = None) -> int:
    """Say on stderr what went wrong, each error once; gives the exit code.

    `plugin`: whose command it was, if it was none of muxd's.
    """
    from muxd.errors import MuxdError

    leaves = list(_leaves(error))
    known = [leaf for leaf in leaves if isinstance(leaf, MuxdError)]
    if debug:
        import traceback

        traceback.print_exception(error)
    for message in dict.fromkeys(map(_message, known)):
        click.echo(f"muxd: {message}", err=True)
    unknown = [leaf for leaf in leaves if not isinstance(leaf, MuxdError)]
    for leaf in unknown:
        if plugin is not None:
            where = "" if debug else "; `muxd --debug ...` (or MUXD_DEBUG=1) shows where"
            words = f"a mistake in the plugin {plugin!r}: {type(leaf).__name__}: {leaf}{where}"
            click.echo(f"muxd: {words}", err=True)
            continue
        click.echo(
            f"muxd: internal error: {type(leaf).__name__}: {leaf}\n"
            "This is a mistake in muxd: please report it"
            + ("." if debug else ", with what `muxd --debug ...` (or MUXD_DEBUG=1) shows."),
            err=True,
        )
    return 1 if unknown else max((leaf.exit_code for leaf in known), default=1)


def _message(error: MuxdError) -> str:
    from muxd.errors import ConfigError

    if isinstance(error, ConfigError) and len(error.problems) > 1:
        lines = "".join(f"\n  {problem}" for problem in error.problems)
        return f"{len(error.problems)} problems in the configuration:{lines}"
    return str(error).replace("\n", "\nmuxd: ")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in the groups that nurseries wrap them into."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
