"""A crontab, read: who starts when, under which name.

Both formats: a user's (``crontab -l``), and the system's (``/etc/crontab``, ``/etc/cron.d``), which
has a user before each command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import attrs

from muxd.errors import ConfigError, ConfigProblem
from muxd.units import format_duration

from .cronname import name_of, unique
from .cronschedule import NICKNAMES, Schedule, parse_schedule
from .demand import Demand

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CronEntry", "Crontab", "Form", "crontab_demands", "parse_crontab", "read_crontab"]

Form = Literal["auto", "system", "user"]

_VARIABLE = re.compile(r"""\s*(?:(\w+)|"([^"]*)"|'([^']*)')\s*=\s*(.*)""")
_USER = re.compile(r"[A-Za-z_][\w.-]*\$?")
# Accounts that every system has, or that own jobs on many: they give the system's format away.
_ACCOUNTS = frozenset((
    "root", "daemon", "bin", "nobody", "www-data", "apache", "nginx", "backup", "man", "mail", "list",
    "git", "postgres", "mysql", "redis", "munin", "ubuntu", "deploy",
))  # fmt: skip
_DAY = 86_400
_WEEK = 7 * _DAY


@attrs.frozen(kw_only=True)
class CronEntry:
    """One line that starts something."""

    name: str
    """From the command; unique within the crontab."""
    line: int
    """Its number in the file, from 1."""
    expression: str
    """When, as it is written."""
    schedule: Schedule
    """When, as it is understood."""
    command: str
    """What it runs: without its input (what stands behind the first ``%``)."""
    user: str | None = None
    """Who runs it; None in a user's crontab."""

    @property
    def interval(self) -> int:
        """Seconds between releases of a job that stands for it; see `approximation`."""
        if self._single_weekday is not None:
            return _WEEK
        if self._uneven:
            return 60 * 60 // self._per_hour
        return 60 * self.schedule.grid

    @property
    def phase(self) -> int:
        """Seconds after the Monday's midnight that the timetable begins at; below the interval."""
        days = self._single_weekday or 0
        first = self.schedule.of_day[0]
        if self._uneven:
            first = min(self.schedule.minutes)
        return (days * _DAY + 60 * first) % self.interval

    @property
    def approximation(self) -> str | None:
        """In what its interval differs from what the crontab says; None if in nothing."""
        schedule = self.schedule
        if self._single_weekday is not None:
            return None
        every = format_duration(self.interval)
        if self._uneven:
            many = len(schedule.minutes)
            told = f"{many} uneven starts an hour: taken as {self._per_hour}, one every {every}"
            return told if self._all_hours else f"{told}, all day"
        used, reserved = len(schedule.of_day), _DAY // self.interval
        told = f"{used} of {reserved} slots a day are used" if used < reserved else ""
        if not schedule.every_day:
            told = f"{told}, on " if told else "used on "
            days = max(1, round(schedule.days_in_four_years / 4))
            told += f"{days} days a year" if days > 1 else "1 day a year"
        return f"a slot every {every}: {told}" if told else None

    @property
    def _single_weekday(self) -> int | None:
        return self.schedule.weekday if len(self.schedule.of_day) == 1 else None

    @property
    def _all_hours(self) -> bool:
        return len(self.schedule.hours) == 24 and self.schedule.every_day

    @property
    def _uneven(self) -> bool:
        """Its minutes are unevenly spaced: slots that meet all of them would be far too many."""
        return self.schedule.grid < 30 and self.schedule.grid * len(self.schedule.minutes) < 60

    @property
    def _per_hour(self) -> int:
        """The fewest starts an hour that are at least as many, and evenly many minutes apart."""
        return next(n for n in range(len(self.schedule.minutes), 61) if 60 % n == 0)


@attrs.frozen(kw_only=True)
class Crontab:
    """What a crontab says."""

    entries: tuple[CronEntry, ...]
    """In the order of their lines; each starts at some time."""
    form: Literal["system", "user"]
    """The format that it was read in."""
    notes: tuple[str, ...]
    """What isn't taken into account, and why; each with its line."""


