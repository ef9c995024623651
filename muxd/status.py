"""What the daemon looks like from outside, for `muxd status`.

All of it is in memory, and no answer grows with the number of jobs: lists are cut, and told how long
they are.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Any

from muxd.record import utc_text

if TYPE_CHECKING:
    from muxd.daemon import Daemon
    from muxd.holding import Holding
    from muxd.recycling import Recycler
    from muxd.release import Release
    from muxd.slotting import Slot

__all__ = ["jobs_of", "status_of"]

SHOWN = 100
"""How many of what waits, is held or is paused are told."""


def status_of(daemon: Daemon, *, upcoming: int) -> dict[str, Any]:
    """The daemon's state as one JSON object with stable keys; instants in ISO 8601 UTC.

    Args:
      daemon: whose.
      upcoming: how many of the next releases are told, 0 or more.
    """
    core, book = daemon.core, daemon.book
    supervisor, timetable = core.supervisor, core.planner.timetable
    generation, waiting = supervisor.current, core.waiting()
    return {
        "pid": daemon.pid,
        "restarts": daemon.pulse.link.restarts if daemon.pulse else None,
        "state": core.phase,
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
            "memory": core.recycler.memory if generation and core.recycler else None,
            "recycling": _recycling(core.recycler) if core.recycler else None,
        },
        "resources": _resources(core.holding) if core.holding else None,
        "running": book.running.as_dict() if book.running else None,
        "waiting": [_waiting(release) for release in waiting[:SHOWN]],
        "waiting_total": len(waiting),
        "upcoming": [
            {"job": job, "at": utc_text(at)}
            for at, job in (core.scheduler.upcoming(upcoming) if core.scheduler else ())
        ],
        "paused": [
            {
                "job": pause.job,
                "note": pause.note,
                "since": utc_text(pause.since),
                "probe_at": utc_text(pause.probe_at),
            }
            for pause in islice(core.pauses.all.values(), SHOWN)
        ],
        "paused_total": len(core.pauses.all),
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
    }


def jobs_of(daemon: Daemon, *, after: str, limit: int) -> dict[str, Any]:
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


def _job(daemon: Daemon, slot: Slot) -> dict[str, Any]:
    scheduler, pause = daemon.core.scheduler, daemon.core.pauses.all.get(slot.name)
    job = scheduler.jobs.get(slot.name) if scheduler else None
    return {
        "name": slot.name,
        "plugin": job.plugin if job else None,
        "interval": slot.interval,
        "phase": slot.phase,
        "duration": slot.duration,
        "priority": slot.priority,
        "next_at": utc_text(scheduler.next_release_of(slot.name)) if scheduler else None,
        "paused": pause.note if pause else None,
    }


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
