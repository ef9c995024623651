"""A daemon that only tells: whatever a test wants pages to be made of."""

from __future__ import annotations

import contextlib
import functools
import random
from datetime import datetime
from zoneinfo import ZoneInfo

from muxd.abc import Controlled
from muxd.bus import Bus, Events
from muxd.record import Outcome, Record, utc_text
from muxd.release import Cause
from muxd.slotting import Demand, Slot, Timetable, solve
from muxd.testing import MemoryStore

ZONE = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 2, 14, 37, 12, tzinfo=ZONE).timestamp()
"""What time it is."""
SIXTEEN = {
    "plan": (60, 45), "reply": (60, 30), "learn": (60, 35), "data_collection": (60, 50),
    "news_scraping": (60, 55), "analytics": (30, 25), "velocity_tracker": (30, 40),
    "sync_follower": (30, 38), "enhanced_metrics": (30, 28), "metrics_scraper": (10, 18),
    "posting_queue": (5, 20), "attribution": (120, 40), "real_outcomes": (120, 45),
    "inbox": (15, 22), "session_check": (20, 15), "trends": (120, 42),
}  # fmt: skip
ERRORS = {
    Outcome.failed: (
        "playwright._impl._errors.Error",
        "net::ERR_NAME_NOT_RESOLVED at https://example.test/feed",
    ),
    Outcome.timed_out: ("muxd.errors.DeadlineExceeded", "it ran longer than its timeout, 1m30s"),
    Outcome.crashed: ("muxd.errors.BrowserLost", "the browser (process 4242) died"),
}


@functools.cache
def _solved(jobs):
    demands = [
        Demand(name=name, interval=60 * minutes, duration=seconds)
        for name, (minutes, seconds) in sorted(jobs)
    ]
    return solve(demands, fixed={}, headroom=0.5)


