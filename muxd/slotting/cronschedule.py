"""When a line of a crontab starts: its five fields, read and answered for."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NICKNAMES", "Schedule", "parse_schedule"]

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""What the short forms stand for. (``@reboot`` stands for no time at all.)"""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = 1440
_YEARS = 1461  # days from 2001 to 2004: every date there is, the 29th of February too
_ITEM = re.compile(r"(?:(\*)|([^-/]+)(?:-([^-/]+))?)(?:/(.+))?")


@attrs.frozen
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    # what may be written for `least`, `least + 1`, ...

    @property
    def allowed(self) -> str:
        numbers = f"{self.least} to {self.most}"
        if self.names:
            numbers += f" or {self.names[0]} to {self.names[-1]}"
        return f"give {numbers}, as *, 5, 1-5, 1,3 or */2"


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


@attrs.frozen(kw_only=True, slots=False)
class Schedule:
    """The minutes at which something starts, by the civil clock."""

    minutes: frozenset[int]
    """0 to 59."""
    hours: frozenset[int]
    """0 to 23."""
    days: frozenset[int]
    """Of the month, 1 to 31."""
    months: frozenset[int]
    """1 to 12."""
    weekdays: frozenset[int]
    """0 to 6; 0 is Sunday."""
    either_day: bool
    """Days of the month and of the week are both restricted: then one that fits is enough."""

    def on(self, day: date) -> bool:
        """Whether it starts on this day."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week

    @cached_property
    def of_day(self) -> tuple[int, ...]:
        """The minutes of a day at which it starts, 0 to 1439, in order."""
        return tuple(
            60 * hour + minute for hour in sorted(self.hours) for minute in sorted(self.minutes)
        )

    @cached_property
    def days_in_four_years(self) -> int:
        """On how many of any 1461 days it starts; 0: never at all."""
        first = date(2001, 1, 1)
        return sum(self.on(first + timedelta(n)) for n in range(_YEARS))

    @property
    def every_day(self) -> bool:
        """It starts on every day."""
        return self.days_in_four_years == _YEARS

    @property
    def weekday(self) -> int | None:
        """The one day of the week (0: Monday) on which it starts, always; None: no such."""
        if self.either_day or len(self.weekdays) != 1 or len(self.days) != 31:
            return None
        return (next(iter(self.weekdays)) - 1) % 7 if len(self.months) == 12 else None

    @cached_property
    def grid(self) -> int:
        """The widest spacing, in minutes, that meets every start: a divisor of a day."""
        first, *others = self.of_day
        return gcd(_DAY, *(minute - first for minute in others))


def parse_schedule(fields: Sequence[str]) -> Schedule | list[tuple[str, str]]:
    """Five fields: minute, hour, day of month, month, day of week.

    Returns:
        the schedule, or what is wrong: (field, message) for each field that can't be read.
    """
    found: list[frozenset[int]] = []
    problems: list[tuple[str, str]] = []
    for field, text in zip(_FIELDS, fields, strict=True):
        try:
            found.append(_values(field, text))
        except ValueError as error:
            problems.append((field.name, f"{error}: {field.allowed}"))
    if problems:
        return problems
    minutes, hours, days, months, weekdays = found
    return Schedule(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(number % 7 for number in weekdays),
        # As cron has it: by how the field begins, so that */2 counts as unrestricted.
        either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
    )


def _values(field: _Field, text: str) -> frozenset[int]:
    values: set[int] = set()
    of_week = field.most == 7
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            if "~" in item:
                raise ValueError(f"{item!r} is chosen by chance, so it can't be planned")
            raise ValueError(f"{item!r} can't be read" if item else f"{text!r} has an empty place")
        star, low, high, every = match.groups()
        first = field.least if star else _number(field, low)
        # `5/15` is from 5 on. Sunday is 0 and 7: a star counts it once.
        if star or (every is not None and high is None):
            last = min(field.most, 6) if of_week else field.most
        else:
            last = first if high is None else _number(field, high)
        if of_week and high is not None and high.lower() == "sun":
            last = 7  # fri-sun
        if last < first:
            raise ValueError(f"{item!r} goes backwards")
        step = 1
        if every is not None:
            if not every.isdecimal() or int(every) < 1:
                raise ValueError(f"the step of {item!r} is not a number from 1")
            step = int(every)
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(field: _Field, text: str) -> int:
    if text.lower() in field.names:
        return field.least + field.names.index(text.lower())
    if "~" in text:
        raise ValueError(f"{text!r} is chosen by chance, so it can't be planned")
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text!r} is no number" + (" and no name" if field.names else ""))
    number = int(text)
    if not field.least <= number <= field.most:
        raise ValueError(f"{text} is out of range")
    return number
