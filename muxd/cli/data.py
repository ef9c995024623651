"""``muxd data``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from muxd.cli.complete import data_jobs
from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from datetime import tzinfo

    from muxd.body.reading import DataReader, Snapshot
    from muxd.config import Config

__all__ = ["data"]

FOR_PEOPLE = 50
"""How many rows are shown in the table unless --limit says otherwise."""


@click.command(
    epilog=epilog(
        ("muxd data", "which jobs have saved something"),
        ("muxd data prices", "the newest 50 rows of a job"),
        ("muxd data prices --new-since 24h", "what came up in the last day"),
        ("muxd data prices --csv > prices.csv", "all rows, for a spreadsheet"),
        ("muxd data prices --parquet prices.parquet", "all rows, with their types"),
        ("muxd data prices --state", "what the job knows from run to run"),
    )
)
@click.argument("job", required=False, shell_complete=data_jobs)
@click.option("--table", metavar="NAME", help="Another one of the job's tables.")
@click.option("--since", metavar="WHEN", help="Only rows that were seen then or later.")
@click.option("--new-since", metavar="WHEN", help="Only rows that were first seen then or later.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"At most this many rows, the newest. [default: {FOR_PEOPLE} in the table, else all]",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--parquet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a Parquet file; needs muxd[parquet].",
)
@click.option("--state", "show_state", is_flag=True, help="Show the state of the job, as JSON.")
@click.option("--forget-state", is_flag=True, help="Have the job's next run begin without a state.")
@config_options(needs=["daemon.state_dir"])
@json_option
def data(
    config: Config,
    job: str | None,
    table: str | None,
    since: str | None,
    new_since: str | None,
    limit: int | None,
    as_csv: bool,
    parquet: Path | None,
    show_state: bool,
    forget_state: bool,
    as_json: bool,
) -> None:
    """Show what jobs have saved by `run.save`: the rows of JOB, or which tables there are.

    Whether a daemon is running makes no difference. All of it is in `data.db` in the state directory,
    which any program that reads SQLite can open meanwhile.

    WHEN is a date or a time in the timetable's time zone, such as `2026-01-31T09:15`, or how long
    ago, such as `36h`.
    """
    from muxd.body.reading import DataReader
    from muxd.state import StateDir
    from muxd.zone import zone

    if sum((as_json, as_csv, parquet is not None)) > 1:
        raise click.UsageError("give one of --json, --csv and --parquet")
    if show_state and forget_state:
        raise click.UsageError("give --state or --forget-state")
    wanted = _Wanted(
        table=table,
        since=_instant("--since", since, zone(config)),
        new_since=_instant("--new-since", new_since, zone(config)),
        limit=limit,
    )
    of_rows = wanted != _Wanted() or as_csv or parquet is not None
    if (show_state or forget_state) and of_rows:
        raise click.UsageError("--state and --forget-state go with no option for rows")
    if job is None and (of_rows or show_state or forget_state):
        raise click.UsageError("which job? Give its name; `muxd data` lists those that have data")
    StateDir(config.daemon.state_dir).check()
    reader = DataReader(config.daemon.state_dir)
    if job is None:
        _show_tables(reader, zone(config), as_json=as_json)
    elif forget_state:
        _forget_state(config, job, as_json=as_json)
    elif show_state:
        _show_state(config, reader, job)
    else:
        with reader.snapshot(job, table) as found:
            if found is None:
                _check(config, reader, job, table)
            _show_rows(found, wanted, zone(config), as_json, as_csv, parquet)


@attrs.frozen(kw_only=True)
class _Wanted:
    """Which rows are asked for."""

    table: str | None = None
    since: float | None = None
    new_since: float | None = None
    limit: int | None = None


def _instant(option: str, text: str | None, zone: tzinfo) -> float | None:
    from muxd.cli.when import parse_when

    try:
        return None if text is None else parse_when(text, zone, time.time())
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None


def _show_tables(reader: DataReader, zone: tzinfo, *, as_json: bool) -> None:
    from muxd.cli.output import clock_text, print_json, print_table

    tables = reader.tables()
    if as_json:
        print_json([table.as_dict() for table in tables])
    elif not tables:
        click.echo("No job has saved anything yet.", err=True)
    else:
        now = time.time()
        rows = [
            (
                table.job,
                table.name,
                f"{table.rows:,}",
                clock_text(table.last_seen, zone, now=now),
                ", ".join(table.key) or "all columns",
                ", ".join(table.columns),
            )
            for table in tables
        ]
        print_table(("job", "table", "rows", "last seen", "key", "columns"), rows, right=("rows",))


def _show_rows(
    found: Snapshot | None,
    wanted: _Wanted,
    zone: tzinfo,
    as_json: bool,
    as_csv: bool,
    parquet: Path | None,
) -> None:
    from muxd.cli import datarows
    from muxd.cli.output import print_json

    if found is None:
        if as_json:
            print_json([])
        elif parquet is not None or not as_csv:
            click.echo("Nothing saved yet.", err=True)
        return
    seen = (wanted.since, wanted.new_since)
    plainly = as_json or as_csv or parquet is not None
    limit = wanted.limit if plainly else (wanted.limit or FOR_PEOPLE)

    if as_json:
        print_json([datarows.for_json(row) for row in found.rows(*seen, limit)])
    elif as_csv:
        datarows.print_csv(found.columns, found.rows(*seen, limit))
    elif parquet is not None:
        written = datarows.write_parquet(parquet, found.columns, lambda: found.rows(*seen, limit))
        click.echo(f"{parquet}: {written:,} rows", err=True)
    else:
        rows = list(found.rows(*seen, limit))
        if not rows:
            click.echo("No such rows.", err=True)
            return
        datarows.print_rows(found.columns, rows, zone)
        total = found.count(*seen)
        if total > len(rows):
            click.echo(
                f"\nThe newest {len(rows)} of {total:,} rows; see more with --limit.", err=True
            )


def _check(config: Config, reader: DataReader, job: str, table: str | None) -> None:
    """Raise `UserError` if there is no such table or job; it may just have saved nothing yet."""
    from muxd.cli.context import load
    from muxd.errors import UnknownJob, UserError

    tables = reader.tables()
    names = [each.name for each in tables if each.job == job]
    if table is not None and names:
        further = ", ".join(filter(None, names))
        there = f"it has {further}" if further else "it has only its own, without a name"
        raise UserError(f"job {job!r} has saved no table {table!r}: {there}")
    if names:
        return
    plugins = load(config)
    known = {each.name for each in (*plugins.jobs, *plugins.disabled_jobs)}
    known |= {each.job for each in tables}
    if job not in known:
        raise UnknownJob(job, tuple(sorted(known)))


def _show_state(config: Config, reader: DataReader, job: str) -> None:
    import json

    from muxd import run
    from muxd.body.memory import counts
    from muxd.cli.context import load
    from muxd.cli.output import print_json

    found = reader.state(job)
    if found is None:
        _check(config, reader, job, None)
        click.echo(f"Job {job} has no state.", err=True)
        print_json({})
        return
    value, by, previous = found
    store = load(config).store(config.daemon.state_dir)

    async def is_good() -> bool:
        async with store.open(readonly=True) as opened:
            return counts(await opened.get(by))

    text = value if run(is_good) else previous
    state: Any = {} if text is None else json.loads(text)
    print_json(state)


def _forget_state(config: Config, job: str, *, as_json: bool) -> None:
    import trio

    from muxd.body.data import Data
    from muxd.body.memory import forget
    from muxd.cli.output import print_json
    from muxd.control.client import ControlClient
    from muxd.state import StateDir

    async def alone() -> bool:
        with state.hold("run"):
            async with Data(state.root, real_now=time.time) as kept:
                return await forget(kept, job)

    state = StateDir(config.daemon.state_dir)
    owner = state.owner()
    if owner is not None and owner.role == "daemon":
        forgotten = ControlClient(state).forget_state(job)
    else:
        forgotten = trio.run(alone) if state.root.is_dir() else False
    if not forgotten:
        from muxd.body.reading import DataReader

        _check(config, DataReader(state.root), job, None)
    if as_json:
        print_json({"job": job, "forgotten": forgotten})
    elif forgotten:
        click.echo(f"the state of {job} is forgotten: its next run begins without")
    else:
        click.echo(f"{job} has no state")