def many(count):
    """A timetable of so many jobs, made without a solver."""
    minutes = (30, 60, 60, 120, 120, 240, 720)
    slots = []
    for n in range(count):
        interval = 60 * minutes[n % len(minutes)] * max(1, count // 150)
        slots.append(
            Slot(name=f"feed-{n:05d}", interval=interval, phase=31 * n % interval, duration=5)
        )
    return Timetable(slots=tuple(slots))


class Pretend(Controlled):
    """What it tells can be changed at will: `told` is laid over its status."""

    grace, folder = 30.0, None

    def __init__(self, jobs=SIXTEEN, *, now=NOON, hours=15, trouble=0.04, seed=1):
        self.now, self.told, self.healthy = now, {}, {"state": "ok", "stuck": [], "ailing": []}
        self.paused, self.files, self.lines, self.picture = {}, {}, [], None
        self.bus, self.store_ = Bus(), MemoryStore()
        self.timetable_ = jobs if isinstance(jobs, Timetable) else _solved(tuple(jobs.items()))
        self.midnight = (
            datetime.fromtimestamp(now, ZONE).replace(hour=0, minute=0, second=0).timestamp()
        )
        self.last = {}
        self.records = list(self._past(hours, trouble, random.Random(seed)))

    def _past(self, hours, trouble, chance):
        begin = int(self.now - hours * 3600 - self.midnight)
        end = int(self.now - self.midnight)
        for number, (at, slot) in enumerate(self.timetable.releases(begin, end - 60)):
            released = self.midnight + at
            outcome = Outcome.ok
            if chance.random() < trouble:
                outcome = chance.choice(
                    [Outcome.failed, Outcome.failed, Outcome.timed_out, Outcome.crashed,
                     Outcome.empty, Outcome.missed, Outcome.coalesced, Outcome.cancelled]
                )  # fmt: skip
            took = slot.duration * chance.uniform(0.5, 0.98)
            kind, error = ERRORS.get(outcome, (None, None))
            record = Record(
                id=f"01run{number:08d}",
                job=slot.name,
                plugin="demo",
                cause=Cause.slot,
                released_at=released,
                started_at=released + chance.uniform(0.1, 0.6) if outcome.ran else None,
                ended_at=released + took,
                outcome=outcome,
                error_type=kind,
                error=error,
                result="12 items: ['one', 'two', ...]" if outcome is Outcome.ok else None,
                browser_generation=1,
            )
            self.last[slot.name] = record
            yield record

    async def remember(self):
        """Have the records in the store."""
        await self.store.write(*self.records)

    @property
    def store(self):
        return self.store_

    @property
    def timetable(self):
        return self.timetable_

    def upcoming(self, count):
        begin = int(self.now - self.midnight) + 1
        found = []
        for at, slot in self.timetable.releases(begin, begin + 86_400):
            if len(found) == count:
                break
            found.append({"job": slot.name, "at": utc_text(self.midnight + at)})
        return found

    def status(self, *, upcoming=10):
        today = {}
        failures = []
        for record in self.records:
            if record.ended_at >= self.midnight:
                today[record.outcome.value] = today.get(record.outcome.value, 0) + 1
            if record.error:
                failures.insert(0, record.as_dict())
        table = self.timetable
        return {
            "pid": 4711, "restarts": 0, "state": "running", "now": utc_text(self.now),
            "timetable_now": utc_text(self.now), "started_at": utc_text(self.now - 40_000),
            "speed": 1.0, "timezone": "Europe/Berlin", "state_dir": "/var/lib/muxd",
            "browser": {
                "up": True, "generation": 1, "pid": 4242, "version": "156.0.7890.12",
                "up_since": utc_text(self.now - 39_990), "last_loss": None, "now": 1,
                "most_at_once": 1, "recycled": 0, "runs": 812, "pages": 1,
                "memory": 412_000_000, "recycling": None,
            },
            "resources": None, "running": None, "waiting": [], "waiting_total": 0,
            "upcoming": self.upcoming(upcoming),
            "paused": [
                {"job": job, "note": note, "since": utc_text(self.now - 600), "probe_at": None}
                for job, note in self.paused.items()
            ],
            "paused_total": len(self.paused), "paused_whole": None, "drained": None,
            "restart_at": None, "skipped": [], "today": today, "failures": failures[:10],
            "runs": {"by_outcome": today, "now": 0, "most_at_once": 1},
            "ledger": {"warnings": [], "unwritten": 0},
            "timetable": {
                "jobs": len(table.slots), "feasible": table.feasible, "min_gap": table.min_gap,
                "collisions": len(table.collisions), "more_collisions": False,
                "utilisation": table.utilisation, "warnings": [],
            },
            "web": {"url": None, "problem": None}, "plugins_left_out": {}, "warnings": [],
        } | self.told  # fmt: skip

    def jobs(self, *, after="", limit=100):
        slots = [slot for slot in self.timetable.slots if slot.name > after]
        page = slots[:limit]
        coming = {}
        for one in self.upcoming(10_000):
            coming.setdefault(one["job"], one["at"])
        return {
            "jobs": [
                {
                    "name": slot.name, "plugin": "demo", "interval": slot.interval,
                    "phase": slot.phase, "duration": slot.duration, "priority": slot.priority,
                    "next_at": coming.get(slot.name), "paused": self.paused.get(slot.name),
                    "last": self.last[slot.name].as_dict() if slot.name in self.last else None,
                }
                for slot in page
            ],
            "total": len(self.timetable.slots), "timezone": "Europe/Berlin",
            "next": page[-1].name if len(slots) > limit else None,
        }  # fmt: skip

    def running(self, job, *, since=12.0):
        """Have a run of this job in progress."""
        record = Record(
            id="01running", job=job, plugin="demo", released_at=self.now - since - 0.2,
            started_at=self.now - since, browser_generation=1,
        )  # fmt: skip
        expected = self.timetable.slot(job).duration
        self.told["running"] = record.as_dict() | {"expected": expected, "deadline": None}
        return record

    def health(self):
        return self.healthy

    def settings(self, section):
        return {"slotting": {"headroom": 0.5}, "daemon": {"state_dir": self.folder}}[section]

    @contextlib.contextmanager
    def events(self, name, *, only=None):
        with self.bus.subscribe(name, only=only) as subscription:
            yield Events(subscription)

    def tell(self, event):
        self.bus.publish(event)

    def evidence(self, run_id):
        return self.files

    async def logged(self, record, *, limit=500):
        return self.lines

    async def look(self, run_id=None):
        return self.picture

    def found(self):
        return [
            {"name": "demo", "state": "active", "distribution": "muxd-demo", "version": "0.1",
             "location": "muxd_demo", "jobs": list(SIXTEEN), "hooks": ["muxd_jobs"],
             "problem": None, "disabled_by": None},
            {"name": "trends", "state": "left_out", "distribution": None, "version": None,
             "location": "/jobs/trends.py", "jobs": [], "hooks": [],
             "problem": {"hook": "import", "reason": "SyntaxError: <b>invalid</b>"},
             "disabled_by": None},
        ]  # fmt: skip


def _refuse(*_args, **_kwargs):
    raise AssertionError("a page steers nothing")


# It tells only.
for _name in Pretend.__abstractmethods__:
    setattr(Pretend, _name, _refuse)
Pretend.__abstractmethods__ = frozenset()
