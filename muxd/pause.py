"""A pause: why a job's slots are passed over, and until when; or what it has done on the way to one."""

from __future__ import annotations

import attrs

__all__ = ["Pause"]


@attrs.frozen(kw_only=True)
class Pause:
    """A job that is paused, or did harm lately. Instants are real Unix seconds (UTC), exact to the microsecond."""

    job: str
    note: str
    """Why, for people: ``crashed the browser 3x, last: ...``; at most 1,000 characters. Empty: it is
    not paused."""
    since: float
    probe_at: float | None = None
    """From when on the next slot is used to try again; None: when a person says so."""
    probes: int = 0
    """How often it was tried again, in vain. Of a job that is not paused: how many of its runs did
    harm, one after another."""
