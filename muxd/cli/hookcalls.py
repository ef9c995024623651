"""``muxd plugins --trace``: what hooks are called with, and what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.config import Config
    from muxd.hooktrace import HookCall
    from muxd.plugins import Plugins

__all__ = ["show_calls"]

LONGEST = 300
"""How much is shown of what a call gave, characters."""
SHOWN = 8
"""Of how many things that it gave their names."""


def show_calls(config: Config, *, as_json: bool) -> None:
    """Load the plugins, call each of their hooks as a daemon and commands would, and show the calls."""
    from muxd.cli.context import load
    from muxd.cli.output import print_json, print_table
    from muxd.hooktrace import traced

    with traced() as calls:
        plugins = load(config, lenient=True)
        _call_all(config, plugins)
    told = [_told(call) for call in calls]
    if as_json:
        print_json(told)
        return
    rows = [
        (
            each["hook"],
            each["plugin"],
            ", ".join(f"{name}={value}" for name, value in each["arguments"].items()),
            each["error"] or each["gave"],
            f"{each['seconds'] * 1000:.1f} ms",
        )
        for each in told
    ]
    print_table(("hook", "plugin", "called with", "gave", "took"), rows, right=("took",))


def _call_all(config: Config, plugins: Plugins) -> None:
    """The hooks that loading has not called. They declare: nothing is started by it."""
    from muxd.abc import LaunchOptions
    from muxd.errors import MuxdError

    wanted = LaunchOptions(
        engine=str(config.browser.engine), headed=config.browser.headed, args=config.browser.args
    )
    for ask in (
        lambda: config.daemon.state_dir.is_dir() and plugins.store(config.daemon.state_dir),
        plugins.slotters,
        plugins.sinks,
        plugins.services,
        lambda: plugins.launch_options(wanted),
        plugins.page_wrappers,
        lambda: plugins.commands(click.Group),
    ):
        try:
            ask()
        except MuxdError as error:
            click.echo(f"muxd: {error}", err=True)


def _told(call: HookCall) -> dict[str, Any]:
    """For JSON. No value of the configuration is shown: it may be a secret."""
    return {
        "hook": call.hook,
        "plugin": call.plugin,
        "arguments": {name: _argument(value) for name, value in call.arguments.items()},
        "gave": None if call.error is not None else _gave(call),
        "error": None
        if call.error is None
        else _short(f"{type(call.error).__name__}: {call.error}"),
        "seconds": round(call.seconds, 6),
    }


def _argument(value: Any) -> str:
    from pathlib import Path

    from muxd.section import Section

    if isinstance(value, Section):
        keys = ", ".join(sorted(map(str, value.values)))
        return _short(f"[{value.key}] {keys}" if keys else f"[{value.key}] (empty)")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, click.Group):
        return "a group"
    return _short(repr(value))


def _gave(call: HookCall) -> str:
    group = call.arguments.get("cli")
    if isinstance(group, click.Group):
        return _short(", ".join(group.commands) or "no command")
    if isinstance(call.gave, list):
        names = [*_names(call.gave[:SHOWN])]
        more = len(call.gave) - len(names)
        return _short(", ".join(names) + (f" and {more} more" if more else "") or "nothing")
    return "nothing" if call.gave is None else _short(next(_names([call.gave])))


def _names(things: list[Any]) -> Iterator[str]:
    """What they are: jobs by their names, options as they are, others by their classes too."""
    for thing in things:
        kind, name = type(thing).__name__, getattr(thing, "name", None)
        if kind == "Job":
            yield str(name)
        elif kind == "LaunchOptions":
            yield repr(thing)
        else:
            yield f"{kind} {name!r}" if isinstance(name, str) else kind


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
