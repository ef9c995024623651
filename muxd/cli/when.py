"""Instants of the past as people write them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from muxd.units import parse_duration

if TYPE_CHECKING:
    from datetime import tzinfo

    from muxd.config import Config

__all__ = ["WHEN_HELP", "local_text", "parse_when"]

WHEN_HELP = "a date or a time such as '2026-01-31' or '2026-01-31T09:15', or how long ago, '36h'"
"""What is allowed, in words for messages."""


def local_text(instant: str | None, config: Config) -> str:
    """An instant as the daemon tells it (ISO 8601), on the clock of the configured zone."""
    import time

    from muxd.cli.output import clock_text
    from muxd.zone import zone

    if instant is None:
        return "-"
    return clock_text(datetime.fromisoformat(instant).timestamp(), zone(config), now=time.time())


def parse_when(text: str, zone: tzinfo, now: float) -> float:
    """The instant that is meant, Unix seconds.

    Args:
      text: ISO 8601, in `zone` unless it says in which, a date for its beginning; or a duration, for
        so long ago.
      zone: the time zone.
      now: Unix seconds.

    Raises:
      ValueError: it is neither.
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not {WHEN_HELP}") from None
