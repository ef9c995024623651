"""What becomes of a release while an earlier run of its job is under way. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd.job import Overlap
from muxd.record import Outcome

if TYPE_CHECKING:
    from muxd.job import Job

__all__ = ["refusal"]


def refusal(job: Job, *, waits: str | None, runs: str | None) -> tuple[Outcome, str] | None:
    """How a release ends at once, and why; None if it is to wait for the browser.

    Args:
      job: whose it is.
      waits: the id of the run of this job that waits; None if none does.
      runs: the id of the one in progress.
    """
    twin = waits or runs
    if twin is None or (waits is None and job.overlap is Overlap.queue_one):
        return None
    state = "waits" if waits else "is in progress"
    if job.overlap is Overlap.skip:
        return Outcome.missed, f"run {twin} {state} (overlap = 'skip')"
    return Outcome.coalesced, f"run {twin} {state} and stands for it"
