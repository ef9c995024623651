"""``muxd devices``: what may stand in ``devices``."""

from __future__ import annotations

import click

from muxd_shot.devices import device, device_names

__all__ = ["devices"]


@click.command()
@click.argument("word", required=False, default="")
def devices(word: str) -> None:
    """List the devices that pages can be taken as.

    With WORD those that have it in their names. Each with the size of its window, and how many pixels
    are one of it.
    """
    found = [name for name in device_names() if word.lower() in name.lower()]
    if not found:
        raise click.ClickException(f"no device has {word!r} in its name")
    width = max(map(len, found))
    for name in found:
        about = device(name, "0")
        size = f"{about['viewport']['width']}x{about['viewport']['height']}"
        click.echo(f"{name:{width}}  {size}@{about['device_scale_factor']:g}")
