"""``muxd reload``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.config import Config

__all__ = ["reload", "tell_changes"]


@click.command(
    epilog=epilog(
        ("muxd reload", "take over what was edited or installed"),
        ("muxd reload --json", "what came, went, changed and moved, for programs"),
    )
)
@config_options(needs=["daemon.state_dir"], warns=False)
@json_option
@click.pass_context
def reload(context: click.Context, config: Config, as_json: bool) -> None:
    """Have the daemon read its configuration, jobs directories and plugins anew.

    New jobs are slotted in, and those that are gone are removed: what waits of them is cancelled, a
    run in progress ends as it is. Nothing else moves, and the browser stays. The daemon reads what it
    was started with: its own --config and --jobs-dir count, not those given here.

    If the configuration is wrong, nothing changes. A plugin that is broken now goes on as it was; a
    new one that is broken is left out. Exit code 1 if there is such a plugin. What can't change while
    muxd runs is told: `muxd restart` takes it over.
    """
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    told = ControlClient(state).reload()
    if as_json:
        print_json(told)
    else:
        tell_changes(told, config)
    if told["problems"]:
        context.exit(1)


def tell_changes(told: dict[str, Any], config: Config) -> None:
    """What a reload has changed, in lines."""
    from muxd.cli.output import harmless

    lines = list(_lines(told, config))
    for line in lines or ["nothing has changed"]:
        click.echo(line)
    for problem in told["problems"]:
        click.echo(f"muxd: {harmless(problem)}", err=True)
    for warning in told["warnings"]:
        click.echo(f"muxd: warning: {harmless(warning)}", err=True)


def _lines(told: dict[str, Any], config: Config) -> Iterator[str]:
    from muxd.cli.when import local_text
    from muxd.units import format_duration

    def place(row: dict[str, Any]) -> str:
        every, phase = format_duration(row["interval"]), format_duration(row["phase"])
        at = f", next at {local_text(row['next_at'], config)}" if row["next_at"] else ""
        return f"every {every} at {phase}{at}"

    for row in told["added"]:
        yield f"+ {row['job']}  {place(row)}  (plugin {row['plugin']})"
    for name in told["removed"]:
        yield f"- {name}"
    for row in told["changed"]:
        yield f"~ {row['job']}  {place(row)}  ({', '.join(row['what'])})"
    for row in told["moved"]:
        yield f"> {row['job']}  moved from {format_duration(row['before'])}: {place(row)}"
    for run in told["cancelled"]:
        yield f"  run {run} was waiting and is cancelled"
    if told["settings"]:
        yield f"= {', '.join(told['settings'])}"
    for key in told["needs_restart"]:
        yield f"! {key}: needs a restart (muxd restart)"
