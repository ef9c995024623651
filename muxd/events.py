"""What happens in the daemon, told to sinks as frozen facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from muxd.pause import Pause
    from muxd.record import Record

__all__ = [
    "BrowserDown",
    "BrowserUp",
    "ClockJumped",
    "Draining",
    "Event",
    "JobPaused",
    "JobResumed",
    "PlanMade",
    "ResourcesFine",
    "ResourcesLow",
    "RunEnded",
    "RunReleased",
    "RunStarted",
    "Started",
]


@attrs.frozen(kw_only=True)
class Event:
    """The root of all events."""

    at: float
    """When it happened, real Unix seconds."""


@attrs.frozen(kw_only=True)
class Started(Event):
    """The daemon is up: the first release may come."""

    jobs: int
    """How many jobs are on the timetable."""
    speed: float
    """How much faster than real time the timetable runs."""


@attrs.frozen(kw_only=True)
class PlanMade(Event):
    """A timetable is in force."""

    feasible: bool
    """True if no two slots collide."""
    min_gap: float
    """The smallest gap between two slots, seconds; negative where they collide."""
    utilisation: float
    """The share of the browser's time that the slots ask for, 0 to 1 or more."""
    warnings: tuple[str, ...]
    moved: tuple[str, ...] = ()
    """The jobs whose phases are others than before."""


@attrs.frozen(kw_only=True)
class RunReleased(Event):
    """A run waits in the channel."""

    record: Record


@attrs.frozen(kw_only=True)
class RunStarted(Event):
    """A run has the browser."""

    record: Record


@attrs.frozen(kw_only=True)
class RunEnded(Event):
    """A run has its outcome and its record is in the ledger."""

    record: Record


@attrs.frozen(kw_only=True)
class BrowserUp(Event):
    """A browser is ready."""

    generation: int
    """Which life of the browser, from 1."""
    pid: int
    version: str


@attrs.frozen(kw_only=True)
class BrowserDown(Event):
    """A browser is gone; unless the daemon stops, another follows."""

    generation: int
    reason: str
    """``closed`` when it was closed on purpose, else what happened."""
    retry_in: float | None = None
    """Seconds to the next launch; None if none follows."""


@attrs.frozen(kw_only=True)
class JobPaused(Event):
    """A job's slots are passed over from now on."""

    pause: Pause


@attrs.frozen(kw_only=True)
class JobResumed(Event):
    """A job's slots are used again."""

    job: str
    by: str
    """Who: ``a person``, or ``its run ...``, which did no harm."""


@attrs.frozen(kw_only=True)
class ResourcesLow(Event):
    """There is too little memory or disk; told again when more has to wait for it."""

    what: str
    """``memory``, ``disk``, or ``files``: how many more the disk can take."""
    free: int
    """What is left, bytes; of files, their number."""
    floor: int
    """What should be."""
    holding: tuple[str, ...]
    """The jobs whose runs are held until there is enough, by name."""


@attrs.frozen(kw_only=True)
class ResourcesFine(Event):
    """There is enough memory and disk again; what was held goes on."""


@attrs.frozen(kw_only=True)
class ClockJumped(Event):
    """The wall clock was stepped, or the machine slept."""

    seconds: float
    """How far; negative for a step back."""
    kind: str
    """``step`` or ``sleep``."""


@attrs.frozen(kw_only=True)
class Draining(Event):
    """The daemon was told to stop: no new release, the run in progress may finish."""

    grace: float
    """For how long, seconds."""
    job: str | None = None
    """The job of the run in progress; None if there is none."""
