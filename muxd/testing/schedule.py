"""``muxd_clock``: virtual time, in which a week of a job's schedule takes a moment.

What runs is muxd's own core: timetable, scheduler, runner, retries, records. The clock is imagined,
and so is the browser, as in `muxd simulate`.
"""

from __future__ import annotations

import threading
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs
import outcome
import trio

from muxd.builtin.slotter import SolvingSlotter
from muxd.civil import Calendar
from muxd.config import SlottingConfig
from muxd.errors import UserError
from muxd.hints import did_you_mean
from muxd.job import Job
from muxd.recycling import Limits
from muxd.simulation.bodies import Bodies
from muxd.simulation.faults import FaultRates
from muxd.simulation.leap import run_virtual
from muxd.simulation.life import Circumstances, Life
from muxd.simulation.world import World
from muxd.testing.clock import VirtualClock
from muxd.testing.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from muxd.abc import Slotter
    from muxd.record import Outcome, Record
    from muxd.running import Run

__all__ = ["MuxdClock", "Schedule"]

T = TypeVar("T")

DAY = 86_400.0
MONDAY = "2024-01-01"


@attrs.frozen
class Schedule:
    """What has happened, as records."""

    records: tuple[Record, ...]
    """All of them, ended or not, oldest release first."""
    zone: ZoneInfo
    """In which `times` are."""

    def of(self, job: Job | str, outcome: Outcome | str | None = None) -> tuple[Record, ...]:
        """Those of a job, with this outcome if one is given. Raises KeyError: it has none at all."""
        name = job if isinstance(job, str) else job.name
        known = {record.job for record in self.records}
        if name not in known:
            raise KeyError(f"there is no run of {name!r}; {did_you_mean(name, known)}")
        return tuple(
            record
            for record in self.records
            if record.job == name and outcome in (None, record.outcome)
        )

    def times(self, job: Job | str) -> tuple[datetime, ...]:
        """When a job was released, in local time."""
        return tuple(datetime.fromtimestamp(r.released_at, self.zone) for r in self.of(job))


@attrs.frozen
class _Declared:
    """Jobs without plugins, for the planner."""

    jobs: tuple[Job, ...]

    def slotters(self) -> Sequence[tuple[str, Slotter]]:
        return (("muxd.slotter", SolvingSlotter()),)

    def leave_out(self, plugin: str, hook: str, cause: BaseException) -> Exception:
        return RuntimeError(f"{plugin} ({hook}): {cause}")


@final
class MuxdClock:
    """Plays jobs through in virtual time: what the fixture ``muxd_clock`` gives."""

    def run(
        self,
        *jobs: Job,
        days: float = 7.0,
        start: str = MONDAY,
        timezone: str = "UTC",
        bodies: Mapping[str, Callable[[Run], Awaitable[Any]]] | None = None,
        seed: int = 0,
    ) -> Schedule:
        """What a daemon with these jobs does in so many days.

        Args:
          *jobs: which. Their bodies are not run: a run takes about as long as its job declares.
          days: how many; parts of one, too.
          start: the day on which it begins, at midnight: ``"2024-03-31"``, or an instant of it:
            ``"2024-03-31 01:30"``.
          timezone: where.
          bodies: by name of the job, what to run instead of waiting. There is no page: a body
            here sleeps (``await trio.sleep(90)`` takes no time), raises, returns.
          seed: of all chance.

        Raises:
          ValueError: what was given is not possible.
          UserError: the jobs ask for more of the browser's time than is allowed.
        """
        if not jobs:
            raise ValueError("give at least one job")
        if strange := [job for job in jobs if not isinstance(job, Job)]:
            raise ValueError(f"{strange[0]!r:.100} is no job: give what @muxd.job made")
        names = [job.name for job in jobs]
        for name in bodies or {}:
            if name not in names:
                raise ValueError(f"bodies: there is no job {name!r}; {did_you_mean(name, names)}")
        if not 0 < days <= 3660:
            raise ValueError(f"days={days!r} is not possible: give more than 0, at most 3660")
        try:
            zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"there is no time zone {timezone!r}: 'Europe/Berlin' is one"
            ) from None
        try:
            began = datetime.fromisoformat(start)
        except ValueError:
            began = None
        if began is None or began.tzinfo is not None:
            raise ValueError(
                f"start={start!r} is not possible: give a day, '2024-03-31', or a local time of it, "
                "'2024-03-31 01:30'"
            )
        play = partial(
            _play,
            jobs,
            zone,
            began.replace(tzinfo=zone).timestamp(),
            days * DAY,
            bodies or {},
            seed,
        )
        records = _outside_of_trio(partial(run_virtual, play, seed=seed))
        return Schedule(records, zone)


async def _play(
    jobs: Sequence[Job],
    zone: ZoneInfo,
    start: float,
    seconds: float,
    own: Mapping[str, Callable[[Run], Awaitable[Any]]],
    seed: int,
) -> tuple[Record, ...]:
    clock = VirtualClock(start)
    world = World(clock, FaultRates(), seed=seed)
    world.life = 1
    lives: list[Life] = []
    imagined = Bodies(world, {}, lambda: lives[0].pages)
    there = tuple(
        job.replace(body=own[job.name]) if job.name in own else imagined.instead_of(job)
        for job in jobs
    )
    circumstances = Circumstances(
        plugins=_Declared(there),
        calendar=Calendar(zone),
        slotting=SlottingConfig(),
        learned={},
        limits=Limits(),
        growth=0.0,
    )
    store = MemoryStore()
    life = Life(world, store, circumstances, tap=_unheard, written=_unheard)
    lives.append(life)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(life.live)
            await trio.sleep(seconds)
            life.stop(at_once=False)
    except* UserError:  # which is its cause
        pass
    if life.cause is not None:
        raise life.cause
    found = (record for record in store.records.values() if record.released_at < start + seconds)
    return tuple(sorted(found, key=lambda record: (record.released_at, record.id)))


def _unheard(_life: Life, _told: object) -> None:
    """Nobody listens."""


def _outside_of_trio(call: Callable[[], T]) -> T:
    """Call it where no trio is running: one can't begin inside another."""
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return call()
    found: list[outcome.Outcome[T]] = []
    thread = threading.Thread(target=lambda: found.append(outcome.capture(call)))
    thread.start()
    thread.join()
    return found[0].unwrap()
