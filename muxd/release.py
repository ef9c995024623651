"""A release: one instant at which a slot asks for a run."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from muxd.job import Job

__all__ = ["Cause", "Release"]


class Cause(StrEnum):
    """Why a run was asked for."""

    slot = "slot"
    """The timetable."""
    manual = "manual"
    """A person: ``muxd run``."""
    retry = "retry"
    """The run before it did not end well and the job has retries left."""
    catch_up = "catch_up"
    """Its time passed while muxd was down or the machine asleep."""
    in_gap = "in_gap"
    """A person, for the next gap of the timetable: ``muxd run --in-gap``."""

    @property
    def asked_for(self) -> bool:
        """True where a person wants the run: it is made though its job is paused, and never held."""
        return self in (Cause.manual, Cause.in_gap)


@attrs.frozen(kw_only=True)
class Release:
    """What waits in the priority channel: one run to be."""

    id: str
    """The run's id: unique, sorts by time."""
    job: Job
    """The job as it was declared when it was released."""
    released_at: float
    """The instant of the release, real Unix seconds."""
    cause: Cause = Cause.slot
    attempt: int = 1
    """1 for the first try, one more for each retry."""
    first_id: str | None = None
    """For a retry: the id of the first try."""

    @property
    def priority(self) -> int:
        """The job's; a person who asks for a run goes before everything."""
        return 1001 if self.cause.asked_for else self.job.priority
