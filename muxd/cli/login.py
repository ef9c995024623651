"""``muxd login``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from muxd.cli.complete import session_names
from muxd.cli.options import config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd.config import Config
    from muxd.job import Job

__all__ = ["login"]


@click.command(
    epilog=epilog(
        ("muxd login", "log in to the session `main`, wherever you like"),
        ("muxd login shop https://shop.example", "to a session of its own, beginning there"),
        ("muxd login shop --open", "open the page of the login in this machine's browser"),
    )
)
@click.argument("session", default="main", shell_complete=session_names)
@click.argument("url", default="")
@click.option(
    "--timeout", default="30m", show_default=True, metavar="DURATION", help="How long it may take."
)
@click.option("--open", "opens", is_flag=True, help="With a daemon: open its page in a browser.")
@config_options()
@click.pass_context
def login(
    context: click.Context, config: Config, session: str, url: str, timeout: str, opens: bool
) -> None:
    """Log in to SESSION by hand, on the page URL, so that jobs find it logged in.

    If a daemon runs, it prints the link of a page that shows its browser: type and click there, and
    press Done. Jobs wait meanwhile, and go on with the new session. If none does, a window opens on
    this machine's screen: close it when you have logged in.

    The session is saved when you have finished, and jobs that are paused since it was logged out are
    resumed. Ctrl-C cancels the login: the session stays as it was. Without URL it begins where a job of
    the session looks whether it is logged in, else with an empty page.
    """
    from muxd.errors import UserError
    from muxd.login import LONGEST_LOGIN, login_url
    from muxd.state import StateDir
    from muxd.units import DURATION_HELP, parse_duration

    try:
        seconds = parse_duration(timeout)
    except ValueError:
        raise UserError(f"--timeout {timeout}: give {DURATION_HELP}") from None
    if not 1 <= seconds <= LONGEST_LOGIN:
        raise UserError(f"--timeout {timeout}: give 1s to 1d")
    login_url(url)  # what is wrong is told before anything begins
    state = StateDir(config.daemon.state_dir)
    owner = state.owner()
    if owner is not None and owner.role == "daemon":
        context.exit(_in_daemon(state, session, url, seconds, opens=opens))
    context.exit(_alone(config, session, url, seconds))


def _in_daemon(state: Any, session: str, url: str, seconds: float, *, opens: bool) -> int:
    from muxd.control.client import ControlClient
    from muxd.control.token import link_to

    client = ControlClient(state)
    asked = client.log_in(session, url, seconds=seconds)
    _warn_of_strangers(session, asked["sessions"])
    try:
        base = client.status(upcoming=0)["web"]["url"]
        link = link_to(state.root, f"{base}{asked['page']}")
        click.echo(f"Log in to the session {session!r} here, and press Done:\n\n  {link}\n")
        if asked["waits_for"]:
            click.echo(f"{asked['waits_for']} has the browser: the login is next.", err=True)
        click.echo("Waiting until you have finished; Ctrl-C cancels the login.", err=True)
        if opens:
            click.launch(link)
        told = client.login(asked["id"], wait=True)
    except KeyboardInterrupt:
        told = client.cancel_login(asked["id"])
    return _tell(told["outcome"], told["said"], told["resumed"])


def _alone(config: Config, session: str, url: str, seconds: float) -> int:
    import logging
    from functools import partial

    import attrs

    from muxd.bridge import run
    from muxd.cli.browser import launch_plan
    from muxd.cli.context import load, log_to_stderr
    from muxd.engine import Engine
    from muxd.errors import UserError
    from muxd.logalone import log_in_alone
    from muxd.logs import chosen_format

    if not _has_screen():
        raise UserError(
            "there is no screen here, and no muxd runs whose dashboard could show a browser: start it "
            "with `muxd start`, and `muxd login` prints a link"
        )
    log_to_stderr(chosen_format(config.daemon.log_format, sys.stderr), logging.WARNING)
    plugins = load(config)
    plan = attrs.evolve(launch_plan(config, plugins), headed=True)
    if plan.found.engine is Engine.headless_shell:
        raise UserError(
            "the headless shell, which [browser] engine asks for, has no window to log in to: log in by "
            "`muxd start` and its dashboard, or once with another engine: they share the sessions"
        )
    _warn_of_strangers(session, {job.session for job in plugins.jobs} - {"fresh"})
    click.echo("A window opens: log in there, and close it. Ctrl-C cancels the login.", err=True)
    work = partial(
        log_in_alone,
        config,
        plugins,
        plan,
        session,
        url or _first_page(session, plugins.jobs),
        seconds=seconds,
    )
    record, resumed, number = run(work)
    if record is None:
        return 1 if number is None else 128 + number
    said = f"The session {session!r} is saved."
    if record.outcome is None or not record.outcome.good:
        said = f"The session {session!r} is as it was: {record.error or record.outcome}"
    code = _tell(record.outcome, said, resumed)
    return code if number is None else 128 + number


def _tell(outcome: str | None, said: str, resumed: Iterable[str]) -> int:
    good = outcome == "ok"
    click.echo(said, err=not good)
    if names := ", ".join(resumed):
        click.echo(f"Resumed: {names}")
    return 0 if good else 1


def _has_screen() -> bool:
    """Whether a window can be opened."""
    named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(named) or sys.platform in ("darwin", "win32")


def _first_page(session: str, jobs: Iterable[Job]) -> str:
    from muxd.logincheck import first_page

    return first_page(session, jobs)


def _warn_of_strangers(session: str, known: Iterable[str]) -> None:
    if session not in known:
        these = ", ".join(sorted(known)) or "none"
        click.echo(
            f"muxd: warning: no job has the session {session!r}: there are {these}", err=True
        )
