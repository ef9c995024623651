"""What could be seen of a run's pages at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Observation", "TraceWhen"]

TraceWhen = Literal["retries", "always", "never"]
"""Which runs are traced with pictures; ``retries``: those that are one, and those whose job's last
run did not end well. The others are traced without, unless it is ``never``."""


@attrs.frozen(kw_only=True)
class Observation:
    """What the pages of a run show, as it is: secrets and all. What could not be had is None."""

    url: str | None = None
    title: str | None = None
    """Of the page that the picture and the HTML are of, at most 300 characters."""
    pages: tuple[str, ...] = ()
    """The URLs of all pages that are open."""
    screenshot: bytes | None = None
    """A PNG of what is in view; password fields are covered."""
    html: str | None = None
    console: tuple[str, ...] | None = None
    """The last lines of the console, and errors of the pages' scripts."""
    network: tuple[str, ...] | None = None
    """The last requests that failed, or were answered by a status of 400 or more."""
    trace: Path | None = None
    """Playwright's trace: a file of the caller's folder."""
    secrets: frozenset[str] | None = None
    """What must not be kept of all this: values of cookies, passwords and credentials. None: they
    could not be read, so nothing that the pages said may be kept."""
    missing: Mapping[str, str] = attrs.field(factory=dict)
    """For each part that could not be had, why."""
