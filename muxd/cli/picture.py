"""How ``muxd plan`` looks in a terminal: a table, a bar of the hour, and what is proved."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from muxd.cli.jobtable import LETTERS, job_table, print_reasons
from muxd.cli.output import clock_text, console
from muxd.slotting.account import response_words
from muxd.slotting.baselines import all_at_zero
from muxd.slotting.compare import OURS, compare_ways
from muxd.slotting.drawing import bar
from muxd.slotting.palette import PALETTE
from muxd.slotting.simulate import simulate
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from muxd.civil import Calendar
    from muxd.slotting import Demand, Timetable
    from muxd.slotting.account import Account
    from muxd.slotting.whatif import Difference

__all__ = ["show_comparison", "show_difference", "show_plan"]

_HOUR = 3600
_BAR = 30
_SHOWN = 200
"""More jobs than this are not listed one by one."""
_SIMULATED = 400
"""The old way is played through for at most so many jobs: more take too long to watch."""
_WIDE = 110
"""Columns of a screen with room for the reasons beside the jobs; else they stand below."""


def show_plan(
    table: Timetable,
    demands: Sequence[Demand],
    calendar: Calendar,
    now: float,
    told: Sequence[Account],
) -> None:
    """Print a timetable.

    Args:
      table: not empty.
      demands: what it was made from, in the same order.
      calendar: the local time of the timetable.
      now: Unix seconds.
      told: what is said of each job, in the same order.
    """
    screen = console()
    shown = told[:_SHOWN]
    screen.print(job_table(shown, calendar, now, reasons=screen.width >= _WIDE))
    if len(told) > _SHOWN:
        screen.print(f"... and {len(told) - _SHOWN} more jobs")
    if screen.width < _WIDE:
        print_reasons(screen, shown)
    screen.print()
    _print_hour(screen, table, calendar, now)
    screen.print()
    _print_proof(screen, table, told)
    _print_old_way(screen, table, demands)
    for warning in table.warnings:
        screen.print(Text("! ", "bold yellow") + Text(warning))


def _print_hour(screen: Console, table: Timetable, calendar: Calendar, now: float) -> None:
    """The hour that `now` is in: who has the browser, one cell for each minute or half of one."""
    cells = 120 if screen.width >= 130 else 60
    start = floor(calendar.to_timetable(now)) // _HOUR * _HOUR
    drawn = bar(table, start, _HOUR, cells)
    first = calendar.to_unix(start)
    label = clock_text(first, calendar.zone, now=now, seconds=False)
    ruler = "".join(f":{10 * k:02d}".ljust(cells // 6) for k in range(6))
    screen.print(Text(f"The hour from {label}; letters are jobs, dots are free time", "dim"))
    line = Text()
    for cell in drawn:
        if cell is None:
            line.append("·", "dim")
        else:
            line.append(LETTERS[cell % len(LETTERS)], f"black on {PALETTE[cell % len(PALETTE)]}")
    screen.print(Text(ruler.rstrip(), "dim"))
    screen.print(line, soft_wrap=True)


def _print_proof(screen: Console, table: Timetable, told: Sequence[Account]) -> None:
    proof = table.certificate
    if table.feasible:
        verdict = Text("no collision, ever", "bold green")
        verdict.append(f" (checked for all {proof.pairs} pairs of jobs)", "default")
    else:
        verdict = Text(f"{proof.count} pairs of jobs collide", "bold red")
    rows = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    rows.add_row("collisions", verdict)
    gap = format_duration(table.min_gap)
    rows.add_row(
        "smallest gap", f"{gap} between any two runs" if table.feasible else f"{gap} (overlap)"
    )
    rows.add_row("utilisation", f"{table.utilisation:.0%} of the browser's time is reserved")
    rows.add_row("response", response_words(told))
    screen.print(rows)


def _print_old_way(screen: Console, table: Timetable, demands: Sequence[Demand]) -> None:
    """What ``setInterval`` makes of the same jobs."""
    count = len(demands)
    if count < 2:
        return
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("", "starts at once", "runs that wait", "mean wait", "longest wait"):
        rows.add_column(column, justify="right" if column else "left")
    ways = (("setInterval, from zero", all_at_zero(demands)), ("this timetable", table.phases))
    for name, phases in ways if count <= _SIMULATED else ():
        # A day tells it; the timetable of years would only take longer.
        found = simulate(demands, phases, horizon=86_400)
        rows.add_row(
            name,
            str(found.peak),
            f"{found.waited:.0%}",
            format_duration(round(found.mean)),
            format_duration(round(found.worst)),
        )
    screen.print()
    if count <= _SIMULATED:
        screen.print(rows)
    else:
        screen.print(f"setInterval would start up to {count} jobs at once.")


def show_difference(change: Difference) -> None:
    """Print what another plan would change."""
    screen = console()
    screen.print()
    for word, names in (("added", change.added), ("removed", change.removed)):
        if names:
            screen.print(Text(f"{word}: ", "bold") + Text(", ".join(names)))
    if change.moved:
        screen.print(Text("moves:", "bold"))
        for name, was, now in change.moved:
            screen.print(Text(f"  {name} from {format_duration(was)} to {format_duration(now)}"))
    else:
        screen.print("No other job moves.")
    before, after = map(format_duration, change.min_gap)
    screen.print(
        f"smallest gap {before} before, {after} after; utilisation {change.utilisation[0]:.0%} before, "
        f"{change.utilisation[1]:.0%} after"
    )


def show_comparison(demands: Sequence[Demand], table: Timetable) -> None:
    """Print how long runs wait as other schedulers place the same jobs."""
    screen = console()
    screen.print()
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("phases by", "starts at once", "mean wait", "p95", "longest"):
        rows.add_column(column, justify="left" if column == "phases by" else "right")
    rows.add_column("runs that wait")
    for way, found in compare_ways(demands, table.phases):
        filled = round(found.waited * _BAR)
        bar_text = Text("█" * filled, "red" if found.waited else "green")
        bar_text.append("░" * (_BAR - filled), "dim")
        bar_text.append(f" {found.waited:.0%}", "default")
        rows.add_row(
            Text(way, "bold" if way == OURS else ""),
            str(found.peak),
            *(format_duration(round(t)) for t in (found.mean, found.p95, found.worst)),
            bar_text,
        )
    screen.print(rows)
