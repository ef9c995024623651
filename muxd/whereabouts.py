"""Where the runs are that have not ended: which wait, which are owed, which is in progress. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd.ended import EndedRuns
from muxd.release import Cause

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from muxd.live import LiveRun
    from muxd.record import Outcome, Record
    from muxd.release import Release

__all__ = ["Whereabouts", "Withdrawn"]


class Withdrawn(Exception):
    """The run was ended while the worker had it in hand: it is not to be started."""


class Whereabouts:
    """What a book knows of its runs at the moment, to be looked at."""

    def __init__(self) -> None:
        """There are none."""
        self.most_at_once = 0
        """The most runs that were ever in progress at once. More than 1 is a mistake of muxd's."""
        # {run id: run}, oldest first
        self._live: dict[str, LiveRun] = {}
        # {job name: its run that waits}, oldest first
        self._waiting: dict[str, LiveRun] = {}
        # {run id: run that is owed}, oldest first
        self._owed: dict[str, LiveRun] = {}
        # {run id: run}; one at most, if all is well
        self._running: dict[str, LiveRun] = {}
        self._past = EndedRuns()

    @property
    def waiting(self) -> tuple[Release, ...]:
        """The releases that wait for the browser, oldest first."""
        return tuple(live.release for live in self._waiting.values())

    def waits(self, *, but: Container[str] = ()) -> bool:
        """True while a run waits for the browser whose id is not among these."""
        return any(live.release.id not in but for live in self._waiting.values())

    @property
    def running(self) -> Record | None:
        """The run in progress, as it stands in the store; None if there is none."""
        return next((live.record for live in self._running.values()), None)

    def is_busy(self, job: str) -> bool:
        """True while a run of this job waits or is in progress."""
        running = (live.release.job.name for live in self._running.values())
        return job in self._waiting or job in running

    @property
    def now(self) -> int:
        """How many runs are in progress: 0 or 1."""
        return len(self._running)

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many runs ended with each outcome since the book was begun, recovered ones too."""
        return self._past.counts

    @property
    def past(self) -> EndedRuns:
        """The runs that have ended lately."""
        return self._past

    def find(self, part: str) -> Sequence[Record]:
        """The records of the runs that have not ended and whose ids begin or end with `part`."""
        if (exact := self._live.get(part)) is not None:
            return (exact.record,)
        return tuple(
            live.record
            for run_id, live in self._live.items()
            if run_id.startswith(part) or run_id.endswith(part)
        )

    def queued(self) -> Sequence[Record]:
        """The records of the runs that wait, or that people want in a gap, oldest first."""
        return tuple(
            live.record
            for live in self._live.values()
            if not live.ending
            and live.record.started_at is None
            and live.record.cause is not Cause.catch_up
        )

    def _unstarted(self, run_id: str) -> LiveRun | None:
        """A run that waits or is owed, and whose end has not begun; None if this is none."""
        live = self._live.get(run_id)
        if live is None or live.ending or run_id in self._running:
            return None
        return live
