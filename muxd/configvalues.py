"""What a value in the configuration may be: readers, each with words for what is right."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

from muxd import readers
from muxd.engine import Engine
from muxd.zone import named_zone

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
    return readers.whole(0, 65535)(number)


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
