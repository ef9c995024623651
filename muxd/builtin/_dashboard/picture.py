"""The timetable as a picture: where things are, in percent of its width. No drawing here."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs

from muxd.builtin._dashboard.words import duration, every, unix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from muxd.builtin._dashboard.day import Bar
    from muxd.builtin._dashboard.words import Almanac
    from muxd.slotting import Slot

__all__ = ["WINDOWS", "Column", "Lane", "Mark", "Picture", "columns", "day_of", "draw", "window_of"]

WINDOWS = {"30m": 1_800, "2h": 7_200, "6h": 21_600, "day": 86_400}
"""How much is shown, seconds of the timetable; a day is that of the calendar."""
_STEPS = {"30m": 300, "2h": 900, "6h": 3_600, "day": 7_200}
LANES = 40
"""More jobs than this share lanes: those of one interval never meet, so they can."""
CELL = 0.1
"""Of what is narrower than this (percent) and in the same place, one is shown."""
COLUMN = 900
"""How much of the day is one column, seconds."""


@attrs.frozen
class Mark:
    """One thing in a lane."""

    kind: str
    """``slot``: reserved; ``run``: it was so; ``running``; ``next``; ``point``: nothing ran."""
    x: float
    width: float
    outcome: str = ""
    label: str = ""
    run: str = ""
    """The id of its run."""


@attrs.frozen
class Lane:
    """A line of the picture: a job, or those of one interval."""

    name: str
    note: str
    is_job: bool
    is_paused: bool
    marks: Sequence[Mark]


@attrs.frozen
class Column:
    """A part of the day: which share of it the browser was, or is to be, in use, 0 to 100."""

    x: float
    width: float
    good: float
    bad: float
    planned: float


@attrs.frozen(kw_only=True)
class Picture:
    """What is drawn."""

    window: str
    start: float
    """The left edge, Unix seconds of the timetable; and the right one."""
    end: float
    now: float
    """Where now is, percent."""
    ticks: Sequence[tuple[float, str]]
    lanes: Sequence[Lane]
    is_shared: bool
    """Whether jobs share lanes."""
    until: float | None
    """From here on (percent) it isn't known what comes; None: all of it is."""


def day_of(almanac: Almanac) -> tuple[float, float]:
    """Today, from midnight to midnight."""
    start = almanac.midnight()
    tomorrow = almanac.local(start) + timedelta(days=1)  # of the calendar: it may have 23 hours
    return start, tomorrow.timestamp()


def window_of(name: str, almanac: Almanac) -> tuple[float, float]:
    """What a window shows now. It moves on in steps, so that the picture stands still between."""
    if name == "day":
        return day_of(almanac)
    length = WINDOWS[name]
    step = length // 12
    base = almanac.midnight()
    start = base + (almanac.timetable_now - length / 3 - base) // step * step
    return start, start + length


def draw(
    window: str,
    almanac: Almanac,
    slots: Sequence[Slot],
    bars: Iterable[Bar],
    running: dict[str, Any] | None,
    upcoming: Sequence[dict[str, Any]],
    paused: frozenset[str],
    *,
    is_cut: bool,
) -> Picture:
    """Put everything in its place.

    Args:
      window: one of `WINDOWS`.
      almanac: of this moment.
      slots: the timetable's.
      bars: what has ended.
      running: the run in progress, as the daemon tells it.
      upcoming: the next releases, likewise.
      paused: the jobs that are.
      is_cut: whether there are more of those than were told.
    """
    start, end = window_of(window, almanac)
    scale = 100 / (end - start)
    by_name = {slot.name: slot for slot in slots}
    is_shared = len(slots) > LANES
    found: defaultdict[str, list[Mark]] = defaultdict(list)
    taken: set[tuple[str, str, str, int]] = set()

    def put(
        job: str, kind: str, left: float, right: float, outcome: str = "", run: str = ""
    ) -> None:
        """From one instant of the timetable to another."""
        if right < start or left > end:
            return
        key = _lane(job, by_name, is_shared)
        x, width = (left - start) * scale, (right - left) * scale
        place = (key, kind, outcome, int(x / CELL))
        if width < CELL:
            if place in taken:
                return
            taken.add(place)
        x, width = max(x, 0.0), width + min(x, 0.0)
        label = _label(job, kind, outcome, left, right, almanac)
        found[key].append(
            Mark(kind, round(x, 3), round(min(width, 100 - x), 3), outcome, label, run)
        )

    fine = window != "day"
    for bar in bars:
        released, slot = almanac.shown(bar.released), by_name.get(bar.job)
        if bar.by_slot and slot is not None and fine:
            put(bar.job, "slot", released, released + slot.duration)
        if bar.started is None:
            put(bar.job, "point", released, released, bar.outcome.value, bar.id)
        else:
            began, ended = almanac.shown(bar.started), almanac.shown(bar.ended)
            put(bar.job, "run", began, ended, bar.outcome.value, bar.id)
    for one in upcoming:
        at, slot = almanac.shown(unix(one["at"]) or 0.0), by_name.get(one["job"])
        put(one["job"], "next", at, at + (slot.duration if slot else 30))
    if running is not None and (began_at := unix(running["started_at"])) is not None:
        job, began = running["job"], almanac.shown(began_at)
        if (slot := by_name.get(job)) is not None:
            put(job, "slot", began, began + slot.duration)
        put(job, "running", began, max(almanac.timetable_now, began), run=running["id"])
    last = unix(upcoming[-1]["at"]) if is_cut and upcoming else None
    until = None if last is None else round((almanac.shown(last) - start) * scale, 2)
    return Picture(
        window=window,
        start=start,
        end=end,
        now=round((almanac.timetable_now - start) * scale, 3),
        ticks=list(_ticks(window, start, end, almanac)),
        lanes=list(_lanes(slots, found, paused, is_shared)),
        is_shared=is_shared,
        until=until if until is not None and until < 100 else None,
    )


