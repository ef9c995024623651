"""Time zones: the one of a name, and the one that this machine is in."""

from __future__ import annotations

import difflib
import os
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from muxd.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.config import Config

__all__ = ["named_zone", "system_zone", "zone"]

_LOCALTIME = Path("/etc/localtime")
_MARK = "/zoneinfo/"


def zone(config: Config) -> ZoneInfo:
    """The time zone of the timetable: the configured one, else the system's.

    Raises:
      ConfigError: this machine has no time zone data at all.
    """
    if config.daemon.timezone is not None:
        return named_zone(config.daemon.timezone)
    return system_zone()


def named_zone(name: str) -> ZoneInfo:
    """The zone with this IANA name.

    Raises:
      ValueError: there is none; the message says what to give.
    """
    try:
        return ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError: an absolute path or `..`; OSError: a directory of zones, such as "Europe".
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"give the IANA name of a time zone, such as 'Europe/Berlin' or 'UTC'{hint}"
        ) from None


def system_zone(
    *, environ: Mapping[str, str] = os.environ, localtime: Path = _LOCALTIME
) -> ZoneInfo:
    """The zone that this machine is in: ``TZ``, else ``/etc/localtime``, else UTC.

    A ``TZ`` that names no zone (a POSIX rule such as ``CET-1CEST``) is passed over: it has no
    name that could be shown, and no history.

    Raises:
      ConfigError: this machine has no time zone data at all, not even for UTC.
    """
    if name := environ.get("TZ", "").removeprefix(":").rpartition(_MARK)[2]:
        try:
            return ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass
    try:
        target = str(localtime.resolve(strict=True))
        if _MARK in target:
            return ZoneInfo(target.rpartition(_MARK)[2].removeprefix("posix/"))
        with localtime.open("rb") as file:  # a copy, not a link: its rules without its name
            return ZoneInfo.from_file(file, key="localtime")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    try:
        return ZoneInfo("UTC")
    except zoneinfo.ZoneInfoNotFoundError:
        raise ConfigError(
            ConfigProblem(
                "this machine",
                "daemon.timezone",
                "there is no time zone data: install it with `apt-get install tzdata` "
                "or `pip install tzdata`",
            )
        ) from None
