"""``muxd dashboard``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, epilog

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["dashboard"]


@click.command(
    epilog=epilog(
        ("muxd dashboard", "the link"),
        ("muxd dashboard --open", "in this machine's browser"),
        ("muxd dashboard --token", "what programs send: Authorization: Bearer ..."),
    )
)
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@click.option("--token", "only_token", is_flag=True, help="Print the token alone.")
@config_options(needs=["daemon.state_dir"])
def dashboard(config: Config, opens: bool, only_token: bool) -> None:
    """Print the link that opens the dashboard.

    It lets in whoever has it: they can steer muxd and see its pages. It stays the same until the
    file `token` in the state directory is deleted and muxd started anew.
    """
    from muxd.control.client import ControlClient
    from muxd.control.token import find_token, link_to
    from muxd.errors import UserError, WorldError
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    web = ControlClient(state).status(upcoming=0)["web"]
    if web["url"] is None:
        raise UserError(
            web["problem"] or "the dashboard is switched off: set web.enabled = true and restart"
        )
    try:
        token = find_token(state.root)
    except OSError as error:
        raise WorldError(f"{state.root}/token can't be read: {error.strerror}") from None
    if token is None:
        raise WorldError(f"{state.root}/token is gone: `muxd restart` makes another")
    link = link_to(state.root, web["url"])
    click.echo(token if only_token else link)
    if opens:
        click.launch(link)
