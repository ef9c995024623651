"""The contract of what is done round each run's page: its setup and its teardown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from muxd.job import Job
    from muxd.running import Run

__all__ = ["PageWrapper"]


class PageWrapper(ABC):
    """Is round the bodies of runs: makes their page ready before, and has a look at it after.

    Laws:

    - `wrap` gives an async context manager. It is entered once the run has its page and before its
      body begins, and left when the body has ended. Both are done in the body's task: Playwright and
      trio can be awaited there, and a nursery may be open in between.
    - Each may take 5 s. That time is not the body's: its timeout begins when the body does.
    - Of several the one whose plugin was found first is outermost: entered first, left last.
    - It sees what the body raised, as any context manager does, and changes nothing about that: what it
      suppresses is raised all the same, what it raises instead is its own.
    - What it raises itself is its plugin's mistake, and no job's: the run goes on without it, and ends as
      its body does. Only `~muxd.LoggedOut`, raised before the body has begun, is the run's end. One
      that is broken in three of its runs, one after another, is left out from then on.
    - At the run's deadline, or when it is cancelled, the body is ended first, and what is left of the
      wrapper with it, within the bounds of any body's end.
    """

    name: str
    """For messages."""

    def wants(self, job: Job) -> bool:
        """Whether to be round the runs of this job: of all, as here. Plain and quick."""
        return True

    @abstractmethod
    def wrap(self, run: Run) -> AbstractAsyncContextManager[object]:
        """What is to be round the body of this run."""
