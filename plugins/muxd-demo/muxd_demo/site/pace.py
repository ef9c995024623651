"""How slow the site is, on purpose."""

from __future__ import annotations

import attrs

__all__ = ["Pace"]


@attrs.frozen(kw_only=True)
class Pace:
    """Pauses before an answer, seconds, 0 or more: no real site answers at once."""

    list: float = 0.04
    """Lists that scripts fetch after the page has come."""
    page: float = 0.15
    """The page of outcomes, slow before its first byte."""
    report: float = 0.25
    """A report, worked out while one waits."""
