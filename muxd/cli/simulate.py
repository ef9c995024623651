"""``muxd simulate``."""

from __future__ import annotations

import math
import shlex
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd.config import Config
    from muxd.simulation import Broken, Report, Scenario

__all__ = ["simulate"]


@click.command(
    epilog=epilog(
        ("muxd simulate", "the next 30 days of the jobs of all plugins, if all goes well"),
        ("muxd simulate --faults 0.02", "and if at each step something goes wrong 2 times in 100"),
        ("muxd simulate --jobs-file jobs.json --days 7", "of the jobs in a file"),
        ("muxd simulate --from 2026-03-28 --days 2", "over the beginning of summer time"),
        ("muxd simulate --json", "for programs"),
    )
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=3660),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="How much time to simulate.",
)
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="RATE",
    help="How likely it is that something goes wrong, at each place where something can.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of all chance: the same one gives the same simulation.",
)
@click.option(
    "--from",
    "since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The day on which it begins, at midnight. [default: today]",
)
@click.option(
    "--jobs-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Simulate the jobs in a JSON file, as for `muxd plan`; it may give their timeout, retries, "
    "overlap and misfire too.",
)
@config_options()
@json_option
def simulate(
    config: Config,
    days: float,
    faults: float,
    seed: int,
    since: datetime | None,
    jobs_file: Path | None,
    as_json: bool,
) -> int:
    """Play the jobs through: the real scheduler on imagined time, with an imagined browser.

    The bodies of the jobs are not run: each run lasts as long as runs of its job did so far, or as
    it is declared. With --faults browsers crash, pages hang, the ledger fails, the clock is set, the
    machine sleeps, and the daemon is killed and started again. What muxd promises is checked at
    every step; each promise that is broken is shown with the command to see it again.

    Nothing is written to the state directory, and a running daemon is left alone.
    """
    from muxd.cli.output import print_json
    from muxd.errors import UserError
    from muxd.simulation import simulate as play

    scenario = _scenario(config, days, faults, seed, since, jobs_file)
    if not scenario.jobs:
        raise UserError(
            "there are no jobs to simulate: install a plugin, name a directory of job files with "
            "--jobs-dir, or a file of jobs with --jobs-file"
        )
    report = play(scenario)
    if as_json:
        found = report.as_dict()
        for broken, told in zip(report.broken, found["broken"], strict=True):
            told["command"] = _again(broken, scenario)
        print_json(found)
    else:
        _show(report, scenario)
    return 1 if report.broken_count else 0


def _scenario(
    config: Config,
    days: float,
    faults: float,
    seed: int,
    since: datetime | None,
    jobs_file: Path | None,
) -> Scenario:
    from muxd.recycling import Limits
    from muxd.simulation import FaultRates, Scenario
    from muxd.simulation.jobsfile import read_jobs
    from muxd.zone import zone

    place = zone(config)
    day = (since or datetime.fromtimestamp(time.time(), place)).replace(tzinfo=place)
    start = day.replace(hour=0, minute=0, second=0, microsecond=0)
    known: dict[str, Any] = _known(config) if jobs_file is None else {"jobs": read_jobs(jobs_file)}
    return Scenario(
        zone=place,
        start=start.timestamp(),
        days=days,
        seed=seed,
        rates=FaultRates(everywhere=faults),
        slotting=config.slotting,
        limits=Limits(runs=config.browser.recycle_runs, age=config.browser.recycle_age),
        **known,
    )


def _known(config: Config) -> dict[str, Any]:
    """The plugins' jobs, and what the ledger knows of them."""
    from muxd import run
    from muxd.cli.context import load

    plugins = load(config)
    learned: Mapping[str, Any] = {}
    phases: Mapping[str, tuple[int, int]] = {}
    if config.daemon.state_dir.is_dir():
        store = plugins.store(config.daemon.state_dir)

        async def read() -> tuple[Mapping[str, Any], Mapping[str, tuple[int, int]]]:
            async with store.open(readonly=True) as opened:
                return await opened.learned(), await opened.phases()

        learned, phases = run(read)
    return {
        "jobs": plugins.jobs,
        "slotters": tuple(plugins.slotters()),
        "learned": learned,
        "phases": phases,
    }


