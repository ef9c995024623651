"""``muxd plugins``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.plugins import Plugin

__all__ = ["plugins"]


@click.command(
    epilog=epilog(
        ("muxd plugins", "all plugins; why any is left out"),
        ("muxd plugins --strict-plugins", "exit 1 if any is broken"),
        ("muxd plugins --json", "for programs"),
    )
)
@config_options()
@json_option
def plugins(config: Config, as_json: bool) -> None:
    """Show the plugins: their jobs and hooks, and the reason for any that is left out.

    A broken plugin is left out alone; the others run. That is no failure of this command, unless
    --strict-plugins asks for it.
    """
    from rich.text import Text

    from muxd.cli.context import load
    from muxd.cli.output import print_json, print_table

    found = load(config).found
    if as_json:
        print_json([as_dict(plugin) for plugin in found])
        return
    styles = {"active": "green", "left out": "bold red", "disabled": "dim"}
    rows = []
    for plugin in found:
        package = " ".join(filter(None, (plugin.distribution, plugin.version)))
        reason = f"{plugin.problem.hook}: {plugin.problem.reason}" if plugin.problem else ""
        rows.append(
            (
                plugin.name,
                Text(plugin.state, styles[plugin.state]),
                package or plugin.location,
                str(len(plugin.jobs)),
                " ".join(plugin.hooks),
                reason,
            )
        )
    print_table(("plugin", "state", "from", "jobs", "hooks", "reason"), rows, right=("jobs",))


def as_dict(plugin: Plugin) -> dict[str, Any]:
    """For JSON: stable keys."""
    problem = plugin.problem
    return {
        "name": plugin.name,
        "state": plugin.state.replace(" ", "_"),
        "distribution": plugin.distribution,
        "version": plugin.version,
        "location": plugin.location,
        "jobs": list(plugin.jobs),
        "hooks": list(plugin.hooks),
        "problem": {"hook": problem.hook, "reason": problem.reason} if problem else None,
    }
