"""The names of a new plugin, from the one that was typed; and what speaks against them."""

from __future__ import annotations

import builtins
import importlib.metadata
import importlib.util
import keyword
import re
import sys
from urllib.parse import urlsplit

import attrs

from muxd.errors import UserError

__all__ = ["Names", "check_free", "checked_session", "checked_url", "names_of"]

LONGEST = 40
"""Characters of a name at most."""
PREFIX = "muxd-"
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
OURS = ("test", "tests", "src", "docs", "jobs", "run", "muxd")
"""What would be mistaken for something else in a project of this kind, or in muxd itself."""


@attrs.frozen
class Names:
    """What a new plugin, and what is in it, is called."""

    distribution: str
    """As PEP 503 normalises it; of the directory, too."""
    package: str
    """Of the Python package, or of the single file."""
    plugin: str
    """Of the plugin and the entry point."""
    job: str
    """Of the job and its function."""


def names_of(name: str) -> Names:
    """All names that come of one: ``muxd-prices`` is a distribution with the job ``prices``.

    Raises:
      UserError: it can't be the name of a distribution, a package and a function.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name!r} can't be a plugin's name: give letters, digits, '-', '_' and '.', the first "
            "and the last of them a letter or a digit"
        )
    if len(name) > LONGEST:
        raise UserError(f"{name!r} is too long: give at most {LONGEST} characters")
    distribution = re.sub(r"[-_.]+", "-", name).lower()
    plugin = distribution.removeprefix(PREFIX)
    job = plugin.replace("-", "_")
    for identifier in (job, package := distribution.replace("-", "_")):
        if not identifier.isidentifier():
            raise UserError(f"{name!r} can't be a plugin's name: let it begin with a letter")
        if keyword.iskeyword(identifier) or keyword.issoftkeyword(identifier):
            raise UserError(f"{identifier!r} is a word of Python's own: choose another name")
        if identifier in dir(builtins) or identifier in OURS:
            raise UserError(f"{identifier!r} means something else already: choose another name")
    return Names(distribution, package, plugin, job)


def check_free(names: Names) -> None:
    """Whether a plugin of these names can be installed into this environment.

    Raises:
      UserError: something has one of them already.
    """
    other = (
        "" if names.distribution.startswith(PREFIX) else f", such as {PREFIX}{names.distribution}"
    )
    if names.package in sys.stdlib_module_names:
        raise UserError(
            f"{names.package!r} is a module of Python's own: choose another name{other}"
        )
    if _is_installed(names.distribution):
        raise UserError(
            f"a distribution {names.distribution!r} is installed here already: choose another "
            f"name{other}, or uninstall that one"
        )
    try:
        found = importlib.util.find_spec(names.package)
    except (ImportError, ValueError):
        found = None
    if found is not None and found.origin is not None:
        raise UserError(
            f"there is a module {names.package!r} in this environment already ({found.origin}): "
            f"choose another name{other}"
        )
    taken = _plugins().get(names.plugin)
    if taken is not None:
        raise UserError(
            f"there is a plugin {names.plugin!r} already ({taken}): choose another name"
        )


def _plugins() -> dict[str, str]:
    """Where the installed plugins are, by name; none if a distribution's metadata is broken."""
    try:
        return {p.name: p.value for p in importlib.metadata.entry_points(group="muxd")}
    except Exception:
        return {}


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def checked_url(url: str) -> str:
    """The address of a page, with ``https://`` if it came without.

    Raises:
      UserError: it is none that a browser could open.
    """
    whole = url if "://" in url else f"https://{url}"
    try:
        parts = urlsplit(whole)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host = False
    else:
        has_host = has_host and parts.scheme in ("http", "https")
    if not has_host or not whole.isprintable() or set(whole) & set(" \"'<>\\`"):
        raise UserError(
            f"--url {url!r} is no address of a page: give one such as https://shop.example"
        )
    return whole


def checked_session(name: str | None) -> str | None:
    """The name of a session that somebody may be logged in to; None for none.

    Raises:
      UserError: it can't be one.
    """
    if name is None or name == "fresh":
        return None
    if not NAME.fullmatch(name):
        raise UserError(
            f"--session {name!r} is no name of a session: give one such as main or shop"
        )
    return name
