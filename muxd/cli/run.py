"""``muxd run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["run"]


@click.command(
    epilog=epilog(
        ("muxd run headlines", "one run now: in the daemon's browser, else in its own"),
        ("muxd run headlines --repeat 5", "five, one after another"),
        ("muxd run headlines --jobs-dir ./jobs --headed", "watch a job that you are writing"),
        ("muxd run headlines --json", "the records, for programs"),
    )
)
@click.argument("job")
@click.option(
    "--repeat", type=click.IntRange(1, 100_000), default=1, metavar="N", help="Run it N times."
)
@click.option("--headed", is_flag=True, default=None, help="Show the browser's window.")
@config_options(headed="browser.headed")
@json_option
@click.pass_context
def run(context: click.Context, config: Config, job: str, repeat: int, as_json: bool) -> None:
    """Run JOB now and wait for its end.

    If a daemon runs, it takes the run at once, before everything that waits. If none does, the
    job runs in a browser of its own, on the same profile and sessions and into the same ledger.

    Exit code 1 if a run did not end well.
    """
    from muxd.cli.output import print_json
    from muxd.state import StateDir

    records: list[dict[str, Any]] = []

    def ended(record: dict[str, Any]) -> None:
        records.append(record)
        if not as_json:
            click.echo(_line(record))

    state = StateDir(config.daemon.state_dir)
    if state.owner() is not None:
        from muxd.control.client import ControlClient

        for _ in range(repeat):
            ended(ControlClient(state).run(job, wait=True))
    else:
        _alone(config, job, repeat, lambda record: ended(record.as_dict()))
    if as_json:
        print_json(records if repeat > 1 else records[0])
    if any(record["outcome"] != "ok" for record in records):
        context.exit(1)


def _alone(config: Config, name: str, repeat: int, ended: Any) -> None:
    import logging
    import sys
    from functools import partial

    from muxd.alone import run_alone
    from muxd.bridge import run as run_bridged
    from muxd.cli.browser import launch_plan
    from muxd.cli.context import load
    from muxd.errors import UnknownJob
    from muxd.logs import chosen_format, configure

    configure(chosen_format(config.daemon.log_format, sys.stderr), logging.WARNING)
    plugins = load(config)
    found = {job.name: job for job in plugins.jobs}
    if name not in found:
        raise UnknownJob(name, tuple(found))
    work = partial(
        run_alone, config, plugins, launch_plan(config), found[name], repeat=repeat, ended=ended
    )
    run_bridged(work)


def _line(record: dict[str, Any]) -> str:
    parts = [record["id"], record["job"], record["outcome"]]
    if record["duration"] is not None:
        parts.append(f"{record['duration']:.2f} s")
    parts.append(record["error"] or record["result"] or "")
    return "  ".join(parts).rstrip()
