"""``muxd plan``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from muxd.cli.drawings import drawing_options
from muxd.cli.options import config_options, epilog, json_option
from muxd.cli.outside import outside_options
from muxd.slotting.account import Known, accounts
from muxd.slotting.compare import compare_ways
from muxd.slotting.whatif import difference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd.abc import Learned
    from muxd.cli.crontab import Outside
    from muxd.cli.drawings import Drawings
    from muxd.cli.outside import OutsideFile
    from muxd.config import Config
    from muxd.planning import Slot
    from muxd.slotting import Demand, Timetable
    from muxd.slotting.account import Account
    from muxd.slotting.whatif import Difference

__all__ = ["plan"]


@click.command(
    epilog=epilog(
        ("muxd plan", "the timetable of the jobs of all plugins"),
        ("muxd plan --jobs-file jobs.json", "of the jobs in a file, without any plugin"),
        ("crontab -l | muxd plan --from-crontab -", "what collides in it now, and what would not"),
        ("muxd plan --what-if 'job=feed interval=20m'", "the plan that would be, and what moves"),
        ("muxd plan --compare", "beside how other schedulers choose phases"),
        ("muxd plan --svg plan.svg --hours 2", "a picture of two hours"),
        ("muxd plan --html plan.html", "all that can be said, as one page"),
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
@outside_options
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
@click.option(
    "--what-if",
    "changes",
    multiple=True,
    metavar="CHANGE",
    help="Try a change: 'job=NAME interval=20m duration=40s phase=5m pinned=yes priority=3'.",
)
@click.option(
    "--add",
    "additions",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Try the jobs of a JSON file beside the others.",
)
@click.option("--without", "removals", multiple=True, metavar="NAME", help="Try without a job.")
@click.option(
    "--compare", is_flag=True, help="Play the same jobs through as other schedulers place them."
)
@drawing_options
@config_options(headroom="slotting.headroom")
@json_option
def plan(
    config: Config,
    jobs_file: Path | None,
    outside_file: OutsideFile | None,
    anew: bool,
    changes: tuple[str, ...],
    additions: tuple[Path, ...],
    removals: tuple[str, ...],
    compare: bool,
    drawings: Drawings,
    as_json: bool,
) -> None:
    """Show the timetable: each job's phase and next start, and what is proved about them all.

    Without a file of jobs it is the timetable that the daemon has, or would have if it were started
    now: phases in force stay, durations are those learned from past runs.
    """
    from muxd.channel import DEFAULT_OVERTAKES
    from muxd.civil import Calendar
    from muxd.cli import picture
    from muxd.cli.output import print_json
    from muxd.slotting import solve
    from muxd.slotting.jobsfile import read_jobs_file
    from muxd.zone import zone

    calendar = Calendar(zone(config))
    outside: Outside | None = None
    slot: Slot = solve
    known = Known()
    if outside_file is not None:
        outside = outside_file.read(calendar.local(time.time()).date())
        demands = outside.demands
        table = solve(demands, headroom=config.slotting.headroom)
    elif jobs_file is not None:
        demands = read_jobs_file(jobs_file)
        table = solve(demands, headroom=config.slotting.headroom)
    else:
        demands, known, table, slot = _of_plugins(config, anew=anew)
    change: Difference | None = None
    if changes or additions or removals:
        before = table
        demands, table = _tried(config, slot, demands, before, changes, additions, removals)
        change = difference(before, table)
        known = attrs.evolve(known, in_force=before.phases)
    told = accounts(table, demands, known, overtakes=DEFAULT_OVERTAKES)
    drawings.write(config, table, demands, told)
    if as_json:
        print_json(as_dict(table, told, demands if compare else (), change, outside))
        return
    if outside is not None:
        from muxd.cli.crontab import show_outside

        show_outside(outside)
    if not demands and outside is None:
        click.echo(
            "There are no jobs to plan: install a plugin, or name a directory with --jobs-dir or "
            "a file with --jobs-file.",
            err=True,
        )
    elif demands:
        picture.show_plan(table, demands, calendar, time.time(), told)
        if change is not None:
            picture.show_difference(change)
        if compare:
            picture.show_comparison(demands, table)


def _tried(
    config: Config,
    slot: Slot,
    demands: list[Demand],
    before: Timetable,
    changes: tuple[str, ...],
    additions: tuple[Path, ...],
    removals: tuple[str, ...],
) -> tuple[list[Demand], Timetable]:
    """The jobs as they would be, and their timetable with as little moved as possible.

    Raises:
      UserError: a change that can't be made; a file that can't be used.
    """
    from muxd.errors import UserError
    from muxd.slotting.jobsfile import read_jobs_file
    from muxd.slotting.whatif import changed, without

    for path in additions:
        names = {demand.name for demand in demands}
        for demand in read_jobs_file(path):
            if demand.name in names:
                raise UserError(f"{path}: there is a job {demand.name!r} already")
            demands = [*demands, demand]
    for name in removals:
        demands = without(demands, name)
    for change in changes:
        demands = changed(demands, change)
    interval = {slot.name: slot.interval for slot in before.slots}
    fixed = {
        demand.name: before.phases[demand.name]
        for demand in demands
        if interval.get(demand.name) == demand.interval
    }
    return demands, slot(demands, fixed=fixed, headroom=config.slotting.headroom)


def _of_plugins(config: Config, *, anew: bool) -> tuple[list[Demand], Known, Timetable, Slot]:
    """The plugins' jobs: what they ask for, what is known, their timetable, what made it."""
    from muxd import run
    from muxd.cli.context import load
    from muxd.cli.slotters import planned
    from muxd.planning import demands_of

    plugins = load(config)
    learned: Mapping[str, Learned] = {}
    phases: Mapping[str, tuple[int, int]] = {}
    if config.daemon.state_dir.is_dir():
        store = plugins.store(config.daemon.state_dir)

        async def read() -> tuple[Mapping[str, Learned], Mapping[str, tuple[int, int]]]:
            async with store.open(readonly=True) as opened:
                return await opened.learned(), await opened.phases()

        learned, phases = run(read)
    table, slot = planned(
        plugins,
        learned=learned,
        phases={} if anew else phases,
        headroom=config.slotting.headroom,
    )
    demands = demands_of(plugins.jobs, learned)
    known = Known(
        declared={job.name: job.duration for job in plugins.jobs},
        learned=learned,
        in_force={} if anew else {name: phase for name, (_, phase) in phases.items()},
    )
    return demands, known, table, slot