def read_crontab(path: Path, form: Form = "auto") -> Crontab:
    """Read a file.

    Args:
        path: the file; with ``form="auto"`` those in ``/etc`` are taken to be the system's.
        form: the format; ``auto`` goes by the users that stand before the commands.

    Raises:
        ConfigError: it can't be read, or lines of it can't be understood: all of them are named.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(ConfigProblem(str(path), "", f"can't be read: {reason}")) from None
    except UnicodeDecodeError:
        raise ConfigError(ConfigProblem(str(path), "", "is not a text file in UTF-8")) from None
    if form == "auto" and (path.name, path.parent.name) == ("crontab", "etc"):
        form = "system"
    if form == "auto" and path.parent.name == "cron.d":
        form = "system"
    return parse_crontab(text, str(path), form)


def parse_crontab(text: str, source: str, form: Form = "auto") -> Crontab:
    """Understand the text of a crontab; ``source`` names it in messages.

    Raises:
        ConfigError: lines can't be understood: all of them are named.
    """
    reader = _Reader(source)
    for number, line in enumerate(text.split("\n"), 1):
        reader.read(number, line.strip())
    return reader.result(form)


def crontab_demands(crontab: Crontab, duration: int) -> list[Demand]:
    """What the entries ask of a timetable: to start when they do now, but never two at once.

    Args:
        crontab: as read.
        duration: seconds that a run of any of them takes, >= 1: a crontab doesn't say.
    """
    return [
        Demand(
            name=entry.name,
            interval=entry.interval,
            duration=duration,
            preferred_phase=entry.phase,
        )
        for entry in crontab.entries
    ]


@attrs.frozen
class _Line:
    number: int
    expression: str
    schedule: Schedule | None
    """None: at the start of the machine."""
    rest: str


class _Reader:
    """Reads one line after another; collects what they start and what is wrong with them."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: list[_Line] = []
        self.problems: list[ConfigProblem] = []
        self.notes: list[str] = []

    def read(self, number: int, line: str) -> None:
        if not line or line.startswith("#"):
            return
        if variable := _VARIABLE.fullmatch(line):
            name = variable[1] or variable[2] or variable[3]
            if name in ("CRON_TZ", "TZ"):
                self.notes.append(
                    f"line {number}: {line}: the hours below it are taken as they are written"
                )
            return
        if line.startswith("@"):
            self._nickname(number, *_cut(line))
            return
        words = line.split(None, 5)
        if len(words) < 6:
            self._wrong(number, "", f"give five fields of time and a command, not {line!r}")
            return
        # A minus in front keeps some crons from logging the start.
        parsed = parse_schedule([words[0].removeprefix("-"), *words[1:5]])
        if isinstance(parsed, Schedule):
            self.lines.append(_Line(number, " ".join(words[:5]), parsed, words[5]))
        else:
            for field, message in parsed:
                self._wrong(number, field, message)

    def _nickname(self, number: int, nickname: str, rest: str) -> None:
        fields = NICKNAMES.get(nickname.lower())
        if fields is None and nickname.lower() != "@reboot":
            allowed = ", ".join([*NICKNAMES, "@reboot"])
            self._wrong(number, nickname, f"is not known; known are {allowed}")
        elif not rest:
            self._wrong(number, nickname, "give a command after it")
        else:
            parsed = parse_schedule(fields.split()) if fields else None
            schedule = parsed if isinstance(parsed, Schedule) else None
            self.lines.append(_Line(number, nickname, schedule, rest))

    def _wrong(self, number: int, key: str, message: str) -> None:
        self.problems.append(ConfigProblem(f"{self.source}:{number}", key, message))

    def result(self, form: Form) -> Crontab:
        if form == "auto":
            form = "system" if _has_users([line.rest for line in self.lines]) else "user"
        entries: list[CronEntry] = []
        taken: set[str] = set()
        for line in self.lines:
            user, command = None, line.rest
            if form == "system":
                user, command = _cut(line.rest)
                if not command or not _USER.fullmatch(user):
                    self._wrong(line.number, "user", _NO_USER.format(line.rest))
                    continue
            command = re.split(r"(?<!\\)%", command)[0].replace("\\%", "%").strip()
            if line.schedule is None or not line.schedule.days_in_four_years:
                when = (
                    "starts at boot only"
                    if line.schedule is None
                    else "never starts, for want of such a day"
                )
                self.notes.append(f"line {line.number}: {command!r} is left out: it {when}")
                continue
            name = unique(name_of(command) or f"line-{line.number}", taken)
            taken.add(name)
            entries.append(
                CronEntry(
                    name=name,
                    line=line.number,
                    expression=line.expression,
                    schedule=line.schedule,
                    command=command,
                    user=user,
                )
            )
        if self.problems:
            raise ConfigError(*self.problems)
        return Crontab(entries=tuple(entries), form=form, notes=tuple(self.notes))


_NO_USER = (
    "give the user and then the command, as in 'root /usr/bin/true', not {!r} "
    "(only a user's own crontab has no user there)"
)


def _cut(text: str) -> tuple[str, str]:
    """The first word of a text that has one, and what comes after it."""
    first, *rest = text.split(None, 1)
    return first, rest[0] if rest else ""


def _has_users(commands: list[str]) -> bool:
    """Whether a user stands before each command, one of them a well-known account."""
    firsts = [_cut(command) for command in commands]
    named = all(_USER.fullmatch(user) and command for user, command in firsts)
    return named and any(user in _ACCOUNTS for user, _ in firsts)
