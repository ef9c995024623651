"""What the daemon looks like from outside, for `muxd status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxd.record import utc_text

if TYPE_CHECKING:
    from muxd.daemon import Daemon
    from muxd.holding import Holding
    from muxd.recycling import Recycler
    from muxd.release import Release

__all__ = ["status_of"]

UPCOMING = 10
"""How many of the next releases are told."""


def status_of(daemon: Daemon) -> dict[str, Any]:
    """The daemon's state as one JSON object with stable keys; instants in ISO 8601 UTC."""
    core, book = daemon.core, daemon.book
    supervisor, timetable = core.supervisor, core.planner.timetable
    generation = supervisor.current
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
        "waiting": [_waiting(release) for release in core.waiting()],
        "upcoming": [
            {"job": job, "at": utc_text(at)}
            for at, job in (core.scheduler.upcoming(UPCOMING) if core.scheduler else ())
        ],
        "paused": [
            {
                "job": pause.job,
                "note": pause.note,
                "since": utc_text(pause.since),
                "probe_at": utc_text(pause.probe_at),
            }
            for pause in core.pauses.all.values()
        ],
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
            "utilisation": round(timetable.utilisation, 4),
            "warnings": list(timetable.warnings),
        },
        "plugins_left_out": {problem.plugin: str(problem) for problem in daemon.plugins.problems},
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
        "holding": sorted({release.job.name for release in holding.held}),
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
