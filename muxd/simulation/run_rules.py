"""What must hold of runs, seen from the events: one at a time, in order, in their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs
import trio

from muxd.channel import DEFAULT_OVERTAKES
from muxd.events import BrowserUp, Event, RunEnded, RunReleased, RunStarted
from muxd.job import Misfire, Overlap
from muxd.misfire import MOST_CATCH_UPS
from muxd.record import Outcome
from muxd.release import Cause
from muxd.scheduler import KEPT, ON_TIME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.job import Job
    from muxd.record import Record
    from muxd.simulation.life import Life
    from muxd.simulation.rules import Notes

__all__ = ["RunRules"]

FREE_WITHIN = 10.0
"""How long after a deadline the browser may still be held, seconds."""
LEDGER_BOUND = 10.0
"""How long a slow ledger may hold up one write, seconds."""
ROUNDING = 0.01
"""Seconds that don't matter."""
BAD = frozenset({Outcome.failed, Outcome.timed_out, Outcome.crashed, Outcome.empty})
AT_MOST = {Misfire.skip: 0, Misfire.run_once: 1, Misfire.all: MOST_CATCH_UPS}
"""How many releases of one job may be owed when one is caught up with."""
INTO_GAPS = (Cause.catch_up, Cause.retry, Cause.in_gap)


@attrs.define
class _Waiting:
    """A run that was released and has not started."""

    record: Record
    number: int
    """In the order of release."""
    overtaken: int = 0
    """How many later ones have started."""


@attrs.frozen
class _Owed:
    """An overdue release that is to be caught up with."""

    record: Record
    job: Job
    owed_at: float
    """Since when it is owed, seconds since the beginning."""
    alone: bool
    """True: the job has been waiting for it alone, not for those before it that were missed."""


