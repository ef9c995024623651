"""The record: what one run left behind, for good."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import attrs

from muxd.release import Cause

__all__ = ["CUT_OFF", "Outcome", "Record", "utc_text"]

CUT_OFF = "muxd.errors.RunCutOff"
"""The `Record.error_type` of a run whose end nobody saw, because muxd died while it ran."""


class Outcome(StrEnum):
    """How a run ended."""

    ok = "ok"
    """The body returned."""
    empty = "empty"
    """The body returned nothing although the job says ``expects_result=True``."""
    failed = "failed"
    """The body, or a listener or handler of its page, raised."""
    timed_out = "timed_out"
    """The deadline passed."""
    crashed = "crashed"
    """The browser or the page was lost under it."""
    interrupted = "interrupted"
    """The daemon died or was stopped before it had ended."""
    cancelled = "cancelled"
    """Somebody cancelled it."""
    missed = "missed"
    """Its time passed while muxd was down, or the job's policy dropped it."""
    coalesced = "coalesced"
    """Another run of the job, under way at its time, stands for it."""

    @property
    def good(self) -> bool:
        """True for ``ok``."""
        return self is Outcome.ok

    @property
    def ran(self) -> bool:
        """True where a body was started (or may have been)."""
        return self not in (Outcome.missed, Outcome.coalesced)


@attrs.frozen(kw_only=True)
class Record:
    """One run, from its release on. While it waits or runs, `outcome` is None.

    Instants are real Unix seconds (UTC), exact to the microsecond.
    """

    id: str
    job: str
    plugin: str = ""
    cause: Cause = Cause.slot
    attempt: int = 1
    first_id: str | None = None
    """For a retry: the id of the first try."""
    released_at: float
    started_at: float | None = None
    """When the run got the browser; None if it never did."""
    ended_at: float | None = None
    """When it ended; of a run that was cut off (`CUT_OFF`), when the next start found it."""
    outcome: Outcome | None = None
    error_type: str | None = None
    """The qualified name of the exception's class."""
    error: str | None = None
    """The exception's message, at most 4,000 characters."""
    result: str | None = None
    """A short account of what the body returned, at most 1,000 characters."""
    left: str | None = None
    """What it left behind, and muxd took away: ``3 pages, 1 process``. None if nothing."""
    harm: str | None = None
    """What it did that costs others, and is charged to its job: ``the browser was lost under it``,
    ``blocked muxd for 7.2 s``. None if nothing. A job that does harm several times running is paused."""
    session: str = "main"
    browser_generation: int | None = None
    """Which life of the browser it ran on, counted from 1 at each start of the daemon."""
    speed: float = 1.0
    """How much faster than real time the timetable ran (``--speed``)."""

    @property
    def lateness(self) -> float | None:
        """Release to start, seconds; None before the start."""
        return None if self.started_at is None else self.started_at - self.released_at

    @property
    def duration(self) -> float | None:
        """Start to end, seconds; None unless it started, and somebody saw its end."""
        if self.started_at is None or self.ended_at is None or self.error_type == CUT_OFF:
            return None
        return self.ended_at - self.started_at

    def as_dict(self) -> dict[str, Any]:
        """For JSON: stable keys, instants in ISO 8601 UTC with microseconds."""
        return {
            "id": self.id,
            "job": self.job,
            "plugin": self.plugin,
            "cause": self.cause.value,
            "attempt": self.attempt,
            "first_id": self.first_id,
            "released_at": utc_text(self.released_at),
            "started_at": utc_text(self.started_at),
            "ended_at": utc_text(self.ended_at),
            "outcome": self.outcome.value if self.outcome else None,
            "error": self.error,
            "error_type": self.error_type,
            "result": self.result,
            "left": self.left,
            "harm": self.harm,
            "session": self.session,
            "browser_generation": self.browser_generation,
            "lateness": None if self.lateness is None else round(self.lateness, 6),
            "duration": None if self.duration is None else round(self.duration, 6),
            "speed": self.speed,
        }


def utc_text(instant: float | None) -> str | None:
    """ISO 8601, UTC, with microseconds: ``2026-01-31T09:15:00.000000Z``; None for None."""
    if instant is None:
        return None
    moment = datetime.fromtimestamp(instant, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
