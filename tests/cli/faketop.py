"""A daemon for `muxd top` that does what it is told: what a client of the real one says, from memory."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from muxd.errors import DaemonNotRunning, UserError

NOON = 1_704_110_400.0  # 2024-01-01T12:00:00Z


def at(seconds):
    """So many seconds after noon."""
    return datetime.fromtimestamp(NOON + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def a_job(name, every=3600, due=600.0, **fields):
    last = {"id": f"01last{name}", "outcome": "ok", "ended_at": at(-90), "duration": 12.5}
    return {
        "name": name,
        "plugin": "shop",
        "interval": every,
        "phase": 60,
        "duration": 15,
        "priority": 50,
        "next_at": at(due),
        "paused": None,
        "last": last,
    } | fields


class FakeDaemon:
    """What `ControlClient` is asked for, and what becomes of it."""

    def __init__(self, *jobs):
        self.all = {job["name"]: job for job in jobs}
        self.asked = []
        self.gone = False
        self.refuses = False
        self.looked = 0
        self.lock = threading.Lock()
        self.now = 0.0
        self.changes = {}

    def status(self, *, upcoming=10):
        self._there()
        self.looked += 1
        told = {
            "pid": 7,
            "now": at(self.now),
            "restarts": 0,
            "state": "running",
            "started_at": at(-7200),
            "speed": 1.0,
            "timezone": "UTC",
            "state_dir": "st",
            "browser": {
                "up": True,
                "generation": 3,
                "pid": 11,
                "version": "156.0.7632.5",
                "up_since": at(-3600),
                "last_loss": None,
                "runs": 214,
                "memory": 412_000_000,
                "pages": 2,
                "recycling": None,
            },
            "running": None,
            "waiting": [],
            "waiting_total": 0,
            "upcoming": [],
            "paused": [],
            "paused_total": 0,
            "paused_whole": None,
            "drained": None,
            "skipped": [],
            "today": {"ok": 134, "failed": 2, "missed": 1},
            "failures": [],
            "runs": {"by_outcome": {"ok": 134}, "now": 0, "most_at_once": 1},
            "timetable": {
                "jobs": len(self.all),
                "feasible": True,
                "min_gap": 30,
                "collisions": 0,
                "utilisation": 0.34,
                "warnings": [],
            },
            "plugins_left_out": {},
            "warnings": [],
        }
        return told | self.changes

    def jobs(self, *, after="", limit=100):
        self._there()
        names = sorted(name for name in self.all if name > after)
        page = names[:limit]
        following = page[-1] if len(names) > limit else None
        return {
            "jobs": [self.all[name] for name in page],
            "total": len(self.all),
            "timezone": "UTC",
            "next": following,
        }

    def run(self, job, *, wait):
        return self._asked("run", job)

    def pause(self, job, *, note, seconds):
        self._asked("pause", job)
        self.all[job] = self.all[job] | {"paused": note}

    def resume(self, job):
        self._asked("resume", job)
        self.all[job] = self.all[job] | {"paused": None}
        return [job]

    def cancel(self, run):
        return self._asked("cancel", run)

    def _asked(self, *what):
        self._there()
        if self.refuses:
            raise UserError("muxd is stopping: [b]no[/b] new run is taken")
        self.asked.append(what)
        return {}

    def _there(self):
        if self.gone:
            raise DaemonNotRunning("st")
