"""``[notify]``: whether those who are to be told of something would be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from muxd.cli.doctor.check import error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from muxd.cli.doctor.check import Finding, Subject
    from muxd.config import NotifyConfig

__all__ = ["NOTIFY_BOUND", "notify"]

NOTIFY_BOUND = 60.0
"""How long apprise may take to load what it knows, seconds."""


def notify(subject: Subject) -> Iterator[Finding]:
    """What is missing for a way, or in vain. Nothing is sent: that does `muxd notify test`."""
    config, settings = subject.config, subject.config.notify
    ways = [*settings.urls, *filter(None, (settings.webhook, settings.desktop))]
    if not ways and config.origin("notify.on") != "default":
        yield warning(
            "[notify] on says what people are told, and nobody is there to be told",
            "give [notify] urls, webhook or desktop; or leave `on` out",
        )
        return
    if not ways:
        yield ok("nobody is told of anything: docs/notifications.md says how")
        return
    wrong = list(_wrong(settings))
    yield from wrong
    if not wrong:
        yield ok(f"{len(ways)} to be told; `muxd notify test` says whether messages arrive")


def _wrong(settings: NotifyConfig) -> Iterator[Finding]:
    if settings.webhook and not settings.webhook_secret:
        yield error(
            "notify.webhook has no notify.webhook_secret: what it sends is signed, and so nobody is told "
            "of anything",
            "set it, or MUXD_NOTIFY_WEBHOOK_SECRET, to what `openssl rand -hex 32` prints",
        )
    for number in _not_understood(settings.urls) if settings.urls else ():
        scheme = settings.urls[number - 1].partition("://")[0][:20]
        yield error(
            f"apprise does not understand number {number} of notify.urls, {scheme}://...",
            "correct it: https://github.com/caronc/apprise/wiki has each service's; "
            "`muxd notify test --url URL` tries one",
        )
    if settings.desktop and shutil.which("notify-send") is None:
        yield warning(
            "notify.desktop is on, and there is no notify-send",
            "install libnotify (Debian: libnotify-bin), or switch it off",
        )
    if not settings.on:
        yield warning(
            "[notify] on is empty: nobody is told of anything",
            "leave it out, or name what people are to be told: docs/notifications.md",
        )


def _not_understood(urls: Sequence[str]) -> Sequence[int]:
    """The numbers of those, from 1 on. In a process of its own, which loads what apprise knows."""
    command = [sys.executable, "-P", "-W", "ignore", "-m", "muxd.builtin._notifier_apprise"]
    done = subprocess.run(
        command,
        input=json.dumps({"urls": urls}),
        capture_output=True,
        text=True,
        timeout=NOTIFY_BOUND - 5,
        check=True,
    )
    found: list[int] = json.loads(done.stdout)["not_understood"]
    return found
