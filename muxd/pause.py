"""A pause: why a job's slots are passed over, and until when; or what it has done on the way to one."""

from __future__ import annotations

from typing import Any

import attrs

from muxd.record import utc_text

__all__ = ["DRAIN", "WHOLE", "Pause", "is_a_jobs", "skip_key", "skipped_job"]

WHOLE = "*"
"""The `Pause.job` of a pause of the whole muxd."""
DRAIN = "*drain"
"""That of a drain, which is never kept."""
_SKIP = ">"


def skip_key(job: str) -> str:
    """Under what the skip of a job's next release is kept among the pauses."""
    return _SKIP + job


def skipped_job(key: str) -> str | None:
    """The job of which that is the key of a skip; None if it is none."""
    return key.removeprefix(_SKIP) if key.startswith(_SKIP) else None


def is_a_jobs(key: str) -> bool:
    """True if this key among the pauses is a job's name: none begins so."""
    return not key.startswith((WHOLE, _SKIP))


@attrs.frozen(kw_only=True)
class Pause:
    """A job that is paused, or did harm lately. Instants are real Unix seconds (UTC), exact to the microsecond."""

    job: str
    """Its name; or a key of muxd's own, which is no job's name: `is_a_jobs`."""
    note: str
    """Why, for people: ``3x running, last: ...``; at most 1,000 characters. Empty: it is
    not paused."""
    since: float
    probe_at: float | None = None
    """From when on the next slot is used to try again; None: when a person says so."""
    probes: int = 0
    """How often it was tried again, in vain. Of a job that is not paused: how many of its runs did
    harm, one after another."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; instants in ISO 8601 UTC."""
        return {
            "job": self.job,
            "note": self.note,
            "probes": self.probes,
            "since": utc_text(self.since),
            "probe_at": utc_text(self.probe_at),
        }
