"""The options that commands share."""

from __future__ import annotations

from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muxd.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from muxd.config import Config
    from muxd.errors import ConfigProblem

__all__ = ["ANEW", "config_options", "engine_option", "epilog", "json_option"]

ANEW = "muxd.cli.options.anew"
"""Where in a command's ``context.meta`` there is what reads its configuration anew."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
"""Adds ``--json``; the command gets it as ``as_json``."""

engine_option = click.option(
    "--engine",
    type=click.Choice([engine.value for engine in Engine]),
    metavar="ENGINE",
    help=f"The kind of browser: {', '.join(Engine)}. [default: [browser] engine]",
)
"""Adds ``--engine``, which sets ``browser.engine``."""

_SHARED = {
    "state_dir": "daemon.state_dir",
    "jobs_dirs": "plugins.jobs_dirs",
    "strict": "plugins.strict",
}
# {parameter of the command: dotted key that it sets}


def config_options(
    *,
    needs: Collection[str] | None = None,
    warns: bool = True,
    forgiving: bool = False,
    **further: str,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--config --state-dir --jobs-dir --strict-plugins``; the command gets a `Config`.

    The command's first argument is the loaded `muxd.config.Config`. Further options that set a
    key of the configuration are named as ``parameter="section.key"``; the command doesn't get
    them as arguments, and their default must be None ("not given")::

        @click.command()
        @click.option("--headed", is_flag=True, default=None)
        @config_options(headed="browser.headed")
        def start(config): ...

    With `needs`, only these dotted keys matter to the command: what is wrong elsewhere in the
    configuration is a warning. Without `warns` not even that: it is for commands that have the daemon
    read the configuration, and say what it says.

    A command that is `forgiving` gets what is wrong as ``problems``, and the rest as its configuration.
    """
    keys = _SHARED | further

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_config(*args: Any, config_file: Path | None, **kwargs: Any) -> Any:
            # Here, not above: `muxd --help` need not read configurations
            from muxd.configfile import load_config

            context = click.get_current_context()
            names = {param.name: param.opts[0] for param in context.command.params}
            options = {key: (kwargs.pop(name), names[name]) for name, key in keys.items()}
            if forgiving:
                config, problems = _as_far_as_it_is_right(config_file, options)
                return command(config, *args, problems=problems, **kwargs)
            context.meta[ANEW] = partial(load_config, config_file, options)
            passed_over = _warn if warns else _say_nothing
            config = load_config(config_file, options, needs=needs, passed_over=passed_over)
            return command(config, *args, **kwargs)

        for option in reversed(
            (
                click.option(
                    "--config",
                    "config_file",
                    type=click.Path(path_type=Path),
                    metavar="FILE",
                    help="Configuration file. [default: $MUXD_CONFIG, ./muxd.toml, the user's]",
                ),
                click.option(
                    "--state-dir",
                    type=click.Path(path_type=Path),
                    metavar="DIR",
                    help="Where muxd keeps its state. [default: $MUXD_STATE_DIR, the user's]",
                ),
                click.option(
                    "--jobs-dir",
                    "jobs_dirs",
                    type=click.Path(path_type=Path),
                    metavar="DIR",
                    multiple=True,
                    help="Directory of job files; may be given more than once.",
                ),
                click.option(
                    "--strict-plugins",
                    "strict",
                    is_flag=True,
                    default=None,
                    help="Fail if any plugin is broken, instead of leaving it out.",
                ),
            )
        ):
            with_config = option(with_config)
        return with_config

    return decorate


def _as_far_as_it_is_right(
    file: Path | None, options: dict[str, tuple[Any, str]]
) -> tuple[Config, tuple[ConfigProblem, ...]]:
    from muxd.configfile import load_config
    from muxd.errors import ConfigError

    try:
        return load_config(file, options), ()
    except ConfigError as error:
        return load_config(file, options, needs=()), error.problems


def _warn(problem: ConfigProblem) -> None:
    click.echo(f"muxd: warning: {problem}", err=True)


def _say_nothing(_problem: ConfigProblem) -> None:
    pass


def epilog(*examples: tuple[str, str]) -> str:
    """The end of a command's help: examples (command line, what it does) and exit codes."""
    width = max(len(line) for line, _ in examples) + 2
    lines = "\n".join(f"  {line:<{width}}{what}" for line, what in examples)
    return (
        f"\b\nExamples:\n{lines}\n\n\b\n"
        "Exit codes: 0 done, 1 failed, 2 your mistake (the message says what to do),\n"
        "3 no daemon is running."
    )
