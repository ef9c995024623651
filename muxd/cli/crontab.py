"""How ``muxd plan`` tells what collides now, in a crontab or among jobs that muxd doesn't run."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
from rich.table import Table
from rich.text import Text

from muxd.cli.output import console
from muxd.slotting.crontab import Crontab, crontab_demands, parse_crontab, read_crontab
from muxd.slotting.crowding import crowding_of_crontab, crowding_of_jobs
from muxd.slotting.jobsfile import read_jobs_file
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from muxd.slotting import Demand
    from muxd.slotting.crontab import Form
    from muxd.slotting.crowding import Crowd, Crowding

__all__ = ["Outside", "from_crontab", "from_jobs", "outside_as_dict", "show_outside"]

CRONTAB_DAYS = 31
"""How many days of a crontab are looked at: every day of a month is among them."""
JOBS_DAYS = 7
"""How many days of jobs with intervals are looked at."""
_WORST = 8
_TIMES = 4
_HEAT = ("dim", "green", "yellow", "dark_orange", "red")


@attrs.frozen(kw_only=True)
class Outside:
    """Jobs that muxd doesn't run (yet), and what they do now."""

    source: str
    """The file."""
    demands: list[Demand]
    """What they ask of a timetable."""
    crowding: Crowding
    """Who starts in the same minute now."""
    crontab: Crontab | None
    """None: they come from a file of jobs."""


def from_crontab(path: Path, form: Form, duration: int, first: date) -> Outside:
    """The jobs of a crontab.

    Args:
      path: the file; ``-`` is stdin, as behind ``crontab -l |``.
      form: its format.
      duration: seconds that a run of any of them takes, >= 1.
      first: the first of the days whose starts are counted.

    Raises:
      ConfigError: all that is wrong with the file.
    """
    if str(path) == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
        crontab = parse_crontab(text, "stdin", form)
    else:
        crontab = read_crontab(path, form)
    return Outside(
        source="stdin" if str(path) == "-" else str(path),
        demands=crontab_demands(crontab, duration),
        crowding=crowding_of_crontab(crontab.entries, first, CRONTAB_DAYS),
        crontab=crontab,
    )


def from_jobs(path: Path) -> Outside:
    """The jobs of a JSON file; now they start at their preferred phases, or from zero.

    Raises:
      ConfigError: all that is wrong with the file.
    """
    demands = read_jobs_file(path)
    now = {demand.name: demand.wish or 0 for demand in demands}
    return Outside(
        source=str(path),
        demands=demands,
        crowding=crowding_of_jobs(demands, now, JOBS_DAYS),
        crontab=None,
    )


def show_outside(outside: Outside) -> None:
    """Print what collides now, minute by minute, and how the jobs are understood."""
    screen = console()
    crowding = outside.crowding
    screen.print(_verdict(outside))
    if crowding.starts:
        screen.print()
        screen.print(Text("Starts in each minute, the most on any day; dots are none", "dim"))
        ruler = "".join(f":{10 * k:02d}".ljust(10) for k in range(6))
        screen.print(Text(" " * _MARGIN + ruler.rstrip(), "dim"))
        for line in _heat(crowding):
            screen.print(line, soft_wrap=True)
    if crowding.crowds:
        screen.print()
        screen.print(_worst(crowding))
    if outside.crontab is not None:
        screen.print()
        screen.print(_entries(outside.crontab))
        for note in outside.crontab.notes:
            screen.print(Text("! ", "bold yellow") + Text(note))
    if outside.demands:
        screen.print()
        screen.print(Text("With phases that are solved for:", "bold"))


def _verdict(outside: Outside) -> Text:
    crowding = outside.crowding
    text = Text("Now: ", "bold")
    if not crowding.starts:
        return text.append(f"nothing starts in {outside.source}", "default")
    jobs = len(outside.demands)
    text.append(f"{jobs} jobs, {crowding.starts:,} starts in {crowding.days} days; ", "default")
    share = f"{crowding.share:.0%} share their minute with another job"
    text.append(share, "bold red" if crowding.sharing else "bold green")
    if crowding.sharing:
        text.append(f", up to {crowding.peak} in one", "default")
    if outside.crontab is None and any(d.wish is None for d in outside.demands):
        text.append(" (those that prefer no phase start from zero, as setInterval does)", "dim")
    return text


