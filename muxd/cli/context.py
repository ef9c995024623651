"""What commands that need the plugins begin with."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING

import click
import structlog

from muxd import logs
from muxd.plugins import load_plugins

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.plugins import Plugins

__all__ = ["load"]


def load(config: Config) -> Plugins:
    """Load the plugins; tell each problem and warning on stderr in one line.

    What plugins print while they are imported goes to stderr too: stdout is the command's own.
    So do logs, warnings and worse, unless the command has set them up otherwise before.

    Raises:
      ConfigError: overrides of jobs are wrong.
      BrokenPlugins: a plugin is broken and that was asked to be fatal.
    """
    debug = click.get_current_context().find_root().params.get("debug")
    if not structlog.is_configured():
        logs.configure(
            logs.chosen_format(config.daemon.log_format, sys.stderr),
            logging.DEBUG if debug else logging.WARNING,
        )
    with contextlib.redirect_stdout(sys.stderr):
        plugins = load_plugins(config)
    for problem in plugins.problems:
        click.echo(f"muxd: {problem}", err=True)
    for warning in plugins.warnings:
        click.echo(f"muxd: warning: {warning}", err=True)
    return plugins
