"""Two tallies side by side, for people."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd_demo.stampede import Tally

__all__ = ["side_by_side"]


def side_by_side(at_once: Tally, one_by_one: Tally) -> Table:
    """A table of what each way cost."""
    many = len(at_once.attempts)
    table = Table(title=f"{many} browser jobs, two ways", title_justify="left")
    table.add_column("")
    table.add_column("all at once,\na browser each", justify="right")
    table.add_column("one at a time,\non one browser", justify="right")
    rows: dict[str, Callable[[Tally], str]] = {
        "Most browsers at once": lambda t: str(t.peak_browsers),
        f"Most memory ({at_once.memory_kind})": lambda t: f"{t.peak_memory / 2**20:,.0f} MiB",
        "Jobs that did well": lambda t: f"{many - len(t.failures)} of {many}",
        "Jobs that failed": lambda t: str(len(t.failures)),
        "A job took, median": lambda t: f"{median(a.seconds for a in t.attempts):.1f} s",
        "A job took, longest": lambda t: f"{max(a.seconds for a in t.attempts):.1f} s",
        "All took": lambda t: f"{t.seconds:.1f} s",
    }
    for label, value in rows.items():
        table.add_row(label, value(at_once), value(one_by_one))
    lines = [
        f"{way}: {attempt.job}: {attempt.failure}"
        for way, tally in (("at once", at_once), ("one at a time", one_by_one))
        for attempt in tally.failures
    ]
    if lines:
        table.caption, table.caption_justify = Text("\n".join(lines)), "left"
    return table
