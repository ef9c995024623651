"""``muxd start``."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from muxd.cli.options import ANEW, config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.abc import Sink
    from muxd.config import Config
    from muxd.logs import Style
    from muxd.plugins import Plugins
    from muxd.pulse import Pulse

__all__ = ["start"]


@click.command(
    epilog=epilog(
        ("muxd start", "the jobs of the installed plugins"),
        ("muxd start --jobs-dir ./jobs --headed", "those of a directory too; show the browser"),
        ("muxd start --speed 60", "a rehearsal: an hour of the timetable a minute"),
    )
)
@click.option("--headed", is_flag=True, default=None, help="Show the browser's window.")
@click.option(
    "--speed",
    type=float,
    metavar="N",
    help="Run the timetable N times faster than real time; timeouts and durations stay real.",
)
@click.option(
    "--anew",
    is_flag=True,
    help="Make the timetable anew, instead of keeping every phase that can stay.",
)
@click.option(
    "--log-format",
    metavar="FORMAT",
    help="auto, console, json or journald. [default: auto: what fits where it goes]",
)
@config_options(headed="browser.headed", speed="daemon.speed", log_format="daemon.log_format")
def start(config: Config, anew: bool) -> None:
    """Run the jobs, in the foreground.

    Ctrl-C or SIGTERM: no new run is begun, and the one in progress may finish within the grace
    (30 s by default); a second one ends it at once. Only one daemon runs on a state directory.

    What jobs log (`run.log`) goes to stderr, and so do muxd's own warnings. `muxd --debug start`
    shows lines of level debug too.
    """
    from muxd.cli.leaving import flushed, leave
    from muxd.heap import give_back_large_blocks
    from muxd.logs import chosen_format

    style = chosen_format(config.daemon.log_format, sys.stdout)
    pulse = _under_guard(config, style) if config.daemon.restart else None
    give_back_large_blocks()
    try:
        _run(config, pulse, anew=anew, style=style)
    finally:
        if pulse is not None:
            pulse.bye()
    if not flushed():  # nobody reads what is said: it is no reason to stay
        leave(0)


def _under_guard(config: Config, style: Style) -> Pulse:
    """Divide into the guard and the daemon; this returns in the daemon's process only."""
    from muxd.guard.begin import under_guard
    from muxd.logs import has_colours

    link = under_guard(
        config.daemon.state_dir,
        blocked_limit=config.daemon.blocked_limit,
        log_format="json" if style == "json" else "console",
        colours=style == "console" and has_colours(sys.stderr),
    )
    from muxd.pulse import Pulse

    return Pulse(link)


def _run(config: Config, pulse: Pulse | None, *, anew: bool, style: Style) -> None:
    from muxd.bridge import run
    from muxd.cli.browser import launch_plan
    from muxd.cli.context import load, log_to_stderr
    from muxd.daemon import Daemon
    from muxd.errors import AlreadyRunning, UserError
    from muxd.keeping import log_file_of, secrets_of
    from muxd.servicemanager import ServiceManager
    from muxd.state import StateDir

    secrets = secrets_of(config)
    log_to_stderr(style, logging.INFO, mask=secrets.mask)
    ours = {os.getpid()} if pulse is None else {os.getpid(), pulse.link.guard}
    manager = ServiceManager.found(os.environ, ours)
    again = pulse is not None and pulse.link.restarts > 0
    plugins = load(config)
    if not plugins.jobs:
        raise UserError(
            "there are no jobs to run: install a plugin, name a directory of job files with "
            "--jobs-dir, or see `muxd plugins` for why one is left out"
        )
    state = StateDir(config.daemon.state_dir)
    owner = state.owner()
    kept = pulse is not None and pulse.link.lock is not None  # by the guard, for this process
    if owner is not None and not kept:  # before anything is launched; the daemon takes the lock
        raise AlreadyRunning(str(state.root), owner.pid, role=owner.role)
    state.prepare()
    file = log_file_of(config, state, secrets)
    if file is not None:
        file.open()
        log_to_stderr(style, logging.INFO, also=file.write, mask=secrets.mask)
    launch = launch_plan(config, plugins)
    if style == "console" and not again:
        _say_where(config, plugins, launch.found.source)
    sinks = [("muxd", _sink(config, plugins, style))]
    daemon = Daemon(
        config,
        plugins,
        launch,
        sinks=sinks,
        anew=anew and not again,
        pulse=pulse,
        manager=manager,
        secrets=secrets,
        read=click.get_current_context().meta[ANEW],
        log=file,
    )
    run(daemon.run)


def _sink(config: Config, plugins: Plugins, style: Style) -> Sink:
    from muxd.cli.live import ConsoleSink, JsonSink
    from muxd.cli.output import console
    from muxd.control.token import link_to
    from muxd.zone import zone

    if style == "journald":
        from muxd.cli.journalsink import JournalSink
        from muxd.journal import Journal

        return JournalSink(Journal())
    if style == "json":
        return JsonSink(sys.stdout)
    width = max(len(job.name) for job in plugins.jobs)
    link = partial(link_to, config.daemon.state_dir)
    return ConsoleSink(console(), zone(config), width=min(width, 40), link=link)


def _say_where(config: Config, plugins: Plugins, browser: str) -> None:
    from muxd.cli.context import this_program

    sources = {job.plugin for job in plugins.jobs}
    click.echo(
        f"muxd: {_count(len(plugins.jobs), 'job')} of {_count(len(sources), 'plugin')}, on {browser}"
    )
    click.echo(f"state in {config.daemon.state_dir}")
    again = " ".join([this_program(), "status", *_same_place(config)])
    click.echo(f"in another terminal: {again} (or plan, history, stop); Ctrl-C here stops it\n")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _same_place(config: Config) -> Iterator[str]:
    """The options without which a command in another terminal would not find this daemon."""
    named = click.get_current_context().params["config_file"] or os.environ.get("MUXD_CONFIG")
    if named and config.file is not None:
        yield f"--config {shlex.quote(str(config.file))}"
    if config.origin("daemon.state_dir") in ("--state-dir", "MUXD_STATE_DIR"):
        yield f"--state-dir {shlex.quote(str(config.daemon.state_dir))}"
