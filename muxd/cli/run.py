"""``muxd run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from muxd.cli.complete import job_names
from muxd.cli.options import config_options, epilog

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
@click.argument("job", shell_complete=job_names)
@click.option(
    "--repeat", type=click.IntRange(1, 100_000), default=1, metavar="N", help="Run it N times."
)
@click.option("--headed", is_flag=True, default=None, help="Show the browser's window.")
@config_options(headed="browser.headed")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON document: the record; with --repeat 2 or more a list of them.",
)
@click.pass_context
def run(context: click.Context, config: Config, job: str, repeat: int, as_json: bool) -> None:
    """Run JOB now and wait for its end.

    If a daemon runs, it takes the run at once, before everything that waits; it knows the jobs
    that it was started with. If none does, the job runs in a browser of its own, on the same
    profile and sessions and into the same ledger.

    Exit code 1 if a run did not end well, `empty` included. Ctrl-C: a run in the daemon goes on;
    one in a browser of its own is ended and recorded as `interrupted`.
    """
    from muxd.cli.output import print_json
    from muxd.state import StateDir

    records: list[dict[str, Any]] = []

    def ended(record: dict[str, Any]) -> None:
        records.append(record)
        if not as_json:
            click.echo(_line(record))

    number: int | None = None
    owner = StateDir(config.daemon.state_dir).owner()
    if owner is not None and owner.role == "daemon":
        _in_daemon(config, owner.pid, job, repeat, ended)
    else:
        number = _alone(config, job, repeat, lambda record: ended(record.as_dict()), quiet=as_json)
    if as_json and records:
        print_json(records if repeat > 1 else records[0])
    if number is not None:
        context.exit(128 + number)
    if any(record["outcome"] != "ok" for record in records):
        context.exit(1)


def _in_daemon(config: Config, pid: int | None, job: str, repeat: int, ended: Any) -> None:
    from muxd.control.client import ControlClient
    from muxd.errors import UnknownJob, UserError
    from muxd.state import StateDir

    daemon = f"the running muxd (process {pid})"
    if config.browser.headed and config.origin("browser.headed") == "--headed":
        raise UserError(
            f"--headed can't be had: {daemon} has the browser, launched as it was told to. "
            "Stop it, or choose another --state-dir"
        )
    client = ControlClient(StateDir(config.daemon.state_dir))
    try:
        for _ in range(repeat):
            ended(client.run(job, wait=True))
    except UnknownJob:
        from muxd.cli.context import load

        if job in {known.name for known in load(config).jobs}:
            raise UserError(
                f"{daemon} was started without the job {job!r}: start it again with the "
                "--jobs-dir or the configuration that has it; or stop it, and the job runs alone"
            ) from None
        raise


def _alone(config: Config, name: str, repeat: int, ended: Any, *, quiet: bool) -> int | None:
    """Run it in a browser of its own; the signal that ended that, if one did.

    If `quiet`, what its body prints goes to stderr.
    """
    import contextlib
    import logging
    import sys
    from functools import partial

    from muxd.alone import run_alone
    from muxd.bridge import run as run_bridged
    from muxd.cli.browser import launch_plan
    from muxd.cli.context import load, log_to_stderr
    from muxd.errors import UnknownJob
    from muxd.logs import chosen_format

    log_to_stderr(chosen_format(config.daemon.log_format, sys.stderr), logging.INFO)
    plugins = load(config)
    found = {job.name: job for job in plugins.jobs}
    if name not in found:
        raise UnknownJob(name, tuple(found))
    work = partial(
        run_alone, config, plugins, launch_plan(config), found[name], repeat=repeat, ended=ended
    )
    with contextlib.redirect_stdout(sys.stderr) if quiet else contextlib.nullcontext():
        return run_bridged(work)


def _line(record: dict[str, Any]) -> str:
    from muxd.cli.output import error_text

    parts = [record["id"], record["job"], record["outcome"]]
    if record["duration"] is not None:
        parts.append(f"{record['duration']:.2f} s")
    parts.append(error_text(record["error_type"], record["error"]) or record["result"] or "")
    return "  ".join(parts).rstrip()
