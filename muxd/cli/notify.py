"""``muxd notify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd.builtin._notifier_message import Message
    from muxd.builtin._notifier_ways import Way
    from muxd.config import Config

__all__ = ["notify"]


@click.group(epilog=epilog(("muxd notify test", "see whether messages arrive")))
def notify() -> None:
    """Who is told when something is wrong.

    Where messages go, and about what, is configured in [notify]: see docs/notifications.md.
    """


@notify.command(
    "test",
    epilog=epilog(
        ("muxd notify test", "by every way that is configured"),
        ("muxd notify test --url ntfys://ntfy.sh/my-topic", "by one that is not, yet"),
    ),
)
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="Try this URL of apprise's, in place of what is configured; may be given more than once.",
)
@config_options()
@json_option
def test(config: Config, urls: Sequence[str], as_json: bool) -> None:
    """Send a message through every way there is, and say what worked.

    Each is tried once. No daemon need run. Exit code 1 if one did not work.
    """
    import attrs
    import trio

    from muxd.cli.output import print_json, print_table

    settings = attrs.asdict(config.notify, recurse=False)
    if urls:
        settings |= {"urls": _checked(urls), "webhook": None, "desktop": False}
    results = trio.run(_try_all, _ways(settings), _message())
    if as_json:
        print_json({"ways": [{"way": way, "error": error} for way, error in results]})
    else:
        rows = ((way, "sent" if error is None else "failed", error or "") for way, error in results)
        print_table(("way", "result", "reason"), rows)
    if any(error is not None for _, error in results):
        raise click.exceptions.Exit(1)


def _checked(urls: Sequence[str]) -> tuple[str, ...]:
    from muxd.configvalues import apprise_urls
    from muxd.errors import UserError

    try:
        return apprise_urls(urls)
    except ValueError as error:
        raise UserError(f"--url: {error}") from None


def _ways(settings: dict[str, Any]) -> list[Way]:
    from muxd.builtin._notifier_ways import ways_of
    from muxd.errors import UserError

    try:
        ways = ways_of(settings)
    except ValueError as error:
        raise UserError(str(error)) from None
    if not ways:
        raise UserError(
            "nobody is told of anything: configure notify.urls, notify.webhook or notify.desktop, or "
            "try a URL with --url (see docs/notifications.md)"
        )
    return ways


def _message() -> Message:
    import socket
    import time
    import uuid

    from muxd.builtin._notifier_message import Message

    host = socket.gethostname()
    return Message(
        id=uuid.uuid4().hex,
        type="test",
        at=time.time(),
        host=host,
        title=f"muxd on {host}: a test",
        text="This is how you will be told when something is wrong. All is well.",
    )


async def _try_all(ways: Sequence[Way], message: Message) -> list[tuple[str, str | None]]:
    """All at once; in the order of the ways."""
    import trio

    from muxd.builtin._notifier_ways import NotSent

    results: dict[int, str | None] = {}

    async def send(number: int, way: Way) -> None:
        try:
            await way.send(message)
        except NotSent as error:
            results[number] = str(error)
        else:
            results[number] = None

    async with trio.open_nursery() as nursery:
        for number, way in enumerate(ways):
            nursery.start_soon(send, number, way)
    return [(way.name, results[number]) for number, way in enumerate(ways)]
