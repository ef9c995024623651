"""``muxd config``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from muxd.cli.listing import unless_a_command_follows
from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from muxd.config import Config
    from muxd.errors import ConfigProblem
    from muxd.plugins import Plugins

__all__ = ["config", "value_text"]


@click.group(
    invoke_without_command=True,
    epilog=epilog(
        ("muxd config", "every value, and where it came from"),
        ("muxd config check", "look for mistakes, those in plugins' sections too"),
        ("muxd config schema > muxd.schema.json", "for editors"),
        ("muxd config --json", "for programs"),
    ),
)
@unless_a_command_follows
@config_options()
@json_option
def config(config: Config, as_json: bool) -> None:
    """Show the configuration in force: every value, and where it came from.

    The command line goes before the environment, the environment before the file, the file
    before the default. All mistakes are named at once, with exit code 2.

    No plugin is loaded for it. Whether what stands in [plugins.NAME] and [jobs.NAME] goes with what
    the plugins say is seen by `muxd config check`. What is secret by its name is not shown.
    """
    _show(config, as_json)


@config.command(epilog=epilog(("muxd config show", "the same as `muxd config`")))
@config_options()
@json_option
def show(config: Config, as_json: bool) -> None:
    """Show the configuration in force, as `muxd config` does."""
    _show(config, as_json)


def _show(config: Config, as_json: bool) -> None:
    from muxd.cli.output import print_json, print_table

    _check_browser(config)
    values = config.values()
    if as_json:
        print_json(
            {
                "file": config.file,
                "values": {
                    key: {"value": value, "from": config.origin(key)}
                    for key, value in values.items()
                },
            }
        )
        return
    print_table(
        ("key", "value", "from"),
        ((key, value_text(value), config.origin(key)) for key, value in values.items()),
    )


@config.command(
    epilog=epilog(
        ("muxd config check", "look for mistakes, in all places"),
        ("muxd config check --config new.toml", "before it takes the place of the other"),
    )
)
@config_options(forgiving=True)
@json_option
@click.pass_context
def check(
    context: click.Context, config: Config, problems: tuple[ConfigProblem, ...], as_json: bool
) -> None:
    """Look for mistakes: in the file, variables and options, and in what plugins and jobs read.

    The plugins are loaded for it, and nothing is started. All mistakes are named at once, each with its
    place, its key and what would be right; the exit code is 2 then. What is odd, but no mistake for
    sure, is a warning. A plugin that is broken by itself is none of the configuration: it is named, as
    by `muxd plugins`.
    """
    from muxd.cli.output import print_json
    from muxd.errors import ConfigError

    found = list(dict.fromkeys((*problems, *_problems(config, whole=not problems))))
    if as_json:
        print_json(
            {
                "file": config.file,
                "problems": [
                    {"source": each.source, "key": each.key, "message": each.message}
                    for each in found
                ],
            }
        )
        context.exit(2 if found else 0)
    if found:
        raise ConfigError(*found)
    click.echo(f"{config.file or 'no file'}: no mistakes")


def _problems(config: Config, *, whole: bool) -> Iterator[ConfigProblem]:
    """What plugins and jobs say of it. Unless it is `whole`, what jobs lack may be what is wrong elsewhere."""
    from muxd.cli.context import load
    from muxd.errors import ConfigError

    try:
        _check_browser(config)
    except ConfigError as error:
        yield from error.problems
    try:
        plugins = load(config)
    except ConfigError as error:
        for problem in error.problems:
            if whole or problem.key.startswith("plugins."):
                yield problem
        return
    for ask in _later(plugins):
        try:
            ask()
        except ConfigError as error:
            yield from error.problems


def _later(plugins: Plugins) -> tuple[Callable[[], object], ...]:
    """The hooks that are called when a daemon starts, and start nothing themselves."""
    return (plugins.slotters, plugins.sinks, plugins.services)


@config.command(
    epilog=epilog(
        ("muxd config schema > muxd.schema.json", "write it, and name it in muxd.toml:"),
        ("#:schema muxd.schema.json", "as its first line"),
    )
)
@config_options(needs=())
def schema(config: Config) -> None:
    """Print a JSON Schema of muxd.toml, by which editors complete keys and mark mistakes.

    It has muxd's own keys, with their limits, defaults and explanations, and those of the plugins and
    jobs that are installed: what their sections and configurations may have. So it is made anew after an
    installation.
    """
    from muxd.cli.context import load
    from muxd.cli.output import print_json
    from muxd.errors import MuxdError
    from muxd.tomlschema import toml_schema

    plugins = load(config, lenient=True)
    for ask in _later(plugins):
        try:
            ask()  # some read their section only here
        except MuxdError as error:
            click.echo(f"muxd: warning: {error}", err=True)
    print_json(toml_schema(plugins))


def _check_browser(config: Config) -> None:
    """Raises `ConfigError` if the browser that is configured can't be used."""
    from muxd.browser.find import find_browser

    if config.browser.path is not None:
        find_browser(
            config.browser.path,
            engine=config.browser.engine,
            configured_by=config.origin("browser.path"),
        )


def value_text(value: Any) -> str:
    """A value for people, as it would stand in the file; "-" where none is set."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(str, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
