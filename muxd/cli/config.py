"""``muxd config``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["config"]


@click.command(
    epilog=epilog(
        ("muxd config", "every value, and where it came from"),
        ("muxd config --config muxd.toml", "check a file"),
        ("muxd config --json", "for programs"),
    )
)
@config_options()
@json_option
def config(config: Config, as_json: bool) -> None:
    """Show the configuration in force: every value, and where it came from.

    The command line goes before the environment, the environment before the file, the file
    before the default. All mistakes are named at once, with exit code 2.

    No plugin is loaded for it. Whether the values in [jobs.NAME] go with what the plugins say of
    their jobs is checked by `muxd jobs`.
    """
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
