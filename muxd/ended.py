"""The runs that ended lately, and how many ended how: since muxd was started, and today."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

import attrs
import structlog

from muxd.errors import LedgerError
from muxd.record import Outcome, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from muxd.abc import Store
    from muxd.record import Record

__all__ = ["FAILURES", "FAILURES_KEPT", "REMEMBERED", "EndedRuns", "LastRun", "recall"]

REMEMBERED = 256
"""How many ended runs can be told of when the store can't be read."""
FAILURES = (Outcome.empty, Outcome.failed, Outcome.timed_out, Outcome.crashed)
"""What people look into: a job, its page or its site is to blame."""
FAILURES_KEPT = 5
"""How many of the last failures are told."""
LAST_OF = 1000
"""Among how many of the newest records that of each job is looked for at the start."""


@attrs.frozen(kw_only=True)
class LastRun:
    """How a job's newest run ended."""

    id: str
    outcome: Outcome
    at: float
    duration: float | None
    """Seconds; None if it has none."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        duration = None if self.duration is None else round(self.duration, 6)
        return {
            "id": self.id,
            "outcome": self.outcome.value,
            "ended_at": utc_text(self.at),
            "duration": duration,
        }


def _in_utc(instant: float) -> datetime:
    return datetime.fromtimestamp(instant, UTC)


@final
class EndedRuns:
    """Remembers records that have their outcome. No I/O."""

    def __init__(self) -> None:
        """None has ended yet."""
        self.local: Callable[[float], datetime] = _in_utc
        """What the wall clock shows at an instant: when a day begins."""
        # {run id: its record}, oldest first
        self._newest: OrderedDict[str, Record] = OrderedDict()
        self._counts = dict.fromkeys(Outcome, 0)
        self._day: date | None = None
        self._today = dict.fromkeys(Outcome, 0)
        self._failures: deque[Record] = deque(maxlen=FAILURES_KEPT)
        # {job name: its newest run}
        self._last: dict[str, LastRun] = {}

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many ended with each outcome, since muxd was started."""
        return MappingProxyType(self._counts)

    @property
    def failures(self) -> Sequence[Record]:
        """The last that did not end well, the newest first."""
        return tuple(reversed(self._failures))

    def today(self, now: float) -> Mapping[Outcome, int]:
        """How many ended with each outcome on the day of this instant, local time."""
        self._turn(now)
        return MappingProxyType(self._today)

    def last_of(self, job: str) -> LastRun | None:
        """How the job's newest run ended that is known of."""
        return self._last.get(job)

    def add(self, record: Record) -> None:
        """It has ended."""
        assert record.outcome is not None
        self._counts[record.outcome] += 1
        self._newest[record.id] = record
        while len(self._newest) > REMEMBERED:
            self._newest.popitem(last=False)
        ended = record.released_at if record.ended_at is None else record.ended_at
        self._turn(ended)
        self._today[record.outcome] += 1
        if record.outcome in FAILURES:
            self._failures.append(record)
        self._note_last(record)

    def get(self, run_id: str) -> Record | None:
        """Its record, if it is one of the newest."""
        return self._newest.get(run_id)

    def before(
        self,
        begun: float,
        *,
        today: Mapping[Outcome, int],
        failures: Sequence[Record],
        newest: Sequence[Record],
    ) -> None:
        """What there was before the first that was added.

        Args:
          begun: the instant before which all of it ended.
          today: how many ended with each outcome on the day of that instant.
          failures: the last ones, the newest first.
          newest: records, the newest first.
        """
        if self._day in (None, self.local(begun).date()):
            self._turn(begun)
            for outcome, count in today.items():
                self._today[outcome] += count
        both = (*reversed(failures), *self._failures)
        self._failures = deque(both, maxlen=FAILURES_KEPT)
        for record in reversed(newest):
            if (last := self._last.get(record.job)) is None or last.at < begun:
                self._note_last(record)

    def midnight(self, now: float) -> float:
        """When the day of this instant began, Unix seconds."""
        begin = self.local(now).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return begin.timestamp()

    def _turn(self, instant: float) -> None:
        """Another day has had nothing yet."""
        day = self.local(instant).date()
        if day != self._day:
            self._day, self._today = day, dict.fromkeys(Outcome, 0)

    def _note_last(self, record: Record) -> None:
        if record.outcome is None or not record.outcome.ran or record.ended_at is None:
            return
        self._last[record.job] = LastRun(
            id=record.id, outcome=record.outcome, at=record.ended_at, duration=record.duration
        )


async def recall(past: EndedRuns, store: Store, begun: float) -> None:
    """Have `past` know what the store knows from before an instant: of that day, of failures, and of
    each job's newest run.

    Some questions, once, beside all else: no start waits for them. If the store has no answer, that
    costs people a look at the past only.
    """
    try:
        told = await store.statistics(since=past.midnight(begun), until=begun)
        failures = [
            record
            for outcome in FAILURES
            for record in await store.history(outcome=outcome, until=begun, limit=FAILURES_KEPT)
        ]
        newest = await store.history(until=begun, limit=LAST_OF)
    except LedgerError as error:
        structlog.get_logger().warning("what was before this start is not known", error=str(error))
        return
    failures.sort(key=lambda each: (each.ended_at or each.released_at, each.id), reverse=True)
    today = dict.fromkeys(Outcome, 0)
    for job in told.jobs.values():
        for outcome, count in job.by_outcome.items():
            today[outcome] += count
    past.before(begun, today=today, failures=failures, newest=newest)