@final
class RunRules:
    """Holds the events of one life to the rules. A new life gets new ones."""

    def __init__(self, notes: Notes, life: Life, jobs: Mapping[str, Job]) -> None:
        """Nothing has happened in this life yet."""
        self._notes, self._life, self._world, self._jobs = notes, life, life.world, jobs
        self._began = 0.0
        self._released = 0
        # {run id: it}, oldest first
        self._waiting: dict[str, _Waiting] = {}
        # {job name: ids of its runs that wait}
        self._waiting_of: dict[str, set[str]] = {}
        self._running: Record | None = None
        self._deadline = 0.0  # in trio's time
        # {run id: it}
        self._owed: dict[str, _Owed] = {}
        # {(job name, when that was found): the first release of those that were missed together}
        self._missed: dict[tuple[str, float, float], float] = {}
        # ids of what is being caught up with
        self._catching: set[str] = set()
        # when the last of them ended, or any began to be owed; seconds since the beginning
        self._idle_since = 0.0
        # {job name: when a release of it was found to be overdue, seconds since the beginning}
        self._sorted_out: dict[str, float] = {}
        # {job name: when its last run ended, seconds since the beginning}
        self._ended: dict[str, float] = {}
        # {job name: its newest release by its slot, Unix seconds}
        self._slots: dict[str, float] = {}
        self._steps = len(self._world.steps_back)
        self._slept = self._world.slept

    def began(self) -> None:
        """The scheduler begins, with what another one owed."""
        self._began = self._world.at
        for record in self._life.core.book.inherited:
            if record.job in self._jobs:
                self.owes(record)

    @property
    def busy(self) -> tuple[str, ...]:
        """The jobs with runs that wait or are in progress."""
        running = (self._running.job,) if self._running else ()
        return (*running, *(w.record.job for w in self._waiting.values()))

    def heard(self, event: Event) -> None:
        """Something happens."""
        match event:
            case RunReleased(record=record):
                self._on_release(record)
            case RunStarted(record=record):
                self._on_start(record)
            case RunEnded(record=record):
                self._on_end(record)
            case BrowserUp():
                world = self._world
                self._notes.holds("one browser", world.browsers == 1, f"{world.browsers} are up")

    def owes(self, record: Record) -> None:
        """A release is to be caught up with."""
        job, found = self._jobs[record.job], self._world.stamps[record.id]
        alone = job.misfire is Misfire.all or found.life != self._world.life
        self._sorted_out[record.job] = self._world.at
        self._owed[record.id] = _Owed(record, job, max(found.at, self._began), alone)

    def freed(self) -> None:
        """The browser's page was closed."""
        if self._running is None:
            return
        late = trio.current_time() - self._deadline
        self._notes.holds(
            "deadline",
            late <= FREE_WITHIN + ROUNDING,
            f"run {self._running.id} of {self._running.job} held it {late:.2f} s longer",
        )

    def stopped(self) -> None:
        """The daemon has stopped in order."""
        self._notes.holds("nothing left", not self.busy, f"of {self.busy} there are runs")

    # Released

    def _on_release(self, record: Record) -> None:
        notes, job, now = self._notes, self._jobs[record.job], self._world.real_now()
        stamp = self._world.stamps[record.id]
        slow = self._world.at < self._world.ledger_slow_until + LEDGER_BOUND
        held_up = KEPT + 2 * LEDGER_BOUND if slow else 0.0
        # A release is judged when it comes due. Then a slow ledger may hold up the scheduler, and
        # the clock may jump while the releases before it are recorded.
        judged_from = stamp.at - held_up - ROUNDING
        sorted_out = self._sorted_out.get(record.job, -1.0) >= judged_from
        back_at = self._world.steps_back[-1][0] if self._world.steps_back else -1.0
        notes.holds(
            "not early",
            record.released_at <= max(now, stamp.wall) + ROUNDING
            or (sorted_out and back_at >= judged_from),
            f"run {record.id} of {record.job} is released {record.released_at - now:.3f} s early",
        )
        if record.cause is Cause.slot:
            late = stamp.wall - record.released_at
            notes.holds(
                "on time",
                late <= ON_TIME + held_up + ROUNDING
                or (sorted_out and self._world.jumped_at >= judged_from),
                f"run {record.id} of {record.job} is released as usual, {late:.3f} s late",
            )
            self._slots[record.job] = record.released_at
        if record.cause is not Cause.manual:
            self._check_overlap(record, job)
        if record.cause in INTO_GAPS:
            # A further try gets its id, and its record is written, when its gap has come.
            self._check_gap(record, job, stamp.wall if record.cause is Cause.retry else now)
        if record.cause is Cause.catch_up:
            self._check_turn(record, job, now)
        self._released += 1
        self._waiting[record.id] = _Waiting(record, self._released)
        self._waiting_of.setdefault(record.job, set()).add(record.id)

    def _check_overlap(self, record: Record, job: Job) -> None:
        runs = self._running is not None and self._running.job == job.name
        waits = self._waiting_of.get(job.name)
        allowed = not waits and (not runs or job.overlap is Overlap.queue_one)
        self._notes.holds(
            "overlap",
            allowed,
            f"run {record.id} of {job.name} ({job.overlap}) is released while one "
            f"{'waits' if waits else 'is in progress'}",
        )

    def _check_gap(self, record: Record, job: Job, now: float) -> None:
        core = self._life.core
        table, scheduler = core.planner.timetable, core.scheduler
        if scheduler is None:
            return
        own = next((slot for slot in table.slots if slot.name == job.name), None)
        if own is None:
            return
        for slot in table.slots:
            last = self._slots.get(slot.name)
            if slot is own or last is None:
                continue
            inside = last <= now < last + slot.duration - ROUNDING
            self._notes.holds(
                "gap",
                not inside,
                f"run {record.id} of {job.name} ({record.cause}) is released in the slot of "
                f"{slot.name} at {last:.0f}, at {now:.3f}",
            )
        for at, name in scheduler.upcoming(len(table.slots)):
            if at >= now + own.duration - ON_TIME - ROUNDING:
                break
            if name != job.name and at > now - ON_TIME:
                self._notes.breaks(
                    "gap",
                    f"run {record.id} of {job.name} ({record.cause}), {own.duration} s long, is "
                    f"released {at - now:.3f} s before the release of {name}",
                )

    def _check_turn(self, record: Record, job: Job, now: float) -> None:
        notes = self._notes
        notes.holds(
            "no burst",
            not self._catching,
            f"run {record.id} of {record.job} is released while {self._catching} are caught up with",
        )
        count = sum(owed.job.name == job.name for owed in self._owed.values())
        notes.holds(
            "misfire",
            max(count, 1) <= AT_MOST[job.misfire],
            f"{count} releases of {job.name} ({job.misfire}) are to be caught up with",
        )
        owed = self._owed.pop(record.id, None)
        placed_from = self._idle_since
        if owed is not None:
            placed_from = max(placed_from, owed.owed_at)
            self._check_order(record, owed, placed_from, now)
        self._catching.add(record.id)

    def _check_order(self, record: Record, owed: _Owed, placed_from: float, now: float) -> None:
        """Of what was owed when it was given its gap, none was more overdue all the time since."""
        world = self._world
        if (self._steps, self._slept) != (len(world.steps_back), world.slept):
            self._steps, self._slept = len(world.steps_back), world.slept
            return
        then = now - (world.at - placed_from)
        for run_id, other in self._owed.items():
            if other.owed_at > placed_from or other.job.name == owed.job.name:
                continue
            if other.job.misfire is Misfire.all and self._busy_since(other.job.name, placed_from):
                continue
            mine, its = self._since(owed), self._since(other)
            ratios = [
                ((at - its) / other.job.interval, (at - mine) / owed.job.interval)
                for at in (then, now)
            ]
            if all(theirs > ours + 1e-9 for theirs, ours in ratios):
                self._notes.breaks(
                    "most overdue first",
                    f"run {record.id} of {record.job} before {run_id} of {other.job.name}, which "
                    f"is overdue by {ratios[1][0]:.3f} intervals, not {ratios[1][1]:.3f}",
                )

    def _busy_since(self, job: str, at: float) -> bool:
        """Whether a run of this job has waited or been in progress since then."""
        return job in self.busy or self._ended.get(job, -1.0) >= at

    def _since(self, owed: _Owed) -> float:
        """Since when its job has been waiting for a run, Unix seconds."""
        instant = owed.record.released_at
        if owed.alone:
            return instant
        stamp = self._world.stamps[owed.record.id]
        key = owed.job.name, stamp.at, stamp.wall
        return min(instant, self._missed.get(key, instant))

    # Started

    def _on_start(self, record: Record) -> None:
        notes = self._notes
        notes.holds(
            "one run",
            self._running is None,
            f"run {record.id} of {record.job} starts while "
            f"{self._running.id if self._running else None} is in progress",
        )
        waiting = self._waiting.pop(record.id, None)
        if waiting is None:
            notes.breaks("not early", f"run {record.id} of {record.job} was never released")
            return
        self._waiting_of[record.job].discard(record.id)
        for other in self._waiting.values():
            if other.number > waiting.number:
                break
            other.overtaken += 1
            notes.holds(
                "starvation",
                other.overtaken <= DEFAULT_OVERTAKES,
                f"run {other.record.id} of {other.record.job} is overtaken by {other.overtaken}",
            )
        stamp = self._world.stamps[record.id]
        assert record.started_at is not None
        if stamp.era == len(self._world.steps_back):
            notes.holds(
                "not early",
                record.started_at >= min(record.released_at, stamp.wall) - ROUNDING,
                f"run {record.id} of {record.job} starts "
                f"{record.released_at - record.started_at:.3f} s before its release",
            )
        self._running = record
        self._deadline = trio.current_time() + self._jobs[record.job].timeout

    # Ended

    def _on_end(self, record: Record) -> None:
        known = record.id in self._waiting or (
            self._running is not None and self._running.id == record.id
        )
        if self._running is not None and self._running.id == record.id:
            self._running = None
        if self._waiting.pop(record.id, None) is not None:
            self._waiting_of[record.job].discard(record.id)
        if known:
            self._ended[record.job] = self._world.at
        self._owed.pop(record.id, None)
        if record.id in self._catching:
            self._catching.discard(record.id)
            self._idle_since = self._world.at
        if record.outcome is Outcome.missed:
            self._sorted_out[record.job] = self._world.at
        if record.outcome is Outcome.missed and record.cause is Cause.slot:
            stamp = self._world.stamps[record.id]
            key = record.job, stamp.at, stamp.wall
            self._missed[key] = min(self._missed.get(key, record.released_at), record.released_at)
        self._check_outcome(record, known)

    def _check_outcome(self, record: Record, known: bool) -> None:
        notes, core, charged = self._notes, self._life.core, self._world.charged
        what = f"run {record.id} of {record.job} ended {record.outcome}: {record.error}"
        if record.outcome in BAD:
            notes.holds("honest", record.id in charged, f"{what}; nothing had befallen it")
        elif record.outcome is Outcome.interrupted:
            ours = self._world.stamps[record.id].life == self._world.life
            notes.holds("interrupted", not ours or core.phase == "draining", what)
        elif record.outcome is Outcome.cancelled:
            somebody = (record.error or "").startswith("cancelled by somebody")
            notes.holds("honest", somebody, f"{what}; nobody cancelled it")
        elif record.outcome is Outcome.coalesced:
            job = self._jobs[record.job]
            wanted = record.cause.asked_for or job.overlap is not Overlap.skip
            # It is decided when its id is made; the run may have ended while it was written.
            busy = self._busy_since(record.job, self._world.stamps[record.id].at)
            notes.holds("overlap", wanted and busy and not known, f"{what}; busy: {self.busy}")
        elif record.outcome is Outcome.missed and (record.error or "").startswith("its job is pau"):
            self._check_probe(record, what)

    def _check_probe(self, record: Record, what: str) -> None:
        pause = self._life.core.pauses.all.get(record.job)
        if pause is not None and pause.probe_at is not None:
            late = self._world.stamps[record.id].wall - pause.probe_at
            # What was overdue when the pause began, or was written late, counts by its own time.
            self._notes.holds("probes", late <= ROUNDING, f"{what}; its probe is {late:.0f} s late")
