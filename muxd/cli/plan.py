"""``muxd plan``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.abc import Learned
    from muxd.config import Config
    from muxd.slotting import Demand, Timetable

__all__ = ["plan"]


@click.command(
    epilog=epilog(
        ("muxd plan", "the timetable of the jobs of all plugins"),
        ("muxd plan --jobs-file jobs.json", "of the jobs in a file, without any plugin"),
        ("muxd plan --headroom 0.2", "nearer to the preferred phases, with smaller gaps"),
        ("muxd plan --json", "for programs"),
    )
)
@click.option(
    "--jobs-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='Plan the jobs in a JSON file: {"jobs": [{"name", "interval", "duration", "priority", '
    '"preferred_phase", "pinned"}, ...]}, times in seconds.',
)
@click.option(
    "--headroom",
    type=float,
    default=None,
    metavar="SHARE",
    help="Share of the best gap between runs that preferred phases may not use up, 0 to 1. "
    "[default: 0.5]",
)
@click.option(
    "--anew", is_flag=True, help="Plan from scratch, whatever phases the daemon has in force."
)
@config_options(headroom="slotting.headroom")
@json_option
def plan(config: Config, jobs_file: Path | None, anew: bool, as_json: bool) -> None:
    """Show the timetable: each job's phase and next start, and what is proved about them all.

    Without --jobs-file it is the timetable that the daemon has, or would have if it were started
    now: phases in force stay, durations are those learned from past runs.
    """
    from muxd.civil import Calendar
    from muxd.cli.output import print_json
    from muxd.zone import zone

    if jobs_file is not None:
        from muxd.slotting import solve
        from muxd.slotting.jobsfile import read_jobs_file

        demands = read_jobs_file(jobs_file)
        declared: dict[str, float] = {}
        table = solve(demands, headroom=config.slotting.headroom)
    else:
        demands, declared, table = _of_plugins(config, anew=anew)
    if as_json:
        print_json(as_dict(table))
        return
    if not demands:
        click.echo(
            "There are no jobs to plan: install a plugin, or name a directory with --jobs-dir or "
            "a file with --jobs-file.",
            err=True,
        )
        return
    from muxd.cli.picture import show_plan

    show_plan(table, demands, Calendar(zone(config)), time.time(), declared=declared)


def _of_plugins(config: Config, *, anew: bool) -> tuple[list[Demand], dict[str, float], Timetable]:
    """The jobs of the plugins: what they ask for, what they declared, and their timetable."""
    from muxd import run
    from muxd.cli.context import load
    from muxd.planning import demand_of, make_timetable

    plugins = load(config)
    learned: Mapping[str, Learned] = {}
    phases: Mapping[str, tuple[int, int]] = {}
    if config.daemon.state_dir.is_dir():
        store = plugins.store(config.daemon.state_dir)

        async def read() -> tuple[Mapping[str, Learned], Mapping[str, tuple[int, int]]]:
            async with store.open(readonly=True) as opened:
                return await opened.learned(), await opened.phases()

        learned, phases = run(read)
    table = make_timetable(
        plugins.jobs,
        learned=learned,
        phases={} if anew else phases,
        headroom=config.slotting.headroom,
    )
    ordered = sorted(plugins.jobs, key=lambda job: job.name)
    demands = [demand_of(job, learned.get(job.name)) for job in ordered]
    return demands, {job.name: job.duration for job in ordered}, table


def as_dict(table: Timetable) -> dict[str, Any]:
    """For JSON: stable keys, times in seconds."""
    return {
        "phases": table.phases,
        "feasible": table.feasible,
        "min_gap": table.min_gap,
        "collisions": len(table.collisions),
        "utilisation": round(table.utilisation, 6),
        "warnings": list(table.warnings),
        "moved": list(table.moved),
        "jobs": [_slot_dict(table, i) for i in range(len(table.slots))],
    }


def _slot_dict(table: Timetable, number: int) -> dict[str, Any]:
    slot = table.slots[number]
    return {
        "name": slot.name,
        "interval": slot.interval,
        "phase": slot.phase,
        "duration": slot.duration,
        "priority": slot.priority,
        "preferred_phase": slot.preferred_phase,
        "pinned": slot.pinned,
        "moved_by": slot.moved,
    }
