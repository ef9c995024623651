"""``muxd dev``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli.options import ANEW, config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from muxd.abc import LaunchOptions
    from muxd.config import Config
    from muxd.develop import Load
    from muxd.job import Job
    from muxd.plugins import Plugins
    from muxd.project import Project

__all__ = ["dev"]

FOLDER = "dev"
"""Of the state directory: what `muxd dev` keeps is no daemon's."""
SLOWEST = 10_000
"""Milliseconds of ``--slow-mo`` at most."""


@click.command(
    epilog=epilog(
        ("muxd dev jobs/prices.py", "run its jobs now, and whenever it is saved"),
        ("muxd dev ./prices --headed", "a plugin's directory; watch the window"),
        ("muxd dev ./prices --job tea --slow-mo 500", "one job, slowly"),
        ("muxd dev ./prices --trace", "look at each run in Playwright's trace viewer"),
    )
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--job", "names", multiple=True, metavar="NAME", help="Only this job; may be given again."
)
@click.option("--headed", is_flag=True, default=None, help="Show the browser's window.")
@click.option(
    "--slow-mo",
    type=click.IntRange(0, SLOWEST),
    default=0,
    metavar="MS",
    help="Have each call of Playwright's take so many milliseconds longer.",
)
@click.option(
    "--trace", is_flag=True, help="Trace each run with pictures, and open the trace viewer."
)
@config_options(headed="browser.headed")
@click.pass_context
def dev(
    context: click.Context,
    config: Config,
    path: Path,
    names: tuple[str, ...],
    slow_mo: int,
    trace: bool,
) -> None:
    """Try the jobs at PATH while they are written: they run at once, and again on every save.

    PATH is a file of jobs, a directory of such files, or the directory of a plugin, with its
    pyproject.toml. Result, log, errors of the page, its console and a screenshot are shown after each
    run; with --headed the page stays open. What can't be imported is shown with its traceback, and
    the next save is waited for. A save ends the run in progress. So does Ctrl-C, which ends this, too.

    The browser stays up between the runs; if plugins come to want another start of it, that is said. It
    is none of the daemon's: profile, sessions and records are in the directory `dev` of the state
    directory, so it works beside a running muxd.
    """
    import logging
    import signal
    import sys
    from functools import partial

    from muxd.bridge import run
    from muxd.cli.browser import launch_plan
    from muxd.cli.context import log_to_stderr
    from muxd.cli.devscreen import DevScreen
    from muxd.develop import develop
    from muxd.keeping import secrets_of
    from muxd.logs import chosen_format
    from muxd.plugins import load_plugins
    from muxd.project import project_at
    from muxd.saves import Saves

    project = project_at(path)
    own = _beside_the_daemon(config)
    wanted = config.daemon.log_format
    style = "console" if wanted == "auto" else chosen_format(wanted, sys.stderr)
    secrets = secrets_of(config)
    log_to_stderr(style, logging.INFO, mask=secrets.mask)
    sys.dont_write_bytecode = True  # it is told by whole seconds: a quick save could pass unnoticed
    keepers = load_plugins(own, entry_points=(), builtins=["muxd.builtin.ledger"])
    configured = launch_plan(own)
    first = load_plugins(own, sources=project.sources(), lenient=True)
    launch = configured.with_options(first.launch_options(configured.wanted))
    if slow_mo:
        import attrs

        launch = attrs.evolve(launch, slow_mo=slow_mo / 1000)
    screen = DevScreen(own, path, secrets.mask, show_trace=trace)
    places = [*project.watched, *([config.file] if config.file else [])]
    saves = Saves(places, lambda file: file == config.file or project.is_its(file))
    screen.opens(project)
    load = _loading(project, names, context.meta[ANEW])
    load = _minding(load, configured.wanted, launch.wanted, screen.later)
    work = partial(develop, secrets=secrets, trace="always" if trace else "retries")
    number = run(work, own, keepers, launch, load, saves, screen)
    if number is not None and number != signal.SIGINT:
        context.exit(128 + number)


def _beside_the_daemon(config: Config) -> Config:
    """The same, for what is tried: a broken plugin is no end, and one that is disabled is meant."""
    import attrs

    place = config.daemon.state_dir / FOLDER
    return attrs.evolve(
        config,
        daemon=attrs.evolve(config.daemon, state_dir=place),
        plugins=attrs.evolve(config.plugins, strict=False, disable=()),
    )


def _minding(
    load: Load,
    configured: LaunchOptions,
    launched: LaunchOptions,
    say: Callable[[str], object],
) -> Load:
    """The same; once plugins want the browser started otherwise than it was, that is said."""
    last = launched

    def minding(saved: Collection[Path]) -> tuple[Plugins, list[Job]]:
        nonlocal last
        plugins, jobs = load(saved)
        if not plugins.problems:  # one that is left out wants nothing for the moment
            wanted = plugins.launch_options(configured)
            if wanted not in (last, launched):
                say(
                    "what plugins give by muxd_launch_options has changed: start muxd dev anew for it"
                )
            last = wanted
        return plugins, jobs

    return minding


def _loading(project: Project, names: Collection[str], anew: Callable[[], Config]) -> Load:
    """What loads the plugins as they are now, with the configuration as it is now."""
    from muxd.errors import UnknownJob
    from muxd.plugins import load_plugins

    def load(saved: Collection[Path]) -> tuple[Plugins, list[Job]]:
        sources = project.sources()
        plugins = load_plugins(_beside_the_daemon(anew()), sources=sources)
        known = tuple(job.name for job in plugins.jobs)
        if not plugins.problems:
            for name in names:
                if name not in known:
                    raise UnknownJob(name, known)
        concerned = project.concerned(saved, sources)
        jobs = (job for job in plugins.jobs if job.plugin in concerned)
        return plugins, [job for job in jobs if not names or job.name in names]

    return load