_MARGIN = len("00 to 00  ")


def _heat(crowding: Crowding) -> Iterator[Text]:
    """A line for each hour that has starts; hours that look alike and follow share one."""
    rows = [tuple(crowding.most.get(60 * hour + m, 0) for m in range(60)) for hour in range(24)]
    for row, group in groupby(range(24), key=lambda hour: rows[hour]):
        hours = list(group)
        if not any(row):
            continue
        label = f"{hours[0]:02d}" + (f" to {hours[-1]:02d}" if len(hours) > 1 else "")
        line = Text(label.ljust(_MARGIN), "dim")
        for count in row:
            shown = "·" if not count else str(count) if count < 10 else "+"
            line.append(shown, _HEAT[min(count, len(_HEAT) - 1)])
        yield line


def _worst(crowding: Crowding) -> Table:
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    rows.add_column("jobs at once", justify="right", no_wrap=True)
    rows.add_column("worst minutes", no_wrap=True)
    rows.add_column("on days", justify="right", no_wrap=True)
    rows.add_column("who")
    # {(who, on how many days): when}
    alike: dict[tuple[tuple[str, ...], int], list[Crowd]] = {}
    for crowd in crowding.crowds:
        alike.setdefault((crowd.names, crowd.days), []).append(crowd)
    for (names, days), crowds in list(alike.items())[:_WORST]:
        times = ", ".join(_clock(crowd.minute) for crowd in crowds[:_TIMES])
        if len(crowds) > _TIMES:
            times += f" and {len(crowds) - _TIMES} more"
        rows.add_row(
            str(len(names)), times, f"{days} of {crowding.days}", Text(", ".join(names), "default")
        )
    if len(alike) > _WORST:
        rows.add_row("", f"and {len(alike) - _WORST} more groups", "", "")
    return rows


def _entries(crontab: Crontab) -> Table:
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    rows.add_column("line", justify="right", no_wrap=True)
    rows.add_column("job", no_wrap=True)
    rows.add_column("starts", no_wrap=True)
    if crontab.form == "system":
        rows.add_column("as", no_wrap=True)
    rows.add_column("every", justify="right", no_wrap=True)
    rows.add_column("taken as")
    for entry in crontab.entries:
        cells = [Text(str(entry.line), "dim"), Text(entry.name), Text(entry.expression)]
        if crontab.form == "system":
            cells.append(Text(entry.user or ""))
        every = Text(format_duration(entry.interval))
        rows.add_row(*cells, every, Text(entry.approximation or "", "dim"))
    return rows


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def outside_as_dict(outside: Outside) -> dict[str, Any]:
    """For JSON: stable keys, times in seconds."""
    crowding = outside.crowding
    document: dict[str, Any] = {
        "source": outside.source,
        "days": crowding.days,
        "starts": crowding.starts,
        "sharing_their_minute": crowding.sharing,
        "share": round(crowding.share, 6),
        "most_in_one_minute": crowding.peak,
        "crowds": [
            {"at": _clock(crowd.minute), "jobs": list(crowd.names), "on_days": crowd.days}
            for crowd in crowding.crowds
        ],
    }
    if outside.crontab is not None:
        document["crontab"] = {
            "format": outside.crontab.form,
            "notes": list(outside.crontab.notes),
            "entries": [
                {
                    "name": entry.name,
                    "line": entry.line,
                    "starts": entry.expression,
                    "user": entry.user,
                    "command": entry.command,
                    "interval": entry.interval,
                    "phase": entry.phase,
                    "taken_as": entry.approximation,
                }
                for entry in outside.crontab.entries
            ],
        }
    return document
