"""``muxd history``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import attrs
import click

from muxd.cli.complete import job_names, run_ids
from muxd.cli.options import config_options, epilog, json_option
from muxd.cli.show import resolve, show
from muxd.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import tzinfo

    from click.shell_completion import CompletionItem

    from muxd.abc import Statistics, Store
    from muxd.config import Config
    from muxd.plugins import Plugins
    from muxd.record import Record

__all__ = ["history"]

T = TypeVar("T")

FOR_PEOPLE, FOR_PROGRAMS = 50, 1000
"""How many runs are shown unless --limit says otherwise: in the table, and as JSON."""


class _History(click.Group):
    """A group that takes the name of a job where it is asked for statistics."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's; with ``--stats`` what is no option is a job."""
        if "--stats" not in args:
            return super().parse_args(ctx, args)
        ctx.allow_interspersed_args = True
        names = click.Command.parse_args(self, ctx, args)
        ctx.args = []
        if names and (len(names) > 1 or ctx.params["job"] is not None):
            ctx.fail(f"give one job with --stats, and not {' '.join(names)!r} too")
        ctx.params["job"] = names[0] if names else ctx.params["job"]
        return []

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click's; with ``--stats`` the jobs."""
        if not ctx.params.get("stats") or incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        (job,) = (param for param in self.params if param.name == "job")
        return job.shell_complete(ctx, incomplete)


@click.group(
    cls=_History,
    invoke_without_command=True,
    subcommand_metavar="[show RUN] [--stats [JOB]]",
    epilog=epilog(
        ("muxd history", "the newest 50 runs"),
        ("muxd history show last-failed", "all that is known of one run"),
        ("muxd history --outcome failed", "what went wrong lately"),
        ("muxd history --since 36h", "the runs that ended in the last day and a half"),
        ("muxd history --job headlines --json", "one job's runs, for programs"),
        ("muxd history --stats --since 7d", "how each job did in the last week"),
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
    "--stats",
    is_flag=True,
    help="Show what the runs say together, job by job, or of one JOB: how many there were and were "
    "ok, how long they took and how late they began, and a trend.",
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
    stats: bool,
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

    if stats:
        _refuse_with_stats(context)
    at_most = limit or (FOR_PROGRAMS if as_json else FOR_PEOPLE)
    wanted = _Wanted(
        job=job,
        outcome=None if outcome is None else Outcome(outcome),
        since=_instant("--since", since, zone(config)),
        until=_instant("--until", until, zone(config)),
        limit=at_most,
    )
    if stats:
        _show_stats(config, wanted, as_json=as_json)
        return
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


def _refuse_with_stats(context: click.Context) -> None:
    for param in context.command.params:
        if param.name in ("outcome", "before", "limit") and context.params[param.name] is not None:
            raise click.UsageError(f"{param.opts[0]} is for the list of runs, not for --stats")


def _show_stats(config: Config, wanted: _Wanted, *, as_json: bool) -> None:
    from muxd.cli.output import print_json
    from muxd.cli.stats import show_stats
    from muxd.statistics import Summary
    from muxd.zone import zone

    async def read(store: Store) -> Statistics:
        return await store.statistics(job=wanted.job, since=wanted.since, until=wanted.until)

    found = _from_store(config, read, wanted.job, empty=Summary().result())
    if as_json:
        print_json(found.as_dict())
    elif not found:
        narrowed = wanted.job or wanted.since or wanted.until
        click.echo("No such runs." if narrowed else "No runs yet.", err=True)
    else:
        show_stats(found, zone(config))


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
      UserError: there is no run `before`, or there are several.
      UnknownJob, LedgerError: see `_from_store`.
    """

    async def read(store: Store) -> Sequence[Record]:
        last = None if before is None else await resolve(store, before)
        return await store.history(**attrs.asdict(wanted), before=last)

    return _from_store(config, read, wanted.job, empty=())


def _from_store(
    config: Config, read: Callable[[Store], Awaitable[T]], job: str | None, *, empty: T
) -> T:
    """What the store says; `empty` where nothing was ever recorded.

    Raises:
      UnknownJob: neither a plugin nor the ledger knows this job.
      LedgerError: the ledger can't be read.
    """
    from muxd import run
    from muxd.cli.context import load
    from muxd.state import StateDir

    StateDir(config.daemon.state_dir).check()
    if not config.daemon.state_dir.is_dir():
        return empty  # a command that only looks doesn't make one
    plugins = load(config, lenient=True)
    store = plugins.store(config.daemon.state_dir)

    async def work() -> T:
        async with store.open(readonly=True) as opened:
            found = await read(opened)
            if job is not None and not found:
                await _check_job(job, opened, plugins)
            return found

    # As in the daemon: a plugin's store may need what muxd's loop offers.
    return run(work)


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
