"""``muxd status``."""

from __future__ import annotations

import time
from datetime import datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.cli.toldclock import ToldClock
    from muxd.config import Config

__all__ = ["status"]


@click.command(
    epilog=epilog(
        ("muxd status", "one screen"),
        ("muxd status --jobs", "every job and its next release, in pages"),
        ("muxd status --json --next 50", "for programs"),
    )
)
@click.option(
    "--next",
    "upcoming",
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    metavar="N",
    help="How many of the next releases to show.",
)
@click.option("--jobs", is_flag=True, help="Show the jobs and their next releases, by name.")
@click.option("--after", default="", metavar="JOB", help="With --jobs: those after this one.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=100,
    show_default=True,
    metavar="N",
    help="With --jobs: how many.",
)
@config_options(needs=["daemon.state_dir"])
@json_option
def status(
    config: Config, upcoming: int, jobs: bool, after: str, limit: int, as_json: bool
) -> None:
    """Show what the daemon is doing: browser, run in progress, queue, next releases, failures, totals.

    However many jobs there are, it answers at once: lists are cut. With --jobs, `next` in the JSON
    document is what to give as --after for the next page; null: this is the last.
    """
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    client = ControlClient(state)
    told = client.jobs(after=after, limit=limit) if jobs else client.status(upcoming=upcoming)
    if as_json:
        print_json(told)
    elif jobs:
        from muxd.cli.toldclock import ToldClock

        _show_jobs(told, ToldClock(client.status(upcoming=0), time.time()))
    else:
        _show(told, time.time())


def _show_jobs(told: dict[str, Any], clock: ToldClock) -> None:
    from muxd.cli.output import harmless, print_plain
    from muxd.units import format_duration

    rows = [
        (
            job["name"],
            format_duration(job["interval"]),
            format_duration(job["phase"]),
            format_duration(job["duration"]),
            clock(_unix(job["next_at"])) if job["next_at"] else "-",
            "" if job["paused"] is None else f"paused: {harmless(job['paused'])}",
        )
        for job in told["jobs"]
    ]
    print_plain(
        ("job", "every", "phase", "takes", "next", ""), rows, right=("every", "phase", "takes")
    )
    if told["next"] is not None:
        click.echo(f"\n{len(rows)} of {told['total']} jobs; go on with --after {told['next']}")


def _show(told: dict[str, Any], now: float) -> None:
    from muxd.cli.output import duration_text, error_text, harmless, print_plain, short
    from muxd.cli.toldclock import ToldClock

    clock = ToldClock(told, now)
    browser, running, plan = told["browser"], told["running"], told["timetable"]
    faster = f", {told['speed']:g} times as fast as real" if told["speed"] != 1 else ""
    again = f", started again {told['restarts']}x" if told.get("restarts") else ""
    click.echo(
        f"muxd      {told['state']}{faster}, process {told['pid']}{again}, {told['state_dir']}"
    )
    if faster:
        click.echo("rehearsal times of day are the timetable's; how long things take is real")
    if browser["up"]:
        since = duration_text(now - _unix(browser["up_since"]))
        click.echo(
            f"browser   {browser['version']}, up for {since}, process {browser['pid']}, "
            f"generation {browser['generation']}"
        )
        if browser.get("runs") is not None:
            click.echo(f"          {_use(browser, clock)}")
    else:
        click.echo(f"browser   none: {browser['last_loss'] or 'being launched'}")
    click.echo(
        f"plan      {plan['jobs']} jobs, "
        + ("no collision" if plan["feasible"] else f"{_collisions(plan)} colliding pairs")
        + f", smallest gap {plan['min_gap']:g} s, {plan['utilisation']:.0%} of the time used"
    )
    click.echo(f"running   {_in_progress(running, clock, now) if running else 'nothing'}")
    # A daemon that was started by an older muxd tells less.
    if "today" in told:
        click.echo(f"today     {_counts(told['today']) or 'no run has ended'}")
    since_start = _counts(told["runs"]["by_outcome"]) or "none yet"
    click.echo(f"runs      {since_start}; most at once {told['runs']['most_at_once']}")
    for warning in told.get("warnings", ()):
        click.echo(f"warning   {harmless(warning)}")
    _show_pauses(told, clock)
    if told["waiting"]:
        click.echo("")
        queue = [
            (
                item["job"],
                item["cause"],
                duration_text(now - _unix(item["released_at"])),
                str(item["priority"]),
                item.get("reason", ""),
            )
            for item in told["waiting"]
        ]
        columns = ("waiting", "asked by", "for", "priority", "because")
        print_plain(columns, queue, right=("for", "priority"))
        _rest(told, "waiting")
    rows = [
        (item["job"], clock(at), duration_text(max(0.0, at - now)))
        for item in told["upcoming"]
        for at in (_unix(item["at"]),)
    ]
    if rows:  # while it starts, no release is due yet
        click.echo("")
        print_plain(("next", "at", "in"), rows, right=("in",))
    if told.get("failures"):
        click.echo("")
        failures = [
            (
                item["job"],
                item["outcome"],
                clock(_unix(item["ended_at"])),
                item["id"][-6:],
                harmless(error_text(item["error_type"], item["error"])),
            )
            for item in told["failures"]
        ]
        columns = ("failed lately", "", "at", "run", "error")
        taken = sum(
            2 + max(map(len, column)) for column in list(zip(columns, *failures, strict=True))[:-1]
        )
        room = max(20, get_terminal_size().columns - taken)
        print_plain(columns, [(*row, short(error, room)) for *row, error in failures])


