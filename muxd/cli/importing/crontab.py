"""A crontab as configuration: when each of its jobs runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd.cli.importing.tomltext import comment, keys, table
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.slotting.crontab import CronEntry, Crontab

__all__ = ["crontab_toml"]


def crontab_toml(crontab: Crontab) -> str:
    """A table ``[jobs.NAME]`` for each line that starts something, with what it can't say beside it."""
    return "\n".join(_lines(crontab)) + "\n"


def _lines(crontab: Crontab) -> Iterator[str]:
    yield comment("When the lines of a crontab run, as the phases of jobs that you write for them:")
    yield comment("`muxd new NAME --single` begins the job of a table.")
    for note in crontab.notes:
        yield comment(f"! {note}")
    for entry in crontab.entries:
        yield ""
        yield from _table(entry)


def _table(entry: CronEntry) -> Iterator[str]:
    user = f"{entry.user}  " if entry.user else ""
    yield comment(f"line {entry.line}: {entry.expression}  {user}{entry.command}")
    if entry.approximation:
        yield comment(f"taken as {entry.approximation}")
    yield table("jobs", entry.name)
    yield from keys(
        {
            "interval": format_duration(entry.interval),
            "preferred_phase": format_duration(entry.phase),
        }
    )
