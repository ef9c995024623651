"""``muxd run``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from muxd.cli.complete import job_names
from muxd.cli.options import config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from muxd.config import Config
    from muxd.events import Event

__all__ = ["run"]


@click.command(
    epilog=epilog(
        ("muxd run headlines", "one run now: in the daemon's browser, else in its own"),
        ("muxd run headlines --in-gap", "one in the next gap of the timetable, in nobody's way"),
        ("muxd run headlines --no-wait", "only have it run; `muxd cancel` takes that back"),
        ("muxd run headlines --repeat 50", "fifty, one after another, and what they say together"),
        ("muxd run headlines --jobs-dir ./jobs --headed", "watch a job that you are writing"),
        ("muxd run headlines --json", "the records, for programs"),
    )
)
@click.argument("job", shell_complete=job_names)
@click.option(
    "--repeat", type=click.IntRange(1, 100_000), default=1, metavar="N", help="Run it N times."
)
@click.option(
    "--in-gap", is_flag=True, help="Not now, but in the next gap that is long enough for it."
)
@click.option("--wait/--no-wait", default=True, help="Wait for its end. [default: wait]")
@click.option("--headed", is_flag=True, default=None, help="Show the browser's window.")
@config_options(headed="browser.headed")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON document: the record; with --repeat 2 or more all of them and the summary.",
)
@click.pass_context
def run(
    context: click.Context,
    config: Config,
    job: str,
    repeat: int,
    in_gap: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Run JOB now and wait for its end.

    If a daemon runs, it takes the run at once, before everything that waits; it knows the jobs
    that it has loaded (see `muxd reload`). If none does, the job runs in a browser of its own, on the
    same profile and sessions and into the same ledger, and what it tells (`run.tell`) is printed.

    --in-gap has the daemon run it where nothing else is due, its own slot neither. The gap is told;
    while the browser is busy then, the next one is taken. It survives restarts of the daemon.

    --repeat tells at the end how the runs went together: outcomes, durations, what they left, how the
    browser grew; and which `duration` and `timeout` the job should have.

    Exit code 1 if a run did not end well, `empty` included. Ctrl-C: a run in the daemon goes on;
    one in a browser of its own is ended and recorded as `interrupted`.
    """
    from muxd.cli.output import print_json
    from muxd.errors import DaemonNotRunning
    from muxd.state import StateDir

    if repeat > 1 and (in_gap or not wait):
        raise click.UsageError("--repeat goes with neither --in-gap nor --no-wait")
    records: list[dict[str, Any]] = []
    memory: list[int | None] = []

    def ended(record: dict[str, Any]) -> None:
        records.append(record)
        if not as_json:
            click.echo(_line(record))

    def heard(event: Event) -> None:
        with contextlib.suppress(
            OSError
        ):  # who reads it has seen enough: that is no failure of the run
            for line in _news(event):
                click.echo(line)

    number = interval = None
    owner = StateDir(config.daemon.state_dir).owner()
    if owner is not None and owner.role == "daemon":
        asked = _ask(config, owner.pid, job, in_gap=in_gap) if in_gap or not wait else None
        if asked is not None and not (as_json and not wait):
            click.echo(_place(asked, config), err=wait)
        if not wait:
            if as_json:
                print_json(asked)
            return
        _in_daemon(config, owner.pid, job, repeat, ended, asked=asked, memory=memory)
    else:
        if not wait:
            raise DaemonNotRunning(str(config.daemon.state_dir))
        number, interval = _alone(
            config,
            job,
            repeat,
            lambda record: ended(record.as_dict()),
            memory,
            hear=None if as_json else heard,
        )
    if records and repeat > 1:
        from muxd.cli.soak import print_soak
        from muxd.soak import Soak

        soak = Soak.of(records, memory, interval=interval)
        if as_json:
            print_json({"runs": records, "summary": soak.as_dict()})
        else:
            print_soak(soak)
    elif as_json and records:
        print_json(records[0])
    if number is not None:
        context.exit(128 + number)
    if any(record["outcome"] != "ok" for record in records):
        context.exit(1)


