"""``muxd history``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs
import click

from muxd.cli.complete import job_names, run_ids
from muxd.cli.options import config_options, epilog, json_option
from muxd.cli.show import resolve, show
from muxd.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from muxd.abc import Store
    from muxd.config import Config
    from muxd.plugins import Plugins
    from muxd.record import Record

__all__ = ["history"]

FOR_PEOPLE, FOR_PROGRAMS = 50, 1000
"""How many runs are shown unless --limit says otherwise: in the table, and as JSON."""


@click.group(
    invoke_without_command=True,
    subcommand_metavar="[show RUN]",
    epilog=epilog(
        ("muxd history", "the newest 50 runs"),
        ("muxd history show last-failed", "all that is known of one run"),
        ("muxd history --outcome failed", "what went wrong lately"),
        ("muxd history --since 36h", "the runs that ended in the last day and a half"),
        ("muxd history --job headlines --json", "one job's runs, for programs"),
    ),
)
@click.option("--job", metavar="NAME", shell_complete=job_names, help="Only runs of this job.")
@click.option(
    "--outcome",
    type=click.Choice([outcome.value for outcome in Outcome]),
    help="Only runs that ended so.",
)
@click.option("--since", metavar="WHEN", help="Only runs that ended then or later.")
@click.option("--until", metavar="WHEN", help="Only runs that ended before that.")
@click.option(
    "--before",
    metavar="RUN",
    shell_complete=run_ids,
    help="Only runs older than this one: give the last of a page for the next. RUN is as for "
    "`muxd history show`.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"At most this many, the newest. [default: {FOR_PEOPLE}; {FOR_PROGRAMS} with --json]",
)
@config_options(needs=["daemon.state_dir"])
@json_option
@click.pass_context
def history(
    context: click.Context,
    config: Config,
    job: str | None,
    outcome: str | None,
    since: str | None,
    until: str | None,
    before: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show the runs of the past, newest end first.

    Whether a daemon is running makes no difference. Runs that wait or are under way are shown by
    `muxd status`. In the table a run has the end of its id; `muxd history show` takes it.

    WHEN is a date or a time in the timetable's time zone, such as `2026-01-31T09:15`, or how long
    ago, such as `36h`.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from muxd.cli.output import print_json
    from muxd.zone import zone

    at_most = limit or (FOR_PROGRAMS if as_json else FOR_PEOPLE)
    wanted = _Wanted(
        job=job,
        outcome=None if outcome is None else Outcome(outcome),
        since=_instant("--since", since, zone(config)),
        until=_instant("--until", until, zone(config)),
        limit=at_most,
    )
    found = _read(config, wanted, before)
    if as_json:
        print_json([record.as_dict() for record in found])
    elif not found:
        narrowed = job or outcome or since or until or before
        click.echo("No such runs." if narrowed else "No runs yet.", err=True)
    else:
        _show(found, zone(config))
        # The whole id: the end of one is known among the newest runs only.
        more = f"See older ones with --before {found[-1].id}. "
        click.echo(
            f"\n{more if len(found) == at_most else ''}See one with `muxd history show RUN`.",
            err=True,
        )


history.add_command(show)


def _refuse_options(context: click.Context) -> None:
    """Options before the subcommand would be of no use."""
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"give {param.opts[0]} after `{context.invoked_subcommand}`")


@attrs.frozen(kw_only=True)
class _Wanted:
    """Which runs are asked for: as `Store.history` has it."""

    job: str | None
    outcome: Outcome | None
    since: float | None
    until: float | None
    limit: int


def _instant(option: str, text: str | None, zone: tzinfo) -> float | None:
    from muxd.cli.when import parse_when

    try:
        return None if text is None else parse_when(text, zone, time.time())
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None


def _read(config: Config, wanted: _Wanted, before: str | None) -> Sequence[Record]:
    """The runs asked for, older than the one named `before`; none where nothing was ever recorded.

    Raises:
      UnknownJob: neither a plugin nor the ledger knows this job.
      UserError: there is no run `before`, or there are several.
      LedgerError: the ledger can't be read.
    """
    from muxd import run
    from muxd.cli.context import load
    from muxd.state import StateDir

    StateDir(config.daemon.state_dir).check()
    if not config.daemon.state_dir.is_dir():
        return []  # a command that only looks doesn't make one
    plugins = load(config)
    store = plugins.store(config.daemon.state_dir)

    async def read() -> Sequence[Record]:
        async with store.open(readonly=True) as opened:
            last = None if before is None else await resolve(opened, before)
            found = await opened.history(**attrs.asdict(wanted), before=last)
            if wanted.job is not None and not found:
                await _check_job(wanted.job, opened, plugins)
            return found

    # As in the daemon: a plugin's store may need what muxd's loop offers.
    return run(read)


async def _check_job(job: str, store: Store, plugins: Plugins) -> None:
    """Raise `UnknownJob` for a job of which nobody has heard, unless nothing was ever recorded."""
    from muxd.errors import UnknownJob

    records = [*await store.history(limit=FOR_PROGRAMS), *await store.unfinished()]
    known = {record.job for record in records} | set(await store.phases())
    known |= set(await store.last_releases()) | set(await store.learned())
    if not known:
        return
    known |= {known_job.name for known_job in (*plugins.jobs, *plugins.disabled_jobs)}
    # A rare job of the past may be in none of these
    if job not in known and not await store.history(job=job, limit=1):
        raise UnknownJob(job, tuple(sorted(known)))


def _show(records: Sequence[Record], zone: tzinfo) -> None:
    from rich.text import Text

    from muxd.cli.live import STYLES
    from muxd.cli.output import clock_text, duration_text, error_text, print_table, short, short_id

    now = time.time()
    rows = []
    for record in records:
        assert record.outcome is not None
        began = record.released_at if record.started_at is None else record.started_at
        error = error_text(record.error_type, record.error)
        rows.append(
            (
                clock_text(began, zone, now=now),
                short_id(record),
                record.job,
                Text(record.outcome, STYLES.get(record.outcome, "bold red")),
                duration_text(record.duration),
                duration_text(record.lateness),
                short(error or record.result or "", 100),
            )
        )
    columns = ("started", "run", "job", "outcome", "took", "late", "error or result")
    print_table(columns, rows, right=("took", "late"))