def _in_progress(running: dict[str, Any], clock: ToldClock, now: float) -> str:
    from muxd.cli.output import duration_text, progress_text

    text = f"{running['job']} ({running['id']}) for {duration_text(now - _unix(running['started_at']))}"
    if running.get("expected") is not None:
        text += f" of about {duration_text(clock.real(running['expected']))}"
    if running.get("deadline"):
        text += f", until {clock(_unix(running['deadline']))} at most"
    if progress := running.get("progress"):
        text += f"; {progress_text(progress)}"
    return text


def _counts(by_outcome: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in by_outcome.items())


def _show_pauses(told: dict[str, Any], clock: ToldClock) -> None:
    """What is not run, why, and what ends that."""
    from muxd.cli.output import harmless

    def at(instant: str | None) -> str:
        return clock(_unix(instant)) if instant else ""

    if drain := told.get("drained"):
        note = harmless(drain["note"])
        click.echo(f"drained   no release is run: {note}; `muxd resume --all`")
    if whole := told.get("paused_whole"):
        ends = f"until {at(whole['probe_at'])} or " if whole["probe_at"] else "until "
        click.echo(f"paused    all jobs: {harmless(whole['note'])}; {ends}`muxd resume --all`")
    if told.get("restart_at"):
        click.echo(f"restart   at {at(told['restart_at'])}, in a gap")
    for item in told.get("skipped", ()):
        click.echo(f"skipped   {item['job']} at {at(item['probe_at'])}: {harmless(item['note'])}")
    for item in told.get("paused", ()):
        again = f"tried again from {at(item['probe_at'])} on" if item["probe_at"] else ""
        remedy = f"`muxd resume {item['job']}`"
        click.echo(
            f"paused    {item['job']}: {harmless(item['note'])}; "
            f"{' or '.join(filter(None, (again, remedy)))}"
        )
    _rest(told, "paused")


def _collisions(plan: dict[str, Any]) -> str:
    return f"{'at least ' if plan.get('more_collisions') else ''}{plan['collisions']}"


def _rest(told: dict[str, Any], what: str) -> None:
    """How many are not among those that were told."""
    shown = len(told.get(what, ()))
    total = told.get(f"{what}_total", shown)  # an older daemon tells all
    if total > shown:
        click.echo(f"... and {total - shown} more {what}")


def _use(browser: dict[str, Any], clock: ToldClock) -> str:
    """What the browser has done and takes, and when it is replaced."""
    from muxd.sizes import format_size

    text = f"{browser['runs']} {'run' if browser['runs'] == 1 else 'runs'} made"
    if browser["memory"] is not None:
        text += f", {format_size(browser['memory'])} of memory"
    if browser.get("pages") is not None:
        text += f", {browser['pages']} {'page' if browser['pages'] == 1 else 'pages'} open"
    due = browser["recycling"]
    if due is not None:
        at = f"at {clock(_unix(due['at']))}" if due["at"] else "between two runs"
        text += f"; to be recycled {at} ({due['reason']})"
    return text


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
