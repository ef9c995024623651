"""Sends one message by apprise: a process of its own, for it loads a hundred services to use one.

So what it loads is gone afterwards, and it can be ended whatever it hangs on. What is to be sent comes
by stdin, where no other user sees it: ``{"url": ..., "title": ..., "body": ..., "type": ...,
"files": [...]}``. What came of it goes to stdout: ``{"sent": false, "reason": ..., "again": false}``.
Given ``{"urls": [...]}``, it sends nothing and says ``{"not_understood": [2]}``, counted from 1.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["not_understood", "send"]


class _Told(logging.Handler):
    """Keeps the last that apprise complains of."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def send(given: dict[str, Any]) -> dict[str, Any]:
    """Send it once. Never raises."""
    import apprise

    told, log = _Told(logging.WARNING), logging.getLogger("apprise")
    log.addHandler(told)
    log.propagate = False
    try:
        service = apprise.Apprise.instantiate(given["url"], suppress_exceptions=True)
        if service is None:
            reason = "apprise does not understand this URL"
            return {"sent": False, "reason": reason, "again": False}
        message = {
            "title": given["title"],
            "body": given["body"],
            "notify_type": apprise.NotifyType(given["type"]),
            "body_format": apprise.NotifyFormat.TEXT,
        }
        # Pruned meanwhile, or of a service that takes none.
        # Some are pruned meanwhile, and not every service takes any.
        files = [f"file://{quote(path)}" for path in given["files"] if os.path.isfile(path)]
        sent = False
        if files and service.attachment_support:
            sent = service.notify(**message, attach=files)
        if not sent:  # they are too large for it, or of a kind that it does not like
            sent = service.notify(**message)
    except Exception as error:
        return {"sent": False, "reason": type(error).__name__, "again": True}
    reason = "" if sent else told.last or "it was not accepted"
    return {"sent": bool(sent), "reason": reason, "again": True}


def not_understood(urls: Iterable[str]) -> list[int]:
    """Which of these URLs apprise can do nothing with, counted from 1. Never raises."""
    import apprise

    logging.getLogger("apprise").propagate = False
    instantiate = apprise.Apprise.instantiate
    return [
        n for n, url in enumerate(urls, 1) if instantiate(url, suppress_exceptions=True) is None
    ]


if __name__ == "__main__":
    given = json.load(sys.stdin)
    if "urls" in given:
        result: dict[str, Any] = {"not_understood": not_understood(given["urls"])}
    else:
        result = send(given)
    sys.stdout.write(json.dumps(result))
