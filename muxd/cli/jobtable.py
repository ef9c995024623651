"""The jobs of a timetable as a table: phases, moves and why, durations said and learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from muxd.cli.output import clock_text
from muxd.slotting.account import measured
from muxd.slotting.palette import PALETTE
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from muxd.civil import Calendar
    from muxd.learned import Learned
    from muxd.slotting import Slot
    from muxd.slotting.account import Account

__all__ = ["LETTERS", "job_table", "print_reasons"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SAID_ELSEWHERE = ("", "as wished", "pinned")


def job_table(told: Sequence[Account], calendar: Calendar, now: float, *, reasons: bool) -> Table:
    """One row for each job.

    Args:
      told: the jobs, in the order of their letters.
      calendar: the local time of the timetable.
      now: Unix seconds.
      reasons: with a column that says why each job is where it is.
    """
    learned = any(account.learned is not None for account in told)
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column("")
    shown.add_column("job", no_wrap=True)
    for column in ("every", "phase", "next", "takes"):
        shown.add_column(column, justify="right", no_wrap=True)
    for column in ("said", "p50", "p95", "spread", "drift") if learned else ():
        shown.add_column(column, justify="right", no_wrap=True)
    for column in ("ends in", "moved by"):
        shown.add_column(column, justify="right", no_wrap=True)
    if reasons:
        shown.add_column("why", min_width=20)
    for number, account in enumerate(told):
        slot = account.slot
        next_at = calendar.next_release(slot.interval, slot.phase, now)
        cells = [
            _mark(number),
            Text(slot.name),
            Text(format_duration(slot.interval)),
            Text(format_duration(slot.phase)),
            Text(clock_text(next_at, calendar.zone, now=now)),
            _takes(account, beside=learned),
            *(_learned(account.declared, account.learned) if learned else ()),
            Text("?" if account.response is None else format_duration(account.response)),
            _moved(slot),
        ]
        if reasons:
            cells.append(Text(_why(account), "dim"))
        shown.add_row(*cells)
    return shown


def print_reasons(screen: Console, told: Sequence[Account]) -> None:
    """Print why each job is where it is, for those of which the table doesn't say it already."""
    for account in told:
        if words := _why(account):
            screen.print(Text(f"{account.slot.name}: ") + Text(words, "dim"))


def _why(account: Account) -> str:
    return "" if account.reason in _SAID_ELSEWHERE else account.reason


def _mark(number: int) -> Text:
    letter = LETTERS[number % len(LETTERS)]
    return Text(letter, f"bold {PALETTE[number % len(PALETTE)]}")


def _takes(account: Account, *, beside: bool) -> Text:
    text = Text(format_duration(account.slot.duration))
    said = account.declared
    if not beside and said is not None and abs(said - account.slot.duration) >= 1:
        text.append(f" (said {format_duration(round(said))})", "dim")
    return text


def _learned(declared: float | None, learned: Learned | None) -> list[Text]:
    said = Text("-" if declared is None else format_duration(declared), "dim")
    if learned is None:
        return [said, *(Text("-", "dim") for _ in range(4))]
    return [
        said,
        Text(measured(round(learned.p50, 1))),
        Text(measured(round(learned.p95, 1))),
        Text("-" if learned.spread is None else f"{learned.spread:.0%}"),
        Text("-" if learned.drift is None else f"{learned.drift:+.0%}"),
    ]


def _moved(slot: Slot) -> Text:
    if slot.preferred_phase is None:
        return Text("-", "dim")
    if slot.pinned:
        return Text("pinned")
    if not slot.moved:
        return Text("0s", "green")
    later = (slot.phase - slot.preferred_phase) % slot.interval == slot.moved
    return Text(("+" if later else "-") + format_duration(slot.moved))