def _lane(job: str, slots: dict[str, Slot], is_shared: bool) -> str:
    if not is_shared:
        return job
    return f"every {every(slots[job].interval)}" if job in slots else ""


def _lanes(
    slots: Sequence[Slot],
    found: dict[str, list[Mark]],
    paused: frozenset[str],
    is_shared: bool,
) -> Iterator[Lane]:
    ordered = sorted(slots, key=lambda slot: (slot.interval, slot.phase, slot.name))
    if not is_shared:
        for slot in ordered:
            note = every(slot.interval)
            yield Lane(slot.name, note, True, slot.name in paused, found.get(slot.name, ()))
        return
    count: defaultdict[str, int] = defaultdict(int)
    for slot in ordered:
        count[f"every {every(slot.interval)}"] += 1
    for name, jobs in list(count.items())[:LANES]:
        yield Lane(name, f"{jobs} job{'s' * (jobs != 1)}", False, False, found.get(name, ()))


def _label(job: str, kind: str, outcome: str, left: float, right: float, almanac: Almanac) -> str:
    at = almanac.clock(almanac.real(left))
    took = duration((right - left) / almanac.speed) if kind == "run" else ""
    words = {
        "slot": f"{duration(right - left)} reserved",
        "run": f"{outcome.replace('_', ' ')}, {took}",
        "point": outcome.replace("_", " "),
        "running": "running",
        "next": "next",
    }
    return f"{job} · {at} · {words[kind]}"


def _ticks(window: str, start: float, end: float, almanac: Almanac) -> Iterator[tuple[float, str]]:
    step = _STEPS[window]
    base = almanac.midnight()
    at = base + -(-(start - base) // step) * step
    while at < end:
        yield round((at - start) * 100 / (end - start), 3), f"{almanac.local(at):%H:%M}"
        at += step


def columns(
    almanac: Almanac, slots: Sequence[Slot], bars: Iterable[Bar], upcoming: Sequence[dict[str, Any]]
) -> list[Column]:
    """Today in quarters of an hour."""
    start, end = day_of(almanac)
    count = round((end - start) / COLUMN)
    good, bad, planned = ([0.0] * count for _ in range(3))

    def add(to: list[float], left: float, right: float) -> None:
        at = left
        while at < right:
            number = int((at - start) // COLUMN)
            edge = min(right, start + (number + 1) * COLUMN)
            if 0 <= number < count:
                to[number] += edge - at
            at = edge

    for bar in bars:
        if bar.started is not None:
            to = good if bar.outcome.good else bad
            add(to, max(almanac.shown(bar.started), start), min(almanac.shown(bar.ended), end))
    by_name = {slot.name: slot for slot in slots}
    for one in upcoming:
        at, slot = almanac.shown(unix(one["at"]) or 0.0), by_name.get(one["job"])
        if slot is not None and at < end:
            add(planned, at, at + slot.duration)
    width = 100 / max(count, 1)

    def share(seconds: float) -> float:
        return round(min(100.0, 100 * seconds / COLUMN), 2)

    return [
        Column(
            round(n * width, 3), round(width, 3), share(good[n]), share(bad[n]), share(planned[n])
        )
        for n in range(count)
    ]
