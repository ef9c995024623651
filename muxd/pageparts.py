"""Parts of pages on the dashboard, for the pages of plugins too: HTML in its style, escaped."""

from __future__ import annotations

from datetime import datetime, tzinfo
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MARKS", "badge", "moment", "run_badge"]

MARKS = {
    "ok": "✓",
    "empty": "○",
    "failed": "✕",
    "timed_out": "◷",
    "crashed": "⚡",
    "interrupted": "‖",
    "cancelled": "⊘",
    "missed": "\N{EN DASH}",
    "coalesced": "≡",
}
"""A sign for each outcome: nobody needs to tell colours apart."""


def badge(outcome: str, word: str = "") -> str:
    """An outcome in its colour with its sign; `word`: what it is called, if not by its name."""
    text = escape(word or outcome.replace("_", " "))
    mark = MARKS.get(outcome, "·")
    return (
        f'<span class="badge o-{escape(outcome)}"><span class="mark" aria-hidden="true">{mark}</span>'
        f" {text}</span>"
    )


def run_badge(run: Mapping[str, Any] | None, word: str = "") -> str:
    """How a run has ended, with a link to it.

    Args:
      run: for JSON, as `Controlled.jobs` has it as a job's ``last``; None: there is none yet.
      word: what its outcome is called, if not by its name.
    """
    if not run or not run.get("outcome"):
        return '<span class="note">not yet</span>'
    link = quote(run["id"], safe="")
    return f'<a class="plain" href="/runs/{link}">{badge(str(run["outcome"]), word)}</a>'


def moment(at: float | str | None, zone: str | tzinfo) -> str:
    """When something was, to the minute.

    Args:
      at: Unix seconds, or ISO 8601; None: never.
      zone: in which it is said, or its IANA name, as `Controlled.jobs` has it as ``timezone``.
    """
    if at is None:
        return '<span class="note">never</span>'
    there = ZoneInfo(zone) if isinstance(zone, str) else zone
    if isinstance(at, str):
        when = datetime.fromisoformat(at).astimezone(there)
    else:
        when = datetime.fromtimestamp(at, there)
    return f'<time datetime="{when.isoformat()}">{when:%Y-%m-%d %H:%M}</time>'
