"""The command ``muxd-demo``."""

from __future__ import annotations

import json
import sys
from functools import partial

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

    The sixteen jobs themselves run under muxd: muxd start --speed 60.
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


@main.command()
@click.option(
    "--browsers",
    type=click.IntRange(1, 16),
    default=16,
    show_default=True,
    help="How many of the jobs, and so of the browsers.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 600),
    default=30,
    show_default=True,
    help="Seconds that each job has, both ways.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")
def stampede(browsers: int, timeout: float, as_json: bool) -> None:
    """Run the jobs the old way, all at once with a browser each, and then one by one.

    It takes about a minute and, for a moment, several GiB of memory.

    Example: muxd-demo stampede --browsers 8
    """
    from rich.console import Console

    import muxd
    from muxd import find_browser
    from muxd_demo.report import side_by_side
    from muxd_demo.stampede import compare

    try:
        browser = find_browser().path
    except muxd.MuxdError as error:
        raise click.ClickException(str(error)) from None
    tell = partial(click.echo, err=True)
    try:
        at_once, one_by_one = muxd.run(
            partial(compare, browsers, browser=browser, timeout=timeout, tell=tell)
        )
    except* KeyboardInterrupt:
        sys.exit(130)
    if as_json:
        both = {"at_once": at_once.as_dict(), "one_by_one": one_by_one.as_dict()}
        click.echo(json.dumps(both, indent=2))
    else:
        Console().print(side_by_side(at_once, one_by_one))
