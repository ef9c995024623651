"""``muxd restore``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli.backup import NEEDS
from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.backup.manifest import Manifest
    from muxd.config import Config

__all__ = ["restore"]


@click.command(
    epilog=epilog(
        ("muxd restore muxd.tar.gz", "have everything as it was then"),
        ("muxd restore --check muxd.tar.gz", "look through it, and change nothing"),
        ("muxd restore --without-config muxd.tar.gz", "keep the configuration of this machine"),
    )
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Say whether it could be restored, and do nothing.")
@click.option("--without-sessions", is_flag=True, help="Leave sessions and profile as they are.")
@click.option("--without-config", is_flag=True, help="Leave the configuration file as it is.")
@config_options(needs=NEEDS)
@json_option
def restore(
    config: Config,
    file: Path,
    check: bool,
    without_sessions: bool,
    without_config: bool,
    as_json: bool,
) -> None:
    """Put what `muxd backup` wrote into FILE in the place of what is there now.

    No daemon may run. All of FILE is checked before anything is changed; what it holds replaces
    what is there, and that is kept beside it, in a directory before-restore-... of the state
    directory: delete it when all is well. Should the power go meanwhile, either nothing has
    happened, or the next `muxd start` does the rest.
    """
    import attrs

    from muxd.backup.restoring import Restoring
    from muxd.cli.context import load
    from muxd.cli.output import print_json
    from muxd.errors import UserError, WorldError
    from muxd.state import StateDir

    if not file.is_file():
        raise UserError(f"there is no file {file}")
    state, place = StateDir(config.daemon.state_dir), None
    if not without_config:
        place = _config_place(config)
    restoring = Restoring(
        file=file,
        store=load(config, lenient=True).store,
        config=place,
        sessions=not without_sessions,
    )
    try:
        if check:
            with tempfile.TemporaryDirectory(prefix="muxd-") as folder:
                manifest, aside = restoring.check(Path(folder) / "new"), None
        else:
            with state.hold("restore"):
                _refuse_what_cant_be_written(place)
                manifest, aside = restoring.restore(state.root)
    except OSError as error:
        words = ": ".join(str(part) for part in (error.strerror, error.filename) if part)
        raise WorldError(f"{file} is not restored: {words}") from error
    if as_json:
        told = {k: v for k, v in attrs.asdict(manifest).items() if k != "parts"}
        print_json(told | {"files": len(manifest.parts), "set_aside": aside})
        return
    what = f"{file}, of {manifest.made_at}, by muxd {manifest.muxd}: {_words(manifest)}"
    if aside is None:
        click.echo(f"{what}\nit is whole, and can be restored")
        return
    click.echo(f"{what}\nrestored into {state.root}")
    click.echo(f"what was there before is in {aside}: delete it when all is well")
    _warn_of_another_place(place, state)


def _config_place(config: Config) -> Path:
    """The file in force, else where the user's is looked for."""
    import platformdirs

    from muxd.configfile import FILE_NAME

    return config.file or platformdirs.user_config_path("muxd") / FILE_NAME


def _refuse_what_cant_be_written(place: Path | None) -> None:
    """Before anything is changed, rather than in the middle of it."""
    import os

    from muxd.errors import UserError

    if place is None:
        return
    there = place.parent
    while not there.exists():
        there = there.parent
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(
            f"the configuration {place} can't be written: be another user, or leave it as it is "
            "(--without-config)"
        )


def _warn_of_another_place(place: Path | None, state: object) -> None:
    """The configuration of then may say that the state is elsewhere."""
    from muxd.configfile import load_config
    from muxd.errors import ConfigError
    from muxd.state import StateDir

    if place is None or not place.exists():
        return
    try:
        there = StateDir(load_config(place, needs=("daemon.state_dir",)).daemon.state_dir)
    except ConfigError as error:
        click.echo(f"muxd: warning: {error}", err=True)
        return
    if there != state:
        click.echo(
            f"muxd: warning: {place} says that the state is in {there.root}: restore it there, by "
            f"--state-dir, or correct [daemon] state_dir",
            err=True,
        )


def _words(manifest: Manifest) -> str:
    from muxd.sizes import format_size

    kinds = ", ".join(manifest.kinds)
    return f"{kinds}; {len(manifest.parts)} files, {format_size(manifest.size)}"
