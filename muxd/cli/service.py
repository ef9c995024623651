"""``muxd service``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog, json_option
from muxd.cli.unitfile import MARK, NAME, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from muxd.config import Config

__all__ = ["is_ours", "place_of", "service", "unit_of"]

SYSTEM_PLACE = Path("/etc/systemd/system")
SYSTEM_STATE = Path("/var/lib/muxd")
"""Where a system service has its state: systemd makes it, and gives it to the user."""
PATIENCE = 600.0
"""How long systemctl may take, seconds: it returns when muxd is up, or has failed."""

_system = click.option(
    "--system", is_flag=True, help="The machine's service, not the user's. Needs root."
)
_user = click.option(
    "--as",
    "user",
    metavar="USER",
    help="With --system: who muxd runs as. Not root: its Chromium would have no sandbox.",
)


@click.group(
    epilog=epilog(
        ("muxd service install", "start muxd now, and whenever this user logs in"),
        ("sudo muxd service install --system --as muxd", "... and whenever the machine starts"),
        ("muxd service show", "print the unit, and do nothing"),
    )
)
def service() -> None:
    """Have systemd keep muxd running.

    systemd starts muxd, waits until it is up, and starts it again should it ever fail or give no
    sign of life for three minutes.
    """


@service.command(epilog=epilog(("muxd service show --system --as muxd", "the machine's unit")))
@_system
@_user
@config_options()
def show(config: Config, system: bool, user: str | None) -> None:
    """Print the unit that `install` would write."""
    _warn_of_variables(config)
    click.echo(unit_of(config, system=system, user=user).text, nl=False)


@service.command(
    epilog=epilog(
        ("muxd service install", "for this user"),
        ("muxd service install --config /etc/muxd.toml", "with this configuration"),
        ("loginctl enable-linger", "have the user's services run without a login"),
    )
)
@_system
@_user
@click.option("--no-start", is_flag=True, help="Write the unit and enable it, but don't start it.")
@config_options()
def install(config: Config, system: bool, user: str | None, no_start: bool) -> None:
    """Write the unit, enable it, and start muxd. Again: with what is now in force.

    The configuration file and the state directory of this command become those of the service;
    variables such as MUXD_TIMEZONE do not: systemd starts muxd without them. What jobs need in their
    environment is for the file that the unit names. A system service has its state in
    /var/lib/muxd, unless --state-dir says otherwise.
    """
    unit, place = unit_of(config, system=system, user=user), place_of(system=system)
    _warn_of_variables(config)
    systemctl = _systemctl(system=system)
    if not no_start:
        _refuse_beside_another(_state(config, system=system), systemctl)
    _write(place, unit.text, system=system)
    systemctl("daemon-reload")
    systemctl("enable", NAME)
    click.echo(f"{place} is written and enabled")
    if no_start:
        return
    systemctl("restart", NAME)
    scope = "" if system else " --user"
    click.echo(f"muxd runs; see `muxd service status` and `journalctl{scope} -u muxd -f`")
    if not system:
        click.echo("so that it also runs while you are not logged in: loginctl enable-linger")


@service.command(epilog=epilog(("muxd service uninstall", "stop muxd, and never start it again")))
@_system
def uninstall(system: bool) -> None:
    """Stop muxd, disable its unit and remove it. Configuration and state stay."""
    from muxd.errors import UserError

    place, systemctl = place_of(system=system), _systemctl(system=system)
    if not is_ours(place):
        raise UserError(f"there is no unit at {place}: nothing is installed")
    systemctl("disable", "--now", NAME)
    _changing(place, place.unlink, system=system)
    systemctl("daemon-reload")
    click.echo(f"{place} is removed")


@service.command(epilog=epilog(("muxd service status --json", "for a program")))
@_system
@json_option
def status(system: bool, as_json: bool) -> None:
    """Say whether the service is installed, and what systemd knows of it."""
    from muxd.cli.output import print_json
    from muxd.errors import DaemonNotRunning

    place, systemctl = place_of(system=system), _systemctl(system=system)
    wanted = ("LoadState", "ActiveState", "SubState", "UnitFileState", "StatusText", "NRestarts")
    told = systemctl("show", NAME, *(f"--property={name}" for name in wanted))
    facts = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    active, installed = facts.get("ActiveState") == "active", place.exists()
    if as_json:
        print_json({"unit": str(place), "installed": installed} | facts)
    else:
        click.echo(f"unit: {place}" + ("" if installed else ", which is not there"))
        click.echo(f"state: {facts.get('ActiveState', '?')} ({facts.get('SubState', '?')})")
        click.echo(f"at boot or login: {facts.get('UnitFileState') or 'no'}")
        if facts.get("StatusText"):
            click.echo(f"muxd says: {facts['StatusText']}")
        if facts.get("NRestarts", "0") != "0":
            click.echo(f"started again by systemd: {facts['NRestarts']} times")
    if not active:
        click.get_current_context().exit(DaemonNotRunning.exit_code)


def unit_of(config: Config, *, system: bool, user: str | None) -> Unit:
    """The unit that starts muxd with this configuration.

    Raises:
      UserError: the user is missing, is not wanted, or is nobody's name.
    """
    from muxd.errors import UserError

    if system and user is None:
        raise UserError(
            "say who muxd is to run as: --as USER; `useradd --system -m muxd` makes one"
        )
    if user is not None and not system:
        raise UserError("--as is for --system: a user's own service runs as that user")
    if user is not None and not _is_user(user):
        raise UserError(f"there is no user {user!r}: `useradd --system -m {user}` makes one")
    command = [sys.executable, "-m", "muxd", "start"]
    if config.file is not None:
        command += ["--config", str(config.file.absolute())]
    command += ["--state-dir", str(_state(config, system=system))]
    if config.origin("plugins.jobs_dirs") == "--jobs-dir":
        for folder in config.plugins.jobs_dirs:
            command += ["--jobs-dir", str(folder.absolute())]
    if config.origin("plugins.strict") == "--strict-plugins":
        command.append("--strict-plugins")
    return Unit(command=command, grace=config.daemon.grace, user=user)


def _state(config: Config, *, system: bool) -> Path:
    if system and config.origin("daemon.state_dir") != "--state-dir":
        return SYSTEM_STATE
    return config.daemon.state_dir.absolute()


def _warn_of_variables(config: Config) -> None:
    """What is in force here because of a variable, and will not be there."""
    for key, origin in config.origins.items():
        if origin.startswith("MUXD_") and key != "daemon.state_dir":
            click.echo(
                f"{origin} is set here and will not be there: put it into the configuration "
                f"file, as {key}",
                err=True,
            )


def _is_user(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def place_of(*, system: bool) -> Path:
    """Where the unit is, if it is installed."""
    if system:
        return SYSTEM_PLACE / NAME
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user" / NAME


def is_ours(place: Path) -> bool:
    """Whether there is a unit, written by muxd."""
    try:
        return place.read_text().startswith(MARK)
    except FileNotFoundError:
        return False


def _write(place: Path, text: str, *, system: bool) -> None:
    from muxd.errors import UserError

    if place.exists() and not is_ours(place):
        raise UserError(f"{place} is not muxd's: remove it, or edit that one")

    def write() -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    _changing(place, write, system=system)


def _changing(place: Path, change: Callable[[], object], *, system: bool) -> None:
    from muxd.errors import UserError

    try:
        change()
    except PermissionError as error:
        hint = ": --system needs root" if system else ""
        raise UserError(f"{place} can't be written{hint}") from error


def _refuse_beside_another(state: Path, systemctl: Callable[..., str]) -> None:
    """Another daemon on that state, which the service could not replace."""
    from muxd.errors import AlreadyRunning
    from muxd.state import StateDir

    owner = StateDir(state).owner()
    told = systemctl("show", NAME, "--property=ActiveState")
    if owner is not None and any(f"ActiveState={rest}" in told for rest in ("inactive", "failed")):
        raise AlreadyRunning(str(state), owner.pid, role=owner.role)


def _systemctl(*, system: bool) -> Callable[..., str]:
    """Calls systemctl and gives what it prints.

    Raises:
      UserError: there is no systemd.
      WorldError: it failed.
    """
    from muxd.errors import UserError, WorldError

    program = shutil.which("systemctl")
    if program is None:
        raise UserError("there is no systemd on this machine: see `muxd start` for any other")
    scope: Sequence[str] = () if system else ("--user",)

    def call(*args: str) -> str:
        command = [program, *scope, "--no-pager", *args]
        words = " ".join(["systemctl", *scope, *args])
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired as error:
            raise WorldError(f"`{words}` does not end") from error
        if done.returncode != 0:
            why = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
            hint = "" if system else "; without a login session, use --system"
            raise WorldError(f"`{words}` failed: {why}{hint if 'bus' in why else ''}")
        return done.stdout

    return call
