"""What a job can say of its runs in a word: how important, and what becomes of one in the way, late or cut off."""

from __future__ import annotations

from enum import IntEnum, StrEnum

__all__ = ["Misfire", "OnInterrupt", "Overlap", "Priority"]


class Priority(IntEnum):
    """Names for priorities. Any integer from -1000 to 1000 will do; higher goes first."""

    critical = 100
    high = 75
    normal = 50
    low = 25
    background = 0


class Overlap(StrEnum):
    """What becomes of a release while an earlier run of the same job is under way."""

    coalesce = "coalesce"
    """It is recorded as ``coalesced``: the run under way stands for it."""
    skip = "skip"
    """It is recorded as ``missed``."""
    queue_one = "queue_one"
    """One may wait behind a run in progress; any further is recorded as ``coalesced``."""


class Misfire(StrEnum):
    """What becomes of releases whose time passed while muxd was down or the machine asleep."""

    run_once = "run_once"
    """The newest is run, late, in a free gap; the others are recorded as ``missed``."""
    skip = "skip"
    """All are recorded as ``missed``."""
    all = "all"
    """All are run, one by one, at most 24; older ones are recorded as ``missed``."""


class OnInterrupt(StrEnum):
    """What becomes of a run whose body was under way when muxd died or was stopped."""

    retry = "retry"
    """It is tried again, once (or as often as the job has retries), by the next muxd."""
    leave = "leave"
    """It stays ``interrupted``: what it had done by then may not be done twice."""
