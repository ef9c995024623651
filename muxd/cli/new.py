"""``muxd new``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.cli.newdoes import Does
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
        ("muxd new prices --record https://shop.example", "do it in a window: it becomes the job"),
    )
)
@click.argument("name")
@click.option("--url", help=f"The page that the job opens. [default: {EXAMPLE}]", metavar="URL")
@click.option(
    "--record",
    metavar="URL",
    help="Open a window on this page; what you do there becomes the job.",
)
@click.option(
    "--session",
    metavar="NAME",
    help="With --record: the session whose logins the window has, and the job.",
)
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
def new(
    config: Config,
    name: str,
    url: str | None,
    record: str | None,
    session: str | None,
    place: Path | None,
    single: bool,
) -> None:
    """Write a new plugin with one job and a test of it, ready to be installed.

    The job reads the headings of a page: the body is yours to change. The test runs it on a real
    browser, against a site of its own, and passes at once. What to type next is told.

    With --record the job does what you do: Playwright's recorder opens, with a window and a panel that
    shows the code. Close the window when you are done. What the site has answered is kept beside the
    test, without its secrets, and answers there. A password that you type is in none of the files: the
    job asks for it by `run.secret`.

    What is there already is left alone: a directory or file of that name is refused.
    """
    from muxd.cli.newdoes import headings
    from muxd.cli.newfiles import project, refuse_existing, single_file, write_file, write_project
    from muxd.cli.newnames import check_free, checked_session, checked_url, names_of

    if url is not None and record is not None:
        raise click.UsageError("--record has the page already: leave --url out")
    if session is not None and record is None:
        raise click.UsageError("--session goes with --record")
    names = names_of(name)
    folder = place or (config.plugins.jobs_dirs[0] if config.plugins.jobs_dirs else JOBS)
    made = folder / f"{names.job}.py" if single else place or Path(names.distribution)
    if not single:
        check_free(names)
    if record is None:
        does = headings(checked_url(url or EXAMPLE))
    else:
        refuse_existing(made)  # before somebody does it all for nothing
        page, session = checked_url(record), checked_session(session)
        does = _recorded(config, page, session, names.job, with_har=not single)
    if single:
        write_file(made, single_file(names, does))
        click.echo(f"{made} is written. Next:")
        lines = _after_file(config, names.job, folder)
    else:
        write_project(made, project(names, does))
        click.echo(f"{made} is written; the job is in {made}/src/{names.package}/jobs.py. Next:")
        lines = _after_project(config, made)
    for line in lines:
        click.echo(f"  {line}")


def _recorded(config: Config, url: str, session: str | None, job: str, *, with_har: bool) -> Does:
    """Have a person do it."""
    from muxd.cli.newdoes import what_was_recorded
    from muxd.cli.recorded import body_of
    from muxd.cli.recorder import recorded
    from muxd.secrets import Secrets
    from muxd.testing.har import Recording

    click.echo("muxd: do in the window what the job is to do, then close it", err=True)
    with recorded(config, url, session) as found:
        body, har = body_of(found.script, job.upper()), ""
        if with_har:
            kept = Recording(found.har.with_name("kept.har"), found.har)
            for request in kept.keep(Secrets(body.secrets.values()), after=False):
                click.echo(
                    f"muxd: warning: {request} has a secret in its address: the test won't find it",
                    err=True,
                )
            har = kept.file.read_text("utf-8")
    for secret in body.secrets:
        click.echo(f"muxd: what you typed as a password is not written: set {secret}", err=True)
    return what_was_recorded(body, har, session)


def _after_project(config: Config, made: Path) -> Iterator[str]:
    from muxd.cli.nextsteps import command, muxd, python, same, where

    yield command(*muxd(), "install", "--editable", f"{where(made)}[test]", *same(config))
    yield command(*python(), "-m", "pytest", str(made))
    yield command(*muxd(), "dev", where(made), *same(config))


def _after_file(config: Config, job: str, folder: Path) -> Iterator[str]:
    from muxd.cli.nextsteps import command, muxd, same

    known = folder.resolve() in {path.resolve() for path in config.plugins.jobs_dirs}
    by_option = config.origin("plugins.jobs_dirs") == "--jobs-dir"
    further = same(config)
    if not known or by_option:
        further += ["--jobs-dir", str(folder)]
    yield command(*muxd(), "dev", str(folder / f"{job}.py"), *same(config))
    yield command(*muxd(), "run", job, *further)
    if not _is_up(config):
        yield command(*muxd(), "start", *further)
    elif known:
        yield command(*muxd(), "reload", *same(config))


def _is_up(config: Config) -> bool:
    from muxd.state import StateDir

    owner = StateDir(config.daemon.state_dir).owner()
    return owner is not None and owner.role == "daemon"
