"""What a value in the configuration may be: readers, each with words for what is right."""

from __future__ import annotations

import ipaddress
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from muxd.engine import Engine
from muxd.sizes import SIZE_HELP, parse_size
from muxd.units import DURATION_HELP, parse_duration
from muxd.zone import named_zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_Reader = TypeVar("_Reader", bound="Callable[[object], Any]")
TOLD_OF = (
    "failure",
    "recovery",
    "pause",
    "login",
    "silence",
    "overload",
    "browser",
    "muxd",
    "news",
)
"""What people can be told of."""
SHORTEST_SIGNING = 16
"""Characters of the shortest secret that signs anything."""


def limits_of(read: Callable[[object], Any]) -> tuple[str, dict[str, float]]:
    """What a reader that was made here takes: ``number``, ``integer``, ``duration`` or ``size``, and its
    limits as JSON Schema has them.
    """
    found: tuple[str, dict[str, float]] = vars(read)["limits"]
    return found


def _within(read: _Reader, kind: str, **limits: float) -> _Reader:
    vars(read)["limits"] = (kind, limits)
    return read


def texts(value: object) -> tuple[str, ...]:
    """Some texts."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError('give a list of texts, such as ["one", "two"]')
    return tuple(value)


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("give true or false")
    return value


def path(value: object) -> Path:
    """A path."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("give a path, as a text")
    return Path(value)


def paths(value: object) -> tuple[Path, ...]:
    """Some paths."""
    if not isinstance(value, (list, tuple)):
        raise ValueError('give a list of paths, such as ["jobs"]')
    return tuple(map(path, value))


def number(low: float, high: float, *, above: bool = False) -> Callable[[object], float]:
    """A number from `low` (or, with `above`, from just above it) to `high`."""
    words = (
        f"give a number {'above' if above else 'from'} {low:g} {'up ' if above else ''}to {high:g}"
    )

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise ValueError(words)
        if not low <= value <= high or (above and value == low):
            raise ValueError(words)
        return float(value)

    bound = "exclusiveMinimum" if above else "minimum"
    return _within(read, "number", **{bound: low}, maximum=high)


def seconds(low: float, high: float, limits: str) -> Callable[[object], float]:
    """A duration within these limits, as seconds."""

    def read(value: object) -> float:
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise ValueError(f"give {DURATION_HELP}, {limits}") from None
        if not low <= seconds <= high:
            raise ValueError(f"give {limits}")
        return seconds

    return _within(read, "duration", minimum=low, maximum=high)


def size(value: object) -> int:
    """A size in bytes."""
    try:
        return parse_size(value)
    except ValueError:
        raise ValueError(f"give {SIZE_HELP}") from None


def count(value: object) -> int:
    """A whole number up to a million."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise ValueError("give a whole number from 0 to 1000000")
    return value


def whole(low: int, high: int) -> Callable[[object], int]:
    """A whole number within these limits."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return value

    return _within(read, "integer", minimum=low, maximum=high)


def at_least(low: int, read: Callable[[object], int], words: str) -> Callable[[object], int]:
    """What `read` gives, if it is not below `low`."""

    def check(value: object) -> int:
        found = read(value)
        if found < low:
            raise ValueError(f"give {words}")
        return found

    return _within(check, "size" if read is size else "integer", minimum=low)


def engine(value: object) -> Engine:
    """An engine."""
    if not isinstance(value, str) or value not in list(Engine):
        raise ValueError("give one of " + ", ".join(Engine))
    return Engine(value)


def trace(value: object) -> str:
    """When traces are taken."""
    if value not in ("retries", "always", "never"):
        raise ValueError("give one of retries, always, never")
    return str(value)


def address(value: object) -> str:
    """An address of this machine."""
    words = 'give an IP address of this machine, such as "127.0.0.1", or "localhost"'
    if not isinstance(value, str):
        raise ValueError(words)
    if value.lower() == "localhost":
        return "localhost"
    try:
        return str(ipaddress.ip_address(value.strip("[]")))
    except ValueError:
        raise ValueError(words) from None


def port(value: object) -> int:
    """A port, also as a text."""
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    return whole(0, 65535)(number)


def hosts(value: object) -> tuple[str, ...]:
    """Names of hosts."""
    hosts = texts(value)
    if any(not host or set(host) & set("/:@ ") for host in hosts):
        raise ValueError('give names of hosts, without a port, such as ["muxd.example.org"]')
    return tuple(host.lower() for host in hosts)


def web_url(value: object) -> str:
    """The URL of a web server."""
    words = 'give the URL of a web server, such as "https://example.org/muxd"'
    if not isinstance(value, str):
        raise ValueError(words)
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or any(not c.isprintable() or c.isspace() for c in value):
        raise ValueError(words)
    return value


def apprise_urls(value: object) -> tuple[str, ...]:
    """What looks like URLs of apprise."""
    urls = texts(value)
    if not all(re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", url) for url in urls):
        raise ValueError(
            'give a list of URLs that apprise knows, such as ["ntfys://ntfy.sh/topic"]'
        )
    return urls


def signing_secret(value: object) -> str:
    """What signs something."""
    if not isinstance(value, str) or len(value) < SHORTEST_SIGNING:
        raise ValueError(f"give a text of {SHORTEST_SIGNING} characters or more, made by chance")
    return value


def told_of(value: object) -> tuple[str, ...]:
    """Some of `TOLD_OF`."""
    kinds = texts(value)
    if not set(kinds) <= set(TOLD_OF):
        raise ValueError("give a list of " + ", ".join(TOLD_OF))
    return kinds


def timezone(value: object) -> str:
    """A time zone's IANA name."""
    return named_zone(value if isinstance(value, str) else "").key


def log_format(value: object) -> str:
    """How logs look."""
    if value not in ("auto", "console", "json", "journald"):
        raise ValueError("give one of auto, console, json, journald")
    return str(value)
