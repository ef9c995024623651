"""``muxd plugins``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.listing import unless_a_command_follows
from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.plugins import Plugin

__all__ = ["plugins"]

_NEEDS = ("daemon.state_dir", "plugins.disable")


@click.group(
    invoke_without_command=True,
    epilog=epilog(
        ("muxd plugins", "all plugins; why any is left out"),
        ("muxd plugins --strict-plugins", "exit 1 if any is broken"),
        ("muxd plugins --trace", "what their hooks are called with, and give"),
        ("muxd plugins --json", "for programs"),
        ("muxd plugins disable trends", "have peace from one"),
    ),
)
@unless_a_command_follows
@click.option(
    "--trace",
    is_flag=True,
    help="Show each call of a hook: with what, what it gave, how long it took.",
)
@config_options()
@json_option
def plugins(config: Config, trace: bool, as_json: bool) -> None:
    """Show the plugins: their jobs and hooks, and the reason for any that is left out.

    A broken plugin is left out alone; the others run. That is no failure of this command, unless
    --strict-plugins asks for it.
    """
    from rich.text import Text

    from muxd.cli.context import load
    from muxd.cli.output import print_json, print_table

    if trace:
        from muxd.cli.hookcalls import show_calls

        show_calls(config, as_json=as_json)
        return
    found = load(config, lenient=True).found
    if as_json:
        print_json([plugin.as_dict() for plugin in found])
        return
    styles = {"active": "green", "left out": "bold red", "disabled": "dim"}
    rows = []
    for plugin in found:
        package = " ".join(filter(None, (plugin.distribution, plugin.version)))
        rows.append(
            (
                plugin.name,
                Text(plugin.state, styles[plugin.state]),
                package or plugin.location,
                str(len(plugin.jobs)),
                " ".join(plugin.hooks),
                _reason(plugin),
            )
        )
    print_table(("plugin", "state", "from", "jobs", "hooks", "reason"), rows, right=("jobs",))


def _reason(plugin: Plugin) -> str:
    if plugin.problem is not None:
        return f"{plugin.problem.hook}: {plugin.problem.reason}"
    return f"by {plugin.disabled_by}" if plugin.disabled_by else ""


@plugins.command(epilog=epilog(("muxd plugins disable trends", "leave a plugin out for good")))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@config_options(needs=_NEEDS)
def disable(config: Config, names: tuple[str, ...]) -> None:
    """Leave plugins out for good: they are not even imported.

    It works whatever is wrong with them, since nothing of any plugin is run for it. The names are
    kept in the state directory; `[plugins] disable` in the configuration counts beside them. A
    daemon that runs goes on with what it has loaded until `muxd reload`.
    """
    from muxd.disabled import DisabledPlugins
    from muxd.hints import did_you_mean

    known = _known(config)
    new = DisabledPlugins(config.daemon.state_dir).add(names)
    for name in dict.fromkeys(names):
        click.echo(f"{name}: {'disabled' if name in new else 'was disabled before'}")
        if known is not None and name not in known:
            hint = did_you_mean(name, known)
            click.echo(f"muxd: warning: no plugin {name!r} is installed; {hint}", err=True)
        elif name.startswith("muxd."):
            text = f"{name} is part of muxd: have another plugin that does what it does"
            click.echo(f"muxd: warning: {text}", err=True)
    if new:
        _say_who_runs(config)


@plugins.command(epilog=epilog(("muxd plugins enable trends", "use a plugin again")))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@config_options(needs=_NEEDS)
@click.pass_context
def enable(context: click.Context, config: Config, names: tuple[str, ...]) -> None:
    """Use plugins again that were disabled.

    One that the configuration disables stays so, with exit code 2: the message says where. A daemon
    that runs goes on without them until `muxd reload`.
    """
    from muxd.disabled import DisabledPlugins

    gone = DisabledPlugins(config.daemon.state_dir).remove(names)
    origin, kept = config.origin("plugins.disable"), False
    for name in dict.fromkeys(names):
        if name in config.plugins.disable:
            kept = True
            text = f"{name} stays disabled: take it out of [plugins] disable in {origin}"
            click.echo(f"muxd: {text}", err=True)
        else:
            click.echo(f"{name}: {'enabled' if name in gone else 'was not disabled'}")
    if gone:
        _say_who_runs(config)
    if kept:
        context.exit(2)


def _known(config: Config) -> set[str] | None:
    """The names of all plugins that there are, without importing any; None if that can't be told."""
    from muxd.discovery import discover
    from muxd.errors import ConfigError

    try:
        return {source.name for source in discover(config)}
    except ConfigError:
        return None


def _say_who_runs(config: Config) -> None:
    from muxd.state import StateDir

    owner = StateDir(config.daemon.state_dir).owner()
    if owner is not None and owner.role == "daemon":
        click.echo(
            f"the running muxd (process {owner.pid}) goes on with the plugins that it has loaded, "
            "until `muxd reload`"
        )
