"""What the daemon looks like from outside, for `muxd status`.

All of it is in memory, and no answer grows with the number of jobs: lists are cut, and told how long
they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Any

from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from muxd.core import Core
    from muxd.holding import Holding
    from muxd.lookout import Lookout
    from muxd.pause import Pause
    from muxd.record import Record
    from muxd.recycling import Recycler
    from muxd.release import Release
    from muxd.slotting import Slot

__all__ = ["jobs_of", "status_of"]

SHOWN = 100
"""How many of what waits, is held or is paused are told."""
ERROR_LENGTH = 300
"""How much of the error of a failure is told, characters."""


def status_of(daemon: Lookout, *, upcoming: int) -> dict[str, Any]:
    """The daemon's state as one JSON object with stable keys; instants in ISO 8601 UTC.

    Args:
      daemon: whose.
      upcoming: how many of the next releases are told, 0 or more.
    """
    core, book = daemon.core, daemon.book
    supervisor, timetable = core.supervisor, core.planner.timetable
    generation, waiting = supervisor.current, core.waiting()
    now = core.now()
    return {
        "pid": daemon.pid,
        "restarts": daemon.pulse.link.restarts if daemon.pulse else None,
        "state": core.phase,
        "now": utc_text(now),
        "timetable_now": utc_text(core.clock.now() if core.clock else None),
        "started_at": utc_text(core.started_at),
        "speed": daemon.speed,
        "timezone": str(daemon.zone),
        "state_dir": str(daemon.state.root),
        "browser": {
            "up": generation is not None,
            "generation": supervisor.launched,
            "pid": generation.pid if generation else None,
            "version": generation.version if generation else None,
            "up_since": utc_text(supervisor.up_since),
            "last_loss": supervisor.last_loss or None,
            "now": supervisor.now,
            "most_at_once": supervisor.most_at_once,
            "recycled": supervisor.recycled,
            "runs": core.worker.runs if generation else None,
            "pages": generation.pages if generation else None,
            "memory": core.recycler.memory if generation and core.recycler else None,
            "recycling": _recycling(core.recycler) if core.recycler else None,
        },
        "resources": _resources(core.holding) if core.holding else None,
        "running": _running(core, book.running) if book.running else None,
        "waiting": _queue(core, waiting[:SHOWN]),
        "waiting_total": len(waiting),
        "upcoming": [
            {"job": job, "at": utc_text(at)}
            for at, job in (core.scheduler.upcoming(upcoming) if core.scheduler else ())
        ],
        "paused": [_pause(pause) for pause in islice(core.pauses.all.values(), SHOWN)],
        "paused_total": len(core.pauses.all),
        "paused_whole": _pause(core.pauses.whole) if core.pauses.whole else None,
        "drained": _pause(core.pauses.drain) if core.pauses.drain else None,
        "restart_at": utc_text(daemon.restarts_at),
        "skipped": [_pause(skip) for skip in islice(core.pauses.skips.values(), SHOWN)],
        "today": {outcome.value: count for outcome, count in book.past.today(now).items() if count},
        "failures": [_failure(record) for record in book.past.failures],
        "runs": {
            "by_outcome": {outcome.value: count for outcome, count in book.counts.items() if count},
            "now": book.now,
            "most_at_once": book.most_at_once,
        },
        "ledger": {
            "warnings": list(book.store.warnings),
            "unwritten": len(book.unwritten),
        },
        "timetable": {
            "jobs": len(timetable.slots),
            "feasible": timetable.feasible,
            "min_gap": timetable.min_gap,
            "collisions": len(timetable.collisions),
            "more_collisions": timetable.certificate.more,
            "utilisation": round(timetable.utilisation, 4),
            "warnings": list(timetable.warnings),
        },
        "web": {"url": daemon.web.url, "problem": daemon.web.problem},
        "plugins_left_out": {problem.plugin: str(problem) for problem in daemon.plugins.problems},
        "warnings": list(_warnings(daemon)),
    }


def jobs_of(daemon: Lookout, *, after: str, limit: int) -> dict[str, Any]:
    """A page of the jobs, by name, as one JSON object with stable keys.

    Args:
      daemon: whose.
      after: the name that the page begins after; ``""``: it is the first.
      limit: how many jobs are on the page, 1 or more.
    """
    slots = daemon.core.planner.timetable.slots
    first = bisect_right(slots, after, key=lambda slot: slot.name)
    page = slots[first : first + limit]
    more = first + limit < len(slots)
    return {
        "jobs": [_job(daemon, slot) for slot in page],
        "total": len(slots),
        "timezone": str(daemon.zone),
        "next": page[-1].name if more else None,
    }


def _job(daemon: Lookout, slot: Slot) -> dict[str, Any]:
    scheduler, pause = daemon.core.scheduler, daemon.core.pauses.all.get(slot.name)
    job = scheduler.jobs.get(slot.name) if scheduler else None
    last = daemon.book.past.last_of(slot.name)
    return {
        "name": slot.name,
        "plugin": job.plugin if job else None,
        "interval": slot.interval,
        "phase": slot.phase,
        "duration": slot.duration,
        "priority": slot.priority,
        "next_at": utc_text(scheduler.next_release_of(slot.name)) if scheduler else None,
        "paused": pause.note if pause else None,
        "last": last.as_dict() if last else None,
    }


def _running(core: Core, record: Record) -> dict[str, Any]:
    """The record, with how long it usually takes, when it will be ended, and how far it says it is."""
    reached = core.workplace.progress_of(record.id) if core.workplace else None
    job = core.scheduler.jobs.get(record.job) if core.scheduler else None
    slot = _slot_of(core, record.job)
    began = record.started_at
    return record.as_dict() | {
        "expected": slot.duration if slot else job.duration if job else None,
        "deadline": utc_text(began + job.timeout) if job and began is not None else None,
        "progress": reached.as_dict() if reached else None,
    }


def _slot_of(core: Core, job: str) -> Slot | None:
    slots = core.planner.timetable.slots
    at = bisect_left(slots, job, key=lambda slot: slot.name)
    return slots[at] if at < len(slots) and slots[at].name == job else None


def _queue(core: Core, waiting: Sequence[Release]) -> list[dict[str, Any]]:
    """What waits, in the order in which it would run now, each with the reason why it does."""
    held = {release.id for release in core.holding.held} if core.holding else set()
    running, before, told = core.book.running, 0, []
    for release in waiting:
        if release.id in held and core.holding and core.holding.shortage:
            reason = f"held: {core.holding.shortage}"
        elif core.supervisor.current is None:
            reason = "there is no browser"
        elif running is not None and not before:
            reason = f"{running.job} is running"
        elif before:
            reason = f"{before} before it"
        else:
            reason = "next"
        before += release.id not in held
        told.append(_waiting(release) | {"held": release.id in held, "reason": reason})
    return told


def _pause(pause: Pause) -> dict[str, Any]:
    return {
        "job": pause.job,
        "note": pause.note,
        "since": utc_text(pause.since),
        "probe_at": utc_text(pause.probe_at),
    }


def _failure(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "job": record.job,
        "outcome": record.outcome,
        "ended_at": utc_text(record.ended_at),
        "error_type": record.error_type,
        "error": record.error and record.error[:ERROR_LENGTH],
    }


def _warnings(daemon: Lookout) -> Iterator[str]:
    """What people should know of, and do something about."""
    core, book = daemon.core, daemon.book
    if core.holding and core.holding.shortage:
        held = _resources(core.holding)["holding"]
        names = ", ".join(held[:5]) + (", ..." if len(held) > 5 else "")
        yield f"{core.holding.shortage}; held: {names or 'nothing'}"
    if book.unwritten:
        count = len(book.unwritten)
        yield f"the ledger can't be written: {count} records are in memory only"
    yield from book.store.warnings
    yield from daemon.memory.warnings
    yield from core.planner.timetable.warnings
    if daemon.web.problem:
        yield daemon.web.problem
    for problem in (*daemon.plugins.problems, *core.wrappers.problems):
        yield str(problem)


def _recycling(recycler: Recycler) -> dict[str, Any] | None:
    if recycler.ripe is None:
        return None
    return {"reason": recycler.ripe.reason, "at": utc_text(recycler.next_at)}


def _resources(holding: Holding) -> dict[str, Any]:
    """What was left when it was looked last, before a run; sizes in bytes."""
    free, floors, disk = holding.free, holding.floors, holding.free and holding.free.disk
    return {
        "memory_free": free.memory if free else None,
        "memory_floor": floors.memory,
        "disk_free": disk.size if disk else None,
        "disk_floor": floors.disk,
        "looked_at": utc_text(holding.looked_at),
        "short": str(holding.shortage) if holding.shortage else None,
        "holding": sorted({release.job.name for release in holding.held})[:SHOWN],
    }


def _waiting(release: Release) -> dict[str, Any]:
    return {
        "id": release.id,
        "job": release.job.name,
        "priority": release.priority,
        "cause": release.cause.value,
        "attempt": release.attempt,
        "released_at": utc_text(release.released_at),
    }
