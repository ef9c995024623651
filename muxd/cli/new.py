"""``muxd new``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.config import Config

__all__ = ["new"]

EXAMPLE = "https://example.com/"
JOBS = Path("jobs")
"""Where single files go if no jobs directory is known."""


@click.command(
    epilog=epilog(
        ("muxd new prices", "a plugin that can be installed, in ./prices"),
        ("muxd new prices --url https://shop.example", "whose job opens this page"),
        ("muxd new prices --single", "just a file, jobs/prices.py"),
    )
)
@click.argument("name")
@click.option("--url", default=EXAMPLE, help="The page that the job opens.", metavar="URL")
@click.option(
    "--dir",
    "place",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The directory to make; with --single, the jobs directory. [default: ./NAME; with --single "
    "the one of --jobs-dir or the configuration, else ./jobs]",
)
@click.option("--single", is_flag=True, help="One file for a jobs directory, and nothing else.")
@config_options(needs=["daemon.state_dir", "plugins.jobs_dirs"])
def new(config: Config, name: str, url: str, place: Path | None, single: bool) -> None:
    """Write a new plugin with one job and a test of it, ready to be installed.

    The job reads the headings of a page: the body is yours to change. The test runs it on a real
    browser, against a site of its own, and passes at once. What to type next is told.

    What is there already is left alone: a directory or file of that name is refused.
    """
    from muxd.cli.newfiles import project, single_file, write_file, write_project
    from muxd.cli.newnames import check_free, checked_url, names_of

    names, url = names_of(name), checked_url(url)
    if single:
        folder = place or (config.plugins.jobs_dirs[0] if config.plugins.jobs_dirs else JOBS)
        made = folder / f"{names.job}.py"
        write_file(made, single_file(names, url))
        click.echo(f"{made} is written. Next:")
        lines = _after_file(config, names.job, folder)
    else:
        check_free(names)
        made = place or Path(names.distribution)
        write_project(made, project(names, url))
        click.echo(f"{made} is written; the job is in {made}/src/{names.package}/jobs.py. Next:")
        lines = _after_project(config, names.job, made)
    for line in lines:
        click.echo(f"  {line}")


def _after_project(config: Config, job: str, made: Path) -> Iterator[str]:
    from muxd.cli.nextsteps import command, muxd, pip, python, where

    yield command(*pip(), "install", "-e", f"{where(made)}[test]")
    yield command(*python(), "-m", "pytest", str(made))
    yield command(*muxd(), *(["reload"] if _is_up(config) else ["run", job]), *_same(config))


def _after_file(config: Config, job: str, folder: Path) -> Iterator[str]:
    from muxd.cli.nextsteps import command, muxd

    known = folder.resolve() in {path.resolve() for path in config.plugins.jobs_dirs}
    by_option = config.origin("plugins.jobs_dirs") == "--jobs-dir"
    further = _same(config)
    if not known or by_option:
        further += ["--jobs-dir", str(folder)]
    yield command(*muxd(), "run", job, *further)
    if not _is_up(config):
        yield command(*muxd(), "start", *further)
    elif known:
        yield command(*muxd(), "reload", *_same(config))


def _is_up(config: Config) -> bool:
    from muxd.state import StateDir

    owner = StateDir(config.daemon.state_dir).owner()
    return owner is not None and owner.role == "daemon"


def _same(config: Config) -> list[str]:
    """The options without which the next command would not mean the same muxd."""
    found: list[str] = []
    named = click.get_current_context().params.get("config_file")
    if named is not None:
        found += ["--config", str(named)]
    if config.origin("daemon.state_dir") == "--state-dir":
        found += ["--state-dir", str(config.daemon.state_dir)]
    return found
