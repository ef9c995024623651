"""From jobs, and what was learned of them, to the timetable in force."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Protocol

from muxd.errors import InternalError
from muxd.slotting import Demand, Timetable, solve
from muxd.slotting.demand import DEFAULT_SPREAD
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from muxd.abc import Learned, Slotter
    from muxd.job import Job

__all__ = ["check", "demand_of", "demands_of", "make_timetable", "slot_with", "too_much"]


class Slot(Protocol):
    """Makes a timetable; see `muxd.abc.Slotter.solve`."""

    def __call__(
        self, demands: Sequence[Demand], *, fixed: Mapping[str, int], headroom: float
    ) -> Timetable:
        """A timetable for the demands."""


ENOUGH_RUNS = 5
"""How many good runs make a learned duration better than the declared one."""


WIDEST_SPREAD = 3.0
"""A wider spread of durations says that the runs are of several kinds; it isn't believed."""


SOLVE_BOUND = 60.0
"""How long a plugin's slotter may take, seconds. muxd's own takes a few for thousands of jobs."""


def demand_of(job: Job, learned: Learned | None = None) -> Demand:
    """What the job asks of the timetable.

    Its duration is the 95th percentile of its good runs once there are `ENOUGH_RUNS`, before
    that the declared one; in whole seconds, rounded up. Its spread is the learned one, once it is
    known. No good run is longer than the job's timeout: what seems so had the machine asleep, or
    its clock set, in its middle.
    """
    duration, spread = job.duration, DEFAULT_SPREAD
    if learned is not None and learned.runs >= ENOUGH_RUNS:
        duration = min(learned.p95, job.timeout)
        if learned.spread is not None and duration > 0:
            # Relative to what is reserved: the tail is in it already, and must not count twice.
            spread = min(learned.spread, WIDEST_SPREAD) * min(learned.p50, duration) / duration
    return Demand(
        name=job.name,
        interval=job.interval,
        duration=max(1, math.ceil(duration)),
        priority=job.priority,
        preferred_phase=job.preferred_phase,
        pinned=job.pinned,
        spread=spread,
    )


def demands_of(jobs: Iterable[Job], learned: Mapping[str, Learned]) -> list[Demand]:
    """What all jobs ask for, by name."""
    ordered = sorted(jobs, key=lambda job: job.name)
    return [demand_of(job, learned.get(job.name)) for job in ordered]


def make_timetable(
    jobs: Iterable[Job],
    *,
    learned: Mapping[str, Learned] | None = None,
    phases: Mapping[str, tuple[int, int]] | None = None,
    headroom: float = 0.5,
    slot: Slot = solve,
) -> Timetable:
    """The timetable for these jobs.

    Args:
      jobs: in any order.
      learned: what the ledger knows of their durations, by name.
      phases: (interval, phase) in force by name: a job that still has its interval is moved only
        where it must be.
      headroom: the share of the best gap that preferred phases may not use up, 0 to 1.
      slot: makes it; by default muxd's own solver.
    """
    demands = demands_of(jobs, learned or {})
    intervals = {demand.name: demand.interval for demand in demands}
    fixed = {
        name: phase
        for name, (interval, phase) in (phases or {}).items()
        if intervals.get(name) == interval
    }
    return slot(demands, fixed=fixed, headroom=headroom)


def slot_with(
    slotters: Iterable[tuple[str, Slotter]],
    failed: Callable[[str, BaseException], object],
    *,
    bound: float = SOLVE_BOUND,
) -> Slot:
    """A function that has the first slotter make a timetable that keeps its first law.

    Args:
      slotters: each with its plugin's name, best first.
      failed: is told of each plugin whose slotter raised, broke the law or took too long, and how.
      bound: how long each may take, real seconds; but for the last one, as nobody could take its
        place. What takes longer is left to itself, in a thread of its own.
    """
    offers = list(slotters)

    def slot(demands: Sequence[Demand], *, fixed: Mapping[str, int], headroom: float) -> Timetable:
        while offers:
            plugin, slotter = offers[0]

            def attempt(slotter: Slotter = slotter) -> Timetable:
                table = slotter.solve(demands, fixed=fixed, headroom=headroom)
                check(table, demands)
                return table

            answer = _Answer(attempt)
            if len(offers) == 1:
                answer.find()
            else:
                answer.find_within(bound)
            if (table := answer.table) is not None:
                return table
            del offers[0]
            failed(plugin, answer.error)
        raise InternalError("no slotter made a timetable that can be used")

    return slot


class _Answer:
    """What became of a call of a plugin's slotter: a timetable, or an error of whatever kind."""

    def __init__(self, attempt: Callable[[], Timetable]) -> None:
        self._attempt = attempt
        self.table: Timetable | None = None
        self.error: BaseException = TimeoutError("its slotter never answered")

    def find(self) -> None:
        """Call it here. What it raises is its error: also an exit, which would end muxd."""
        main = threading.current_thread() is threading.main_thread()
        try:
            self.table = self._attempt()
        except BaseException as error:
            if main and isinstance(error, KeyboardInterrupt):
                raise  # Ctrl-C
            self.error = error

    def find_within(self, bound: float) -> None:
        """Call it in a thread, as nothing else can be left alone, and wait so many seconds."""
        self.error = TimeoutError(f"its slotter took longer than {format_duration(bound)}")
        thread = threading.Thread(target=self.find, name="muxd slotter", daemon=True)
        thread.start()
        thread.join(bound)


def check(table: Timetable, demands: Sequence[Demand]) -> None:
    """Refuse a timetable that isn't one for these demands.

    Raises:
      ValueError: a slot is missing, too many, or not what its job asks for; a pin is broken; or
        its certificate, made by code that shares nothing with any solver, says that slots collide
        and its warnings don't.
    """
    slots = table.slots
    if [slot.name for slot in slots] != [demand.name for demand in demands]:
        raise ValueError("its timetable has other slots than there are jobs")
    for slot, demand in zip(slots, demands, strict=True):
        if (slot.interval, slot.duration) != (demand.interval, demand.duration):
            raise ValueError(f"job {slot.name!r} has another interval or duration than it asks for")
        if not 0 <= slot.phase < slot.interval:
            raise ValueError(f"job {slot.name!r} has phase {slot.phase}, outside its interval")
        if demand.pinned and slot.phase != demand.wish:
            raise ValueError(f"job {slot.name!r} is pinned to {demand.wish} and not there")
    certificate = table.certificate
    if not certificate.valid and not table.warnings:
        pairs = ", ".join(f"{a} and {b}" for a, b in certificate.collisions[:3])
        raise ValueError(f"its timetable does not hold what it says: {pairs or 'a job'} collide")


def too_much(demands: Iterable[Demand], limit: float) -> str | None:
    """Why jobs ask for more of the browser than the limit, and whom to slow down."""
    shares = sorted(((d.duration / d.interval, d.name) for d in demands), reverse=True)
    total = math.fsum(share for share, _ in shares)
    if total <= limit:
        return None
    worst = ", ".join(f"{name} ({share:.0%})" for share, name in shares[:5])
    return (
        f"the jobs ask for {total:.0%} of the browser's time, more than the limit of "
        f"{limit:.0%}: slow down {worst}, or raise [slotting] max_utilisation"
    )
