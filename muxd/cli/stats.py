"""``muxd history --stats``: what the runs of a time say together, job by job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from rich.text import Text

    from muxd.abc import Statistics
    from muxd.statistics import Percentiles, Stretch

__all__ = ["share_text", "show_stats", "sparkline"]

BARS = "▁▂▃▄▅▆▇█"
NONE_OK = "x"
"""Stands for a stretch of time none of whose runs was ok: seen without colours, too."""


def show_stats(told: Statistics, zone: tzinfo) -> None:
    """Print a line a job, and what the numbers are of."""
    from rich.text import Text

    from muxd.cli.output import clock_text, console, duration_text, print_table

    columns = ("job", "runs", "ok", "took", "p95", "late", "p95 ", "trend")
    rows: list[list[str | Text]] = [
        [
            job.job,
            str(job.runs),
            Text(share_text(job.ok_share), "" if job.ok_share == 1 else "yellow"),
            *_both(job.duration),
            *_both(job.lateness),
        ]
        for job in told.jobs.values()
    ]
    wide = [max(len(str(cell)) for cell in column) for column in zip(columns, *rows, strict=False)]
    room = max(6, console().width - sum(wide) - 2 * len(columns))
    length = max((len(job.trend) for job in told.jobs.values()), default=0)
    together = max(1, -(-length // room))  # how many stretches one sign stands for
    for row, job in zip(rows, told.jobs.values(), strict=True):
        row.append(sparkline(_merged(job.trend, together)))
    print_table(columns, rows, right=columns[1:-1])
    if told.since is None:
        return
    first = min(job.first_at for job in told.jobs.values())
    last = max(job.last_at for job in told.jobs.values())
    passed = sum(job.passed_over for job in told.jobs.values())
    click.echo(
        f"\nFrom {clock_text(first, zone)} to {clock_text(last, zone)}"
        + (f"; {passed} more releases were passed over (missed or coalesced)" if passed else "")
        + ".\nMedians, and 95th percentiles. Trend: how long runs took, the newest on the right, "
        f"{duration_text(told.width * together)} a sign; "
        f"{NONE_OK}: none was ok.",
        err=True,
    )


def sparkline(trend: Sequence[Stretch]) -> Text:
    """How long runs took over time, a sign for each stretch.

    Low and high are the job's own shortest and longest. Nothing ran where there is a space. It is
    yellow where some runs were not ok, and red where none was.
    """
    from rich.text import Text

    taken = [each.duration for each in trend if each.duration is not None]
    least, most = min(taken, default=0.0), max(taken, default=0.0)
    line = Text(no_wrap=True)
    for each in trend:
        if not each.runs:
            line.append(" ")
        elif not each.ok:
            line.append(NONE_OK, "bold red")
        else:
            height = ((each.duration or least) - least) / (most - least) if most > least else 0.5
            sign = BARS[min(int(height * len(BARS)), len(BARS) - 1)]
            line.append(sign, "green" if each.ok == each.runs else "yellow")
    return line


def share_text(share: float | None) -> str:
    """A share in percent, never rounded up to all or down to nothing; "-" for None."""
    if share is None:
        return "-"
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def _both(of: Percentiles | None) -> tuple[str, str]:
    from muxd.cli.output import duration_text

    return (duration_text(of.p50), duration_text(of.p95)) if of else ("-", "-")


def _merged(trend: Sequence[Stretch], together: int) -> list[Stretch]:
    """So many stretches as one; the newest are whole."""
    from muxd.statistics import Stretch

    found = []
    for end in range(len(trend), 0, -together):
        part = trend[max(0, end - together) : end]
        runs = sum(each.runs for each in part)
        timed = [(each.duration, each.runs) for each in part if each.duration is not None]
        total = sum(count for _, count in timed)
        mean = sum(took * count for took, count in timed) / total if total else None
        found.append(Stretch(runs, sum(each.ok for each in part), mean))
    return found[::-1]
