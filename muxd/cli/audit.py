"""``muxd audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["audit"]


@click.command(
    epilog=epilog(
        ("muxd audit", "who paused, cancelled, reloaded ... lately"),
        ("muxd audit -n 1000 --json", "for programs"),
    )
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    metavar="N",
    help="How many.",
)
@config_options(needs=["daemon.state_dir"])
@json_option
def audit(config: Config, limit: int, as_json: bool) -> None:
    """Show who wanted what of the daemon, and what came of it, newest first.

    Who is the user of the control socket's other end, the token of the dashboard, or a signal. It is
    kept in `audit.jsonl` in the state directory, and shown without a daemon too.
    """
    from muxd.audit import read_trail
    from muxd.cli.output import harmless, print_json, print_plain
    from muxd.cli.when import local_text
    from muxd.errors import MuxdError
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    try:
        entries = read_trail(state.root, limit)
    except OSError as error:
        raise MuxdError(f"the audit trail can't be read: {error}") from None
    if as_json:
        print_json(entries)
        return
    if not entries:
        click.echo("Nobody has wanted anything of muxd yet.")
        return
    rows = [
        (
            local_text(entry["at"], config),
            *(harmless(str(entry[name])) for name in ("by", "action", "target", "result")),
        )
        for entry in entries
    ]
    print_plain(("at", "by", "what", "of", "result"), rows)
