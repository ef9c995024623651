"""Who starts in the same minute, before anything is done about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from .crontab import CronEntry
    from .demand import Demand

__all__ = ["Crowd", "Crowding", "crowding_of_crontab", "crowding_of_jobs"]

_DAY = 1440


@attrs.frozen(kw_only=True)
class Crowd:
    """Jobs that start in the same minute."""

    minute: int
    """Of the day, 0 to 1439."""
    names: tuple[str, ...]
    """Two or more, in the order of the jobs."""
    days: int
    """On how many of the days it is so, >= 1."""


@attrs.frozen(kw_only=True)
class Crowding:
    """The starts of some days, by their minutes."""

    days: int
    """How many days were looked at, >= 1."""
    starts: int
    """All starts on these days."""
    sharing: int
    """Those in a minute in which another job starts as well."""
    crowds: tuple[Crowd, ...]
    """Worst first: the largest, of these the most frequent, of these the earliest."""
    most: Mapping[int, int]
    """{minute of the day: the most jobs that start in it on any of the days}; others have none."""

    @property
    def share(self) -> float:
        """The part of the starts that share their minute, 0 to 1."""
        return self.sharing / self.starts if self.starts else 0.0

    @property
    def peak(self) -> int:
        """The most jobs that start in one minute."""
        return max(self.most.values(), default=0)


def crowding_of_crontab(entries: Sequence[CronEntry], first: date, days: int) -> Crowding:
    """The starts on ``days`` days from ``first`` on, >= 1. A day has 1440 minutes here."""
    counted = _Counted()
    # Days on which the same entries start are alike, and most are.
    alike: Counter[tuple[bool, ...]] = Counter()
    for number in range(days):
        day = first + timedelta(number)
        alike[tuple(entry.schedule.on(day) for entry in entries)] += 1
    for starting, times in alike.items():
        counted.add_days(
            times,
            (
                (minute, entry.name)
                for entry, starts in zip(entries, starting, strict=True)
                if starts
                for minute in entry.schedule.of_day
            ),
        )
    return counted.result(days)


def crowding_of_jobs(demands: Sequence[Demand], phases: Mapping[str, int], days: int) -> Crowding:
    """The starts on the first ``days`` days of a timetable, >= 1.

    Args:
        demands: the jobs.
        phases: a phase for each name, seconds.
        days: how many days.
    """
    counted = _Counted()
    for number in range(days):
        begin = number * _DAY * 60
        counted.add_days(
            1,
            (
                ((instant - begin) // 60, demand.name)
                for demand in demands
                for instant in range(
                    begin + (phases[demand.name] - begin) % demand.interval,
                    begin + _DAY * 60,
                    demand.interval,
                )
            ),
        )
    return counted.result(days)


class _Counted:
    def __init__(self) -> None:
        self.starts = self.sharing = 0
        self.most: dict[int, int] = {}
        self.crowds: Counter[tuple[int, tuple[str, ...]]] = Counter()

    def add_days(self, times: int, starts: Iterable[tuple[int, str]]) -> None:
        """Count so many days that have these starts: (minute, name)."""
        by_minute: dict[int, list[str]] = defaultdict(list)
        for minute, name in starts:
            by_minute[minute].append(name)
        for minute, each in by_minute.items():
            names = tuple(dict.fromkeys(each))
            self.starts += times * len(each)
            self.most[minute] = max(self.most.get(minute, 0), len(names))
            if len(names) > 1:
                self.sharing += times * len(each)
                self.crowds[minute, names] += times

    def result(self, days: int) -> Crowding:
        crowds = [Crowd(minute=m, names=names, days=n) for (m, names), n in self.crowds.items()]
        crowds.sort(key=lambda crowd: (-len(crowd.names), -crowd.days, crowd.minute))
        return Crowding(
            days=days,
            starts=self.starts,
            sharing=self.sharing,
            crowds=tuple(crowds),
            most=dict(sorted(self.most.items())),
        )
