"""``muxd logs``."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs
import click

from muxd.cli.complete import job_names, run_ids
from muxd.cli.options import config_options, epilog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import tzinfo

    from muxd.config import Config
    from muxd.logreading import LogReader

__all__ = ["logs"]

FOR_PEOPLE, FOR_PROGRAMS, FOLLOWED = 50, 1000, 10
"""How many lines are shown unless something says otherwise: to people, as JSON, with --follow."""
LEVELS = ("debug", "info", "warning", "error", "critical")
LOOK_AGAIN = 0.25
"""How often it is looked whether there is more, seconds. Python's library has nothing that is told of
it; a look costs some microseconds, and a person reads no faster."""


ALL = -1


def _count(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    if text is None or text == "all":
        return None if text is None else ALL
    if text.isascii() and text.isdigit():
        return int(text)
    raise click.BadParameter(f"{text!r} is not possible: give a number, or all")


def _names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [
        *job_names(context, parameter, incomplete),
        *run_ids(context, parameter, incomplete),
    ]


@click.command(
    epilog=epilog(
        ("muxd logs", "the newest lines"),
        ("muxd logs -f", "and what comes, until Ctrl-C"),
        ("muxd logs headlines --since 2h --level warning", "what worried a job lately"),
        ("muxd logs last-failed", "all that was logged of a run"),
        ("muxd logs -n all --json | jq .event", "for programs"),
    )
)
@click.argument("name", metavar="[JOB|RUN]", required=False, shell_complete=_names)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option(
    "-n",
    "--lines",
    callback=_count,
    metavar="N",
    help="At most this many lines, the newest; or all. [default: all of a RUN, and with --since; "
    f"else {FOR_PEOPLE}, {FOR_PROGRAMS} with --json, {FOLLOWED} with --follow]",
)
@click.option("--since", metavar="WHEN", help="Only what was logged then or later.")
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="debug",
    metavar="LEVEL",
    help=f"Only lines of this level or above: {', '.join(LEVELS[1:])}.",
)
@config_options(needs=["daemon.state_dir"])
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def logs(
    config: Config,
    name: str | None,
    follow: bool,
    lines: int | None,
    since: str | None,
    level: str,
    as_json: bool,
) -> None:
    """Show what was logged: by jobs (`run.log`), by muxd and by libraries.

    It is read from the files in the state directory, so no daemon need be running, and --follow
    goes on when one is started again. Of a JOB all runs' lines are shown. RUN is as for `muxd
    history show`. Lines of level `debug` are not in the files.

    WHEN is a date or a time in the timetable's time zone, such as `2026-01-31T09:15`, or how long
    ago, such as `36h`.
    """
    from muxd.logreading import LogReader
    from muxd.state import StateDir
    from muxd.zone import zone

    state = StateDir(config.daemon.state_dir)
    state.check()
    # From here on each line is seen, however long it takes to find out what the name means.
    reader = LogReader(state.logs)
    try:
        wanted = _wanted(config, name, since, level, zone(config), reader)
        write = _writer(config, zone(config), as_json=as_json)
        if lines is None:
            lines = _default(wanted, follow=follow, as_json=as_json)
        found = _newest(reader, wanted, lines)
        shown = write(found)
        if follow:
            _follow(reader, wanted, write)
        elif not shown:
            click.echo("No such lines." if wanted.narrow else "Nothing was logged yet.", err=True)
    except KeyboardInterrupt:
        if not follow:
            raise
    finally:
        reader.close()


@attrs.frozen(kw_only=True)
class _Wanted:
    """Which lines are asked for."""

    job: str | None = None
    run: str | None = None
    since: str | None = None
    """As in the lines: ISO 8601 in UTC, which sorts by time."""
    unix: float | None = None
    """The same, Unix seconds."""
    levels: frozenset[str]

    @property
    def narrow(self) -> bool:
        """Whether any line could be left out."""
        return bool(self.job or self.run or self.since) or len(self.levels) < len(LEVELS)

    def has(self, line: str) -> bool:
        """Whether it is asked for. What is no JSON (a line that a full disk cut off) never is, but
        where everything is."""
        told = _object(line)
        if told is None:
            return not self.narrow
        return (
            self.job in (None, told.get("job"))
            and self.run in (None, told.get("run"))
            and (self.since is None or str(told.get("at", "")) >= self.since)
            and (told.get("level") in self.levels or told.get("level") not in LEVELS)
        )


def _object(line: str) -> dict[str, Any] | None:
    import json

    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _default(wanted: _Wanted, *, follow: bool, as_json: bool) -> int:
    if wanted.run is not None or wanted.since is not None:
        return ALL
    if follow:
        return FOLLOWED
    return FOR_PROGRAMS if as_json else FOR_PEOPLE


def _newest(reader: LogReader, wanted: _Wanted, count: int) -> Iterable[str]:
    """So many of the newest lines that are asked for, oldest first."""
    if count == ALL:
        return filter(wanted.has, reader.forwards())
    found: deque[str] = deque()
    for line in reader.backwards(since=wanted.unix) if count else ():
        if wanted.has(line):
            found.appendleft(line)
            if len(found) == count:
                break
    return found


def _follow(reader: LogReader, wanted: _Wanted, write: Callable[[Iterable[str]], int]) -> None:
    while True:
        write(filter(wanted.has, reader.later()))
        time.sleep(LOOK_AGAIN)


def _writer(config: Config, zone: tzinfo, *, as_json: bool) -> Callable[[Iterable[str]], int]:
    """What prints lines, and says how many they were."""
    from muxd.cli.logline import LineFormat
    from muxd.keeping import secrets_of
    from muxd.logfile import masked
    from muxd.logs import has_colours

    # They are masked where they are written; but what is a secret may have been named since.
    mask = secrets_of(config).mask
    shape = LineFormat(zone, colours=has_colours(sys.stdout))

    def write(lines: Iterable[str]) -> int:
        count = 0
        for line in lines:
            text = masked(line, mask)
            if as_json and _object(text) is None:
                continue
            sys.stdout.write(f"{text if as_json else shape.text(text)}\n")
            count += 1
        if count:
            sys.stdout.flush()
        return count

    return write


def _wanted(
    config: Config,
    name: str | None,
    since: str | None,
    level: str,
    zone: tzinfo,
    reader: LogReader,
) -> _Wanted:
    from muxd.cli.when import parse_when
    from muxd.record import utc_text

    try:
        unix = None if since is None else parse_when(since, zone, time.time())
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None
    of = {} if name is None else _meant(config, name, reader)
    return _Wanted(
        **of, since=utc_text(unix), unix=unix, levels=frozenset(LEVELS[LEVELS.index(level) :])
    )


def _meant(config: Config, name: str, reader: LogReader) -> dict[str, str]:
    """The job or the run of this name.

    Raises:
      UserError: there is none, or there are several.
    """
    from muxd import run
    from muxd.cli.context import load
    from muxd.errors import LedgerError, UserError
    from muxd.hints import did_you_mean

    plugins = load(config, lenient=True)
    jobs = {job.name for job in (*plugins.jobs, *plugins.disabled_jobs)}
    if name in jobs:
        return {"job": name}
    try:
        if config.daemon.state_dir.is_dir():
            found = run(_in_store, plugins.store(config.daemon.state_dir), name)
            if found is not None:
                return found
    except LedgerError as error:  # just then a log is needed
        click.echo(f"muxd: warning: {error}", err=True)
    # A job that is gone, or a run that the ledger doesn't have (any more).
    logged = [told for told in map(_object, reader.forwards()) if told is not None]
    if any(told.get("job") == name for told in logged):
        return {"job": name}
    part = name.lower()
    runs = {str(told["run"]) for told in logged if "run" in told}
    match sorted(each for each in runs if each.startswith(part) or each.endswith(part)):
        case [run_id]:
            return {"run": run_id}
        case []:
            raise UserError(f"there is no job and no run {name!r}: {did_you_mean(name, jobs)}")
        case several:
            raise UserError(f"{name!r} may be {', '.join(several[:3])}: give more of the id")


async def _in_store(store: Any, name: str) -> dict[str, str] | None:
    """What the ledger knows by this name; None if it is nothing."""
    from muxd.cli.show import resolve

    async with store.open(readonly=True) as opened:
        known = name in ("last", "last-failed") or await opened.find(name.lower(), limit=1)
        if known or await opened.get(name) is not None:
            return {"run": (await resolve(opened, name)).id}
        return {"job": name} if await opened.history(job=name, limit=1) else None