def _again(broken: Broken, scenario: Scenario) -> str:
    """The command that shows it again."""
    from muxd.cli.context import this_program

    own = ("--days", "--seed", "--from", "--faults", "--json")
    given = sys.argv[sys.argv.index("simulate") + 1 :] if "simulate" in sys.argv else []
    words = [this_program(), "simulate", f"--days {max(1, math.ceil(broken.day))}"]
    words += [f"--faults {scenario.rates.everywhere:g}", f"--seed {scenario.seed}"]
    start = datetime.fromtimestamp(scenario.start, scenario.zone)
    words.append(f"--from {start:%Y-%m-%d}")
    skip = False
    for word in given:
        name = word.partition("=")[0]
        if skip:
            skip = False
        elif name in own:
            skip = name != "--json" and "=" not in word
        else:
            words.append(shlex.quote(word))
    return " ".join(words)


def _show(report: Report, scenario: Scenario) -> None:
    from muxd.cli.output import duration_text, print_table

    click.echo(
        f"{report.days:.4g} days of {len(scenario.jobs)} jobs, seed {report.seed}: "
        f"{report.runs} releases, {report.lives} starts of the daemon, "
        f"{sum(report.mishaps.values())} mishaps\n"
    )
    rows = [
        ("runs", ", ".join(f"{count} {outcome}" for outcome, count in report.outcomes.items())),
        (
            "wait",
            f"p50 {duration_text(report.waits.p50)}, p95 {duration_text(report.waits.p95)}, "
            f"longest {duration_text(report.waits.most)}",
        ),
        ("collisions", f"{report.collisions} releases found the browser busy"),
        (
            "idle",
            f"{report.idle_share:.1%} of the time, {duration_text(report.idle.p50)} at a time, "
            f"{duration_text(report.idle.most)} at most",
        ),
        (
            "browser",
            f"{report.launches} launches, {report.losses} lost, {report.recycled} recycled",
        ),
        (
            "second tries",
            f"{sum(job.retries for job in report.jobs)} retries, "
            f"{sum(job.catch_ups for job in report.jobs)} catch-ups",
        ),
    ]
    if report.mishaps:
        told = sorted(report.mishaps.items(), key=lambda item: (-item[1], item[0]))
        rows.append(("mishaps", ", ".join(f"{count} {fault}" for fault, count in told)))
    print_table(("", ""), rows)
    click.echo()
    _show_jobs(report)
    click.echo()
    if not report.broken_count:
        click.echo("No promise was broken.")
    for broken in report.broken[:5]:
        _show_broken(broken, scenario)
    if report.broken_count > 5:
        click.echo(f"and {report.broken_count - 5} more")


def _show_jobs(report: Report) -> None:
    from muxd.cli.output import duration_text, print_table
    from muxd.record import Outcome
    from muxd.units import format_duration

    own = (Outcome.ok, Outcome.missed, Outcome.coalesced, Outcome.interrupted)
    rows: list[Sequence[str]] = [
        (
            job.name,
            format_duration(job.interval),
            str(job.outcomes.get(Outcome.ok, 0)),
            str(sum(count for outcome, count in job.outcomes.items() if outcome not in own)),
            str(sum(job.outcomes.get(outcome, 0) for outcome in own[1:])),
            str(job.retries),
            str(job.catch_ups),
            duration_text(job.waits.p95),
            duration_text(job.waits.most),
            duration_text(job.durations.p95),
        )
        for job in report.jobs
    ]
    columns = (
        "job",
        "every",
        "ok",
        "bad",
        "not run",
        "retries",
        "catch-ups",
        "wait p95",
        "longest",
        "takes p95",
    )
    print_table(columns, rows, right=columns[1:])


def _show_broken(broken: Broken, scenario: Scenario) -> None:
    from muxd.simulation.rules import RULES

    click.echo(f"BROKEN: {RULES[broken.rule]}\n  {broken}\n  again: {_again(broken, scenario)}")
    for line in broken.recent:
        click.echo(f"    {line}")
