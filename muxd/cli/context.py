"""What commands that need the plugins begin with."""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import structlog

from muxd import logs
from muxd.cli.stdout import own_stdout
from muxd.plugins import load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.config import Config
    from muxd.errors import PluginError
    from muxd.plugins import Plugins

__all__ = ["load", "log_to_stderr", "this_program"]


def log_to_stderr(
    log_format: Literal["console", "json", "journald"],
    level: int,
    *,
    also: Callable[[str], object] | None = None,
    mask: Callable[[str], str] | None = None,
) -> None:
    """Set up the logs of this command, from `level` on, or from DEBUG on with ``--debug``.

    What is told to `also`, and what `mask` is for, is said in `muxd.logs.configure`.
    """
    debug = click.get_current_context().find_root().params.get("debug")
    logs.configure(log_format, logging.DEBUG if debug else level, also=also, mask=mask)


def this_program() -> str:
    """What to type in this directory to run this very muxd again."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return f"{shlex.quote(_from_here(Path(sys.executable)))} -m muxd"
    on_path = shutil.which(program.name)
    if on_path is not None and Path(on_path).absolute() == program.absolute():
        return program.name
    return shlex.quote(_from_here(program))


def _from_here(program: Path) -> str:
    # Not resolved: the python of an environment is a link to one that has no muxd.
    here = program.absolute()
    try:
        return str(here.relative_to(Path.cwd()))
    except ValueError:
        return str(here)


def load(config: Config, *, lenient: bool = False) -> Plugins:
    """Load the plugins; tell each problem and warning on stderr in one line.

    What plugins print, then and later, goes to stderr: stdout is the command's own.
    So do logs, warnings and worse, unless the command has set them up otherwise before.

    If it is `lenient`, what the configuration says wrongly of plugins and jobs is a warning.

    Raises:
      ConfigError: overrides of jobs, or sections of plugins, are wrong.
      BrokenPlugins: a plugin is broken and that was asked to be fatal.
    """
    if not structlog.is_configured():
        log_format = logs.chosen_format(config.daemon.log_format, sys.stderr)
        log_to_stderr(log_format, logging.WARNING)
    with own_stdout():
        plugins = load_plugins(config, lenient=lenient)
    for problem in plugins.problems:
        _tell(problem)
    plugins.tell = _tell
    for warning in plugins.warnings:
        click.echo(f"muxd: warning: {warning}", err=True)
    return plugins


def _tell(problem: PluginError) -> None:
    click.echo(f"muxd: {problem}", err=True)
