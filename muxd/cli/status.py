"""``muxd status``."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["status"]


@click.command(
    epilog=epilog(
        ("muxd status", "one screen"),
        ("muxd status --json", "for programs"),
    )
)
@config_options(needs=["daemon.state_dir"])
@json_option
def status(config: Config, as_json: bool) -> None:
    """Show what the daemon is doing: browser, run in progress, queue, next releases, totals."""
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    told = ControlClient(state).status()
    if as_json:
        print_json(told)
    else:
        _show(told, time.time())


def _show(told: dict[str, Any], now: float) -> None:
    from muxd.cli.output import clock_text, duration_text, print_table

    zone = ZoneInfo(told["timezone"])
    browser, running, plan = told["browser"], told["running"], told["timetable"]
    faster = f", {told['speed']:g} times as fast as real" if told["speed"] != 1 else ""
    again = f", started again {told['restarts']}x" if told.get("restarts") else ""
    click.echo(
        f"muxd      {told['state']}{faster}, process {told['pid']}{again}, {told['state_dir']}"
    )
    if browser["up"]:
        since = duration_text(now - _unix(browser["up_since"]))
        click.echo(
            f"browser   {browser['version']}, up for {since}, process {browser['pid']}, "
            f"generation {browser['generation']}"
        )
        if browser.get("runs") is not None:
            click.echo(f"          {_use(browser, zone, now)}")
    else:
        click.echo(f"browser   none: {browser['last_loss'] or 'being launched'}")
    click.echo(
        f"plan      {plan['jobs']} jobs, "
        + ("no collision" if plan["feasible"] else f"{plan['collisions']} colliding pairs")
        + f", smallest gap {plan['min_gap']:g} s, {plan['utilisation']:.0%} of the time used"
    )
    if running:
        since = duration_text(now - _unix(running["started_at"]))
        click.echo(f"running   {running['job']} ({running['id']}) for {since}")
    else:
        click.echo("running   nothing")
    outcomes = ", ".join(f"{count} {name}" for name, count in told["runs"]["by_outcome"].items())
    click.echo(f"runs      {outcomes or 'none yet'}; most at once {told['runs']['most_at_once']}")
    resources = told.get("resources")  # a daemon that was started by an older muxd tells less
    if resources and resources["short"]:
        held = ", ".join(resources["holding"]) or "nothing"
        click.echo(f"warning   {resources['short']}; held: {held}")
    ledger = told.get("ledger") or {"unwritten": 0, "warnings": []}  # an older daemon tells of none
    if ledger["unwritten"]:
        count = ledger["unwritten"]
        click.echo(f"warning   the ledger can't be written: {count} records are in memory only")
    for warning in (*ledger["warnings"], *plan["warnings"]):
        click.echo(f"warning   {warning}")
    for problem in told["plugins_left_out"].values():
        click.echo(f"warning   {problem}")
    for item in told.get("paused", ()):
        at = item["probe_at"]
        again = f"tried again from {clock_text(_unix(at), zone, now=now)} on" if at else ""
        remedy = f"`muxd resume {item['job']}`"
        click.echo(
            f"paused    {item['job']}: {item['note']}; {' or '.join(filter(None, (again, remedy)))}"
        )
    if told["waiting"]:
        click.echo("")
        rows = [
            (item["job"], item["cause"], duration_text(now - _unix(item["released_at"])))
            for item in told["waiting"]
        ]
        print_table(("waiting", "why", "for"), rows, right=("for",))
    rows = [
        (item["job"], clock_text(at, zone, now=now), duration_text(max(0.0, at - now)))
        for item in told["upcoming"]
        for at in (_unix(item["at"]),)
    ]
    if rows:  # while it starts, no release is due yet
        click.echo("")
        print_table(("next", "at", "in"), rows, right=("in",))


def _use(browser: dict[str, Any], zone: ZoneInfo, now: float) -> str:
    """What the browser has done and takes, and when it is replaced."""
    from muxd.cli.output import clock_text
    from muxd.sizes import format_size

    text = f"{browser['runs']} {'run' if browser['runs'] == 1 else 'runs'} made"
    if browser["memory"] is not None:
        text += f", {format_size(browser['memory'])} of memory"
    due = browser["recycling"]
    if due is not None:
        at = (
            f"at {clock_text(_unix(due['at']), zone, now=now)}" if due["at"] else "between two runs"
        )
        text += f"; to be recycled {at} ({due['reason']})"
    return text


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
