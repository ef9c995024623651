"""What must hold, whatever happens: where it is noted that it did not."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, final

import attrs

from muxd.events import Event

if TYPE_CHECKING:
    from muxd.simulation.world import Mishap, World

__all__ = ["RULES", "Broken", "Notes"]

RULES = {
    "one record": "every release of every slot leaves exactly one record",
    "final": "a record that has its outcome never changes",
    "one run": "never two runs at once",
    "one browser": "never more than one browser, and one page, at a time",
    "deadline": "the browser is free again within 10 s of each deadline",
    "not early": "no run before its release, no release before its slot",
    "on time": "a release that is not overdue is released within 5 s of its slot",
    "gap": "catch-ups and retries are released in gaps of the timetable only",
    "no burst": "overdue releases are caught up with one at a time",
    "most overdue first": "the most overdue is caught up with first",
    "overlap": "a job's overlap policy is honoured",
    "misfire": "a job's misfire policy is honoured",
    "retries": "retries are linked to their first try, and at most as many as the job has",
    "honest": "no run is lost to another's fault",
    "interrupted": "a run is interrupted only when the daemon dies or stops",
    "starvation": "no run is overtaken by more later ones than the channel allows",
    "phases": "no slot moves without need",
    "probes": "a paused job is tried again when it is time",
    "wall clock": "daily jobs keep their time on the wall through summer and winter",
    "alive": "the daemon does not end by itself",
    "nothing left": "when the daemon has stopped nothing waits and nothing runs",
}
"""{name: what must hold}"""
REMEMBERED = 20
"""How many of the last happenings a broken rule is shown with."""
MOST = 50
"""How many broken rules are kept; the others are counted."""


@attrs.frozen(kw_only=True)
class Broken:
    """A rule that did not hold."""

    rule: str
    """Its name, as in `RULES`."""
    text: str
    """What happened instead."""
    day: float
    """When: simulated days since the beginning."""
    wall: str
    """What the wall clock showed, UTC."""
    life: int
    """Which life of the daemon."""
    recent: tuple[str, ...]
    """The last happenings before it, oldest first."""

    def __str__(self) -> str:
        return f"{self.rule}: {self.text} (day {self.day:.4f}, {self.wall}, life {self.life})"


@final
class Notes:
    """Remembers the last happenings, and keeps what was broken."""

    def __init__(self, world: World) -> None:
        """Nothing has happened yet."""
        self.world = world
        self.broken: list[Broken] = []
        self.count = 0
        """How many rules were broken, those too that are not kept."""
        # (seconds since the beginning, wall clock, life, what)
        self._recent: deque[tuple[float, float, int, Event | Mishap | str]] = deque(
            maxlen=REMEMBERED
        )

    def note(self, what: Event | Mishap | str) -> None:
        """Remember a happening for a while."""
        world = self.world
        self._recent.append((world.at, world.real_now(), world.life, what))

    def breaks(self, rule: str, text: str) -> None:
        """A rule does not hold."""
        assert rule in RULES, rule
        self.count += 1
        if len(self.broken) < MOST:
            world = self.world
            self.broken.append(
                Broken(
                    rule=rule,
                    text=text,
                    day=world.at / 86_400,
                    wall=clock_text(world.real_now()),
                    life=world.life,
                    recent=tuple(_told(*happening) for happening in self._recent),
                )
            )

    def holds(self, rule: str, condition: object, text: str) -> None:
        """A rule must hold."""
        if not condition:
            self.breaks(rule, text)


def clock_text(wall: float) -> str:
    """An instant for people, UTC."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"


def _told(at: float, wall: float, life: int, what: Event | Mishap | str) -> str:
    return f"{at:14.3f} {clock_text(wall)} life {life}  {_words(what)}"


def _words(what: Event | Mishap | str) -> str:
    if isinstance(what, str):
        return what
    if isinstance(what, Event):
        fields = attrs.asdict(what, recurse=False)
        record = fields.pop("record", None)
        del fields["at"]
        words = [type(what).__name__]
        if record is not None:
            words += [record.id, record.job, record.cause.value, f"attempt {record.attempt}"]
            words += [f"released at {clock_text(record.released_at)}"]
            words += [str(v) for v in (record.outcome, record.error) if v is not None]
        return " ".join([*words, *(f"{key}={value}" for key, value in fields.items())])
    return f"! {what.fault} ({what.place}{f', run {what.run}' if what.run else ''})"