def _place(asked: dict[str, Any], config: Config) -> str:
    from muxd.cli.when import local_text

    at = f"  in a gap at {local_text(asked['at'], config)}" if asked["at"] else "  is asked for"
    return f"{asked['id']}  {asked['job']}{at}"


def _ask(config: Config, pid: int | None, job: str, *, in_gap: bool) -> dict[str, Any]:
    """Ask for the run, and don't wait."""
    found: list[dict[str, Any]] = []
    _in_daemon(config, pid, job, 1, found.append, wait=False, in_gap=in_gap)
    return found[0]


def _in_daemon(
    config: Config,
    pid: int | None,
    job: str,
    repeat: int,
    ended: Any,
    *,
    wait: bool = True,
    in_gap: bool = False,
    asked: dict[str, Any] | None = None,
    memory: list[int | None] | None = None,
) -> None:
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
    if asked is not None:
        ended(client.wait(asked["id"]))
        return
    try:
        for _ in range(repeat):
            ended(client.run(job, wait=wait, in_gap=in_gap))
            if memory is not None and repeat > 1:
                memory.append((client.status(upcoming=0)["browser"] or {}).get("memory"))
    except UnknownJob:
        from muxd.cli.context import load

        if job in {known.name for known in load(config, lenient=True).jobs}:
            raise UserError(
                f"{daemon} has not loaded the job {job!r}: `muxd reload` does, if it was started "
                "with the --jobs-dir or the configuration that has it; else start it again with that"
            ) from None
        raise


def _alone(
    config: Config,
    name: str,
    repeat: int,
    ended: Any,
    memory: list[int | None],
    *,
    hear: Callable[[Event], object] | None,
) -> tuple[int | None, int]:
    """Run it in a browser of its own; the signal that ended that, if one did, and its interval.

    `hear` is told what its body has to say; if nobody is, what that prints goes to stderr.
    """
    import logging
    import sys
    from functools import partial

    from muxd.alone import run_alone
    from muxd.bridge import run as run_bridged
    from muxd.cli.browser import launch_plan
    from muxd.cli.context import load, log_to_stderr
    from muxd.errors import UnknownJob
    from muxd.keeping import secrets_of
    from muxd.logs import chosen_format

    secrets = secrets_of(config)
    style = chosen_format(config.daemon.log_format, sys.stderr)
    log_to_stderr(style, logging.INFO, mask=secrets.mask)
    plugins = load(config)
    found = {job.name: job for job in plugins.jobs}
    if name not in found:
        raise UnknownJob(name, tuple(found))
    work = partial(
        run_alone,
        config,
        plugins,
        launch_plan(config, plugins),
        found[name],
        repeat=repeat,
        measured=memory.append if repeat > 1 else None,
        secrets=secrets,
        hear=hear,
        ended=ended,
    )
    with contextlib.nullcontext() if hear else contextlib.redirect_stdout(sys.stderr):
        return run_bridged(work), found[name].interval


def _news(event: Event) -> Iterator[str]:
    """What a run wants people to know; nothing of other events."""
    from muxd.cli.output import harmless
    from muxd.events import JobNews

    if isinstance(event, JobNews):
        yield harmless(f"  tells: {event.title}")
        for line in (*event.text.splitlines(), event.url or "", ", ".join(event.files)):
            if line:
                yield harmless(f"    {line}")


def _line(record: dict[str, Any]) -> str:
    from muxd.cli.output import error_text

    parts = [record["id"], record["job"], record["outcome"]]
    if record["duration"] is not None:
        parts.append(f"{record['duration']:.2f} s")
    parts.append(error_text(record["error_type"], record["error"]) or record["result"] or "")
    return "  ".join(parts).rstrip()