def as_dict(
    table: Timetable,
    told: Sequence[Account],
    compared: Sequence[Demand] = (),
    change: Difference | None = None,
    outside: Outside | None = None,
) -> dict[str, Any]:
    """For JSON: stable keys, times in seconds.

    Args:
      table: the timetable.
      told: what is said of each of its jobs.
      compared: the demands it was made from, if other ways to place them are to be told too.
      change: what it changes, if that was asked for.
      outside: what collides now, if that was asked for.
    """
    document: dict[str, Any] = {
        "phases": table.phases,
        "feasible": table.feasible,
        "min_gap": table.min_gap,
        "collisions": len(table.collisions),
        "utilisation": round(table.utilisation, 6),
        "warnings": list(table.warnings),
        "moved": list(table.moved),
        "jobs": [_job_dict(account) for account in told],
    }
    if change is not None:
        document["change"] = {
            "added": list(change.added),
            "removed": list(change.removed),
            "moved": {name: [was, now] for name, was, now in change.moved},
            "min_gap_before": change.min_gap[0],
            "utilisation_before": round(change.utilisation[0], 6),
        }
    if outside is not None:
        from muxd.cli.crontab import outside_as_dict

        document["now"] = outside_as_dict(outside)
    if compared:
        document["compared"] = [
            {
                "way": way,
                "share_waiting": round(found.waited, 6),
                "mean_wait": round(found.mean, 3),
                "p95_wait": round(found.p95, 3),
                "longest_wait": round(found.worst, 3),
                "missed": found.missed,
                "peak_starts": found.peak,
            }
            for way, found in compare_ways(compared, table.phases)
        ]
    return document


def _job_dict(account: Account) -> dict[str, Any]:
    slot, learned = account.slot, account.learned
    return {
        "name": slot.name,
        "interval": slot.interval,
        "phase": slot.phase,
        "duration": slot.duration,
        "priority": slot.priority,
        "preferred_phase": slot.preferred_phase,
        "pinned": slot.pinned,
        "moved_by": slot.moved,
        "why": account.reason,
        "response_bound": account.response,
        "response_bound_uneven": account.response_uneven,
        "declared": account.declared,
        "learned": None if learned is None else attrs.asdict(learned),
    }
