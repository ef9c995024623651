"""``muxd backup``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["backup"]

NEEDS = ("daemon.state_dir", "plugins.jobs_dirs", "plugins.disable")


@click.command(
    epilog=epilog(
        ("muxd backup muxd.tar.gz", "all that muxd knows, in one file; also while it runs"),
        ("muxd backup --with-evidence muxd.tar.gz", "the screenshots and traces of runs too"),
        ("muxd backup --without-sessions muxd.tar.gz", "without anybody's cookies"),
        ("muxd restore muxd.tar.gz", "put it back"),
    )
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--without-sessions",
    is_flag=True,
    help="Leave out what jobs are logged in with: named sessions, and the browser's profile.",
)
@click.option("--without-data", is_flag=True, help="Leave out what jobs have saved.")
@click.option("--with-evidence", is_flag=True, help="Take in what failed runs have left.")
@config_options(needs=NEEDS)
@json_option
def backup(
    config: Config,
    file: Path,
    without_sessions: bool,
    without_data: bool,
    with_evidence: bool,
    as_json: bool,
) -> None:
    """Write ledger, what jobs have saved, sessions, disabled plugins and the configuration into FILE, a
    .tar.gz.

    The daemon may run meanwhile: it is not held up, and the ledger in FILE is that of one moment.
    FILE is complete or not there; what was there before is replaced. Only its owner can read it:
    it has the cookies of all sessions, and whatever the configuration says.

    Jobs, plugins and what they need in their environment are not in it.
    """
    from muxd import __version__
    from muxd.backup.making import Making
    from muxd.backup.swap import is_pending
    from muxd.cli.context import load
    from muxd.cli.output import print_json
    from muxd.errors import AlreadyRunning, UserError, WorldError
    from muxd.sizes import format_size
    from muxd.state import StateDir

    if file.suffix in (".zst", ".xz", ".bz2", ".zip"):
        raise UserError(f"{file}: a backup is a .tar.gz: give it such a name")
    state, file = StateDir(config.daemon.state_dir), file.absolute()
    if not state.root.is_dir():
        raise UserError(f"there is no state in {state.root}: nothing to back up")
    owner = state.owner()
    if owner is not None and owner.role == "restore":
        raise AlreadyRunning(str(state.root), owner.pid, role=owner.role)
    if is_pending(state.root):
        raise UserError(
            f"a restore into {state.root} was cut off: the next `muxd start` or `muxd restore` "
            "finishes it"
        )
    if not file.parent.is_dir():
        raise UserError(f"there is no directory {file.parent}")
    making = Making(
        state=state,
        store=load(config, lenient=True).store(state.root),
        config=config.file,
        version=__version__,
        sessions=not without_sessions,
        data=not without_data,
        evidence=with_evidence,
    )
    try:
        manifest = making.make(file)
    except OSError as error:
        raise WorldError(f"{file} is not written: {_words(error)}") from error
    size = file.stat().st_size
    if as_json:
        print_json(
            {"file": file, "size": size, "files": len(manifest.parts), "kinds": manifest.kinds}
        )
    else:
        click.echo(f"{file}: {len(manifest.parts)} files, {format_size(size)}")


def _words(error: OSError) -> str:
    return ": ".join(str(part) for part in (error.strerror, error.filename) if part)
