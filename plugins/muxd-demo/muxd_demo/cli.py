"""The command ``muxd-demo``."""

from __future__ import annotations

import click
import trio

from muxd_demo import __version__
from muxd_demo.site import Site
from muxd_demo.site.server import port_from_environment
from muxd_demo.site.world import PASSWORD, USER

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="muxd-demo")
def main() -> None:
    """Show what muxd is for, on a small web site of its own.

    The sixteen jobs themselves run under muxd: `muxd start --speed 60`.
    """


@main.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port on the loopback interface (0: any free one). Default: MUXD_DEMO_PORT, else 8016; "
    "if it is in use, any free one.",
)
def site(port: int | None) -> None:
    """Serve the site by itself, to look at it. Stop it with Ctrl+C.

    Example: muxd-demo site --port 9000
    """
    try:
        wished = port_from_environment() if port is None else port
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        trio.run(_serve, Site(port=wished))
    except* KeyboardInterrupt:
        click.echo("Closed.")


async def _serve(site: Site) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(site.run)
        click.echo(f"Perch is open at {site.address} (sign in as {USER}, {PASSWORD}).")
        if site.port and not site.address.endswith(f":{site.port}"):
            click.echo(f"Port {site.port} is in use, so another was taken.")
