"""The commands of plugins: looked for only where a command is asked for that muxd has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

if TYPE_CHECKING:
    from collections.abc import Collection

    from muxd.errors import ConfigProblem

__all__ = ["PluginCommand", "PluginCommands", "plugin_commands"]

_NEEDS = (
    "daemon.state_dir",
    "plugins.disable",
    "plugins.jobs_dirs",
    "plugins.patience",
    "plugins.strict",
)


@attrs.frozen
class PluginCommand:
    """One of them."""

    plugin: str
    command: click.Command


@attrs.frozen
class PluginCommands:
    """All of them, by name."""

    found: dict[str, PluginCommand]
    warnings: list[str]
    """Which are not to be had, and why."""


def plugin_commands(taken: Collection[str]) -> PluginCommands:
    """The commands of all plugins. A broken plugin is told on stderr, and has none.

    Args:
      taken: the names of muxd's own.

    Raises:
      ConfigError: the configuration can't be read.
      BrokenPlugins: a plugin is broken and that was asked to be fatal.
    """
    from muxd.cli.context import load
    from muxd.configfile import load_config

    config = load_config(None, {}, needs=_NEEDS, passed_over=_warn)
    plugins = load(config, lenient=True)
    found: dict[str, PluginCommand] = {}
    warnings = []
    for plugin, group in plugins.commands(click.Group):
        for name, command in group.commands.items():
            if name in taken:
                warnings.append(f"plugin {plugin!r}: the command {name!r} is muxd's own")
            elif name in found:
                other = found[name].plugin
                warnings.append(f"plugin {plugin!r}: {other!r} has a command {name!r} already")
            else:
                found[name] = PluginCommand(plugin, command)
    return PluginCommands(found, warnings)


def _warn(problem: ConfigProblem) -> None:
    click.echo(f"muxd: warning: {problem}", err=True)
