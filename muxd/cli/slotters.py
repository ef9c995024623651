"""The timetable of plugins' jobs, by plugins' slotters, as commands make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.planning import make_timetable, slot_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.abc import Learned
    from muxd.planning import Slot
    from muxd.plugins import Plugins
    from muxd.slotting import Timetable

__all__ = ["planned", "slot_of"]


def slot_of(plugins: Plugins) -> Slot:
    """A function that has the plugins' first good slotter make a timetable.

    Each plugin that is left out for its slotter is told on stderr in one line.

    Raises:
      BrokenPlugins: a plugin is broken and that was asked to be fatal; also when it is called.
    """

    def failed(plugin: str, error: BaseException) -> None:
        click.echo(f"muxd: {plugins.leave_out(plugin, 'muxd_slotter', error)}", err=True)

    return slot_with(plugins.slotters(), failed)


def planned(
    plugins: Plugins,
    *,
    learned: Mapping[str, Learned],
    phases: Mapping[str, tuple[int, int]],
    headroom: float,
) -> tuple[Timetable, Slot]:
    """The timetable of the plugins' jobs, and what made it.

    Args:
      plugins: one whose slotter fails leaves them, and takes its jobs along.
      learned: what the ledger knows of the durations, by name.
      phases: (interval, phase) in force by name.
      headroom: the share of the best gap that preferred phases may not use up, 0 to 1.

    Raises:
      BrokenPlugins: a plugin is broken and that was asked to be fatal.
    """
    slot = slot_of(plugins)
    while True:
        jobs = plugins.jobs
        table = make_timetable(jobs, learned=learned, phases=phases, headroom=headroom, slot=slot)
        # The next round has fewer plugins, so there is a last one.
        if len(plugins.jobs) == len(jobs):
            return table, slot
