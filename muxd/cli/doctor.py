"""``muxd doctor``."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import click

from muxd.cli.options import config_options, engine_option, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from muxd.browser.launch import LaunchPlan
    from muxd.browser.measuring import Launch, Load
    from muxd.config import Config

__all__ = ["doctor"]

_USUAL = ("image", "font", "media")
"""What is measured where nothing says what to block."""
_SAMPLE = "the sample page"


@attrs.frozen(kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    level: Literal["ok", "warning", "error"]
    message: str
    remedy: str | None = None


@attrs.frozen(kw_only=True)
class Case:
    """One page, with and without blocking, loaded in pairs."""

    page: str
    """Its URL, or words for it."""
    block: tuple[str, ...]
    jobs: tuple[str, ...]
    """Who blocks that; none if nobody was asked."""
    pairs: tuple[tuple[Load, Load], ...]
    """Without and with blocking, of each round."""


@attrs.define
class Findings:
    """All that is found out; filled in as it goes."""

    checks: list[Check] = attrs.field(factory=list)
    launches: list[Launch] = attrs.field(factory=list)
    cases: list[Case] = attrs.field(factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything is an error."""
        return any(check.level == "error" for check in self.checks)


@click.command(
    epilog=epilog(
        ("muxd doctor", "does the browser launch?"),
        ("muxd doctor --measure", "what it takes, and what blocking saves"),
        ("muxd doctor --measure https://example.com", "on a page of your choice"),
        ("muxd doctor --measure --engine headless-shell", "with another browser"),
        ("muxd doctor --measure --block image --block '*.ads.net' URL", "what would that save?"),
    )
)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--measure", is_flag=True, help="Measure launches, pages, and what blocking saves.")
@click.option(
    "--block",
    multiple=True,
    metavar="WHAT",
    help="Measure with this blocked: image, font, media, stylesheet, a host or *.host; may be "
    "given more than once. [default: what the jobs and [browser] block say]",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="How many launches, and pairs of loads.",
)
@engine_option
@config_options(engine="browser.engine")
@json_option
@click.pass_context
def doctor(
    context: click.Context,
    config: Config,
    urls: tuple[str, ...],
    measure: bool,
    block: tuple[str, ...],
    rounds: int,
    as_json: bool,
) -> None:
    """Check whether the browser is there and launches; measure what it takes.

    The browser has a profile of its own for it, which is gone afterwards, so a daemon may run
    meanwhile. No job is run.

    With --measure each page is loaded in pairs, with and without what is blocked, with an empty
    cache and nobody signed in: for every list that an enabled job blocks, or image, font and media
    if none does. Without a URL it is a page of muxd's own, with pictures, fonts and scripts, which
    is always the same: so the numbers tell engines and flags apart.

    Exit code 1 if anything is an error.
    """
    if not measure and (urls or block):
        raise click.UsageError("a URL and --block are for what is measured: add --measure")
    for url in urls:
        if not url.startswith(("http://", "https://", "file://")):
            raise click.UsageError(f"{url!r} is no URL: give one such as https://example.com")
    lists = _lists(config, block) if measure else {}
    findings = Findings()
    plan = _browser(config, findings)
    if plan is not None:
        _measured(plan, urls, lists, rounds if measure else 0, findings)
    if as_json:
        from muxd.cli.output import print_json

        print_json(_document(findings))
    else:
        _print(findings)
    if findings.failed:
        context.exit(1)


def _lists(config: Config, block: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
    """What is to be blocked, and which jobs do so.

    Raises:
      BrokenPlugins: a plugin is broken and that was asked to be fatal.
    """
    from muxd.blocklist import parse_blocklist
    from muxd.cli.context import load

    if block:
        try:
            return {parse_blocklist(block): []}
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--block") from None
    found: dict[tuple[str, ...], list[str]] = {}
    for job in load(config).jobs:
        wanted = config.browser.block if job.block is None else job.block
        if wanted:
            found.setdefault(wanted, []).append(job.name)
    return found or {config.browser.block or _USUAL: []}


def _browser(config: Config, findings: Findings) -> LaunchPlan | None:
    """How the browser is to be launched, if there is one."""
    from muxd.cli.browser import launch_plan, words
    from muxd.errors import BrowserNotFound, ConfigError

    try:
        plan = launch_plan(config)
    except (BrowserNotFound, ConfigError) as error:
        message, _, remedy = str(error).partition(": ")
        findings.checks.append(
            Check(name="browser", level="error", message=message, remedy=remedy or None)
        )
        return None
    findings.checks.append(Check(name="browser", level="ok", message=words(plan.found)))
    return plan


def _measured(
    plan: LaunchPlan,
    urls: Sequence[str],
    lists: dict[tuple[str, ...], list[str]],
    rounds: int,
    findings: Findings,
) -> None:
    """Launch the browser; with `rounds` above 0 measure it, and pages."""
    import contextlib

    from muxd.bridge import run as run_bridged
    from muxd.browser.measuring import measured_launch
    from muxd.errors import WorldError
    from muxd.samplepage import open_sample_page

    async def look(plan: LaunchPlan) -> None:
        for number in range(max(1, rounds)):
            async with measured_launch(plan) as (life, launch):
                findings.launches.append(launch)
                if number == 0:
                    took = f"{plan.found.engine} {life.version}, in {launch.seconds:.1f} s"
                    findings.checks.append(Check(name="launch", level="ok", message=took))
                if number == rounds - 1:
                    with contextlib.nullcontext() if urls else open_sample_page() as sample:
                        pages = {url: url for url in urls} if urls else {_SAMPLE: str(sample)}
                        for page, url in pages.items():
                            for block, jobs in lists.items():
                                await _load(life, page, url, block, jobs, rounds, findings)

    with tempfile.TemporaryDirectory(prefix="muxd-") as folder:
        try:
            run_bridged(look, attrs.evolve(plan, profile=Path(folder) / "profile"))
        except* WorldError as errors:
            findings.checks += map(_launch_error, _leaves(errors))


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


def _launch_error(error: BaseException) -> Check:
    from muxd.errors import BrowserUnusable

    message, remedy = str(error), None
    if isinstance(error, BrowserUnusable):
        message, _, remedy = message.partition(": ")
    return Check(name="launch", level="error", message=message, remedy=remedy or None)


async def _load(
    life: Any,
    page: str,
    url: str,
    block: tuple[str, ...],
    jobs: Sequence[str],
    rounds: int,
    findings: Findings,
) -> None:
    """Load a page in pairs, whose order changes: what is busy meanwhile harms both alike."""
    from muxd.browser.measuring import measure_load
    from muxd.errors import RunError

    pairs = []
    try:
        await measure_load(life, url, block=())  # the first is slower than all others
        for number in range(rounds):
            if number % 2:
                with_it = await measure_load(life, url, block)
                without = await measure_load(life, url, ())
            else:
                without = await measure_load(life, url, ())
                with_it = await measure_load(life, url, block)
            pairs.append((without, with_it))
    except RunError as error:
        remedy = "is the address right, and can it be reached from here?"
        findings.checks.append(Check(name="page", level="error", message=str(error), remedy=remedy))
        return
    findings.cases.append(Case(page=page, block=block, jobs=tuple(jobs), pairs=tuple(pairs)))


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _document(findings: Findings) -> dict[str, Any]:
    """For JSON: stable keys; seconds and bytes; medians."""

    def medians(found: Sequence[Any]) -> dict[str, float]:
        names = [field.name for field in attrs.fields(type(found[0]))]
        return {name: _median([getattr(each, name) for each in found]) for name in names}

    return {
        "checks": [attrs.asdict(check) for check in findings.checks],
        "launch": medians(findings.launches) if findings.launches else None,
        "pages": [
            {
                "page": case.page,
                "block": case.block,
                "jobs": case.jobs,
                "rounds": len(case.pairs),
                "without": medians([without for without, _ in case.pairs]),
                "with": medians([with_it for _, with_it in case.pairs]),
            }
            for case in findings.cases
        ],
    }


_STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


def _print(findings: Findings) -> None:
    from rich.text import Text

    from muxd.cli.output import console, harmless, print_table
    from muxd.sizes import format_size

    out = console()
    for check in findings.checks:
        line = Text.assemble(
            (f"{check.level:<8}", _STYLES[check.level]), f"{check.name}: {harmless(check.message)}"
        )
        out.print(line)
        if check.remedy:
            out.print(Text(f"        {harmless(check.remedy)}"))
    if not findings.cases:
        return
    launches = findings.launches
    click.echo()
    print_table(
        ("launch", "first page", "fresh page", "CPU", "memory"),
        [
            (
                _seconds(_median([each.seconds for each in launches])),
                _seconds(_median([each.main_page for each in launches])),
                _seconds(_median([each.fresh_page for each in launches])),
                _seconds(_median([each.cpu for each in launches])),
                format_size(round(_median([each.memory for each in launches]))),
            )
        ],
    )
    click.echo()
    columns: tuple[str, ...] = (
        "page",
        "blocked",
        "by",
        "requests",
        "data",
        "loaded in",
        "CPU",
        "memory",
    )
    rows = [_row(case, format_size) for case in findings.cases]
    if not any(case.jobs for case in findings.cases):
        columns, rows = _without(2, columns), [_without(2, row) for row in rows]
    print_table(columns, rows)
    click.echo(
        f"\nMedians of {len(launches)}, without -> with what is blocked. CPU is of browser, driver "
        "and Python; memory of all\nprocesses of the browser. Everything with an empty cache."
    )


def _without(place: int, cells: tuple[str, ...]) -> tuple[str, ...]:
    return cells[:place] + cells[place + 1 :]


def _row(case: Case, size: Callable[[int], str]) -> tuple[str, ...]:
    def change(name: str, words: Callable[[float], str]) -> str:
        before, after = (
            _median([getattr(load, name) for load in loads])
            for loads in zip(*case.pairs, strict=True)
        )
        return f"{words(before)} -> {words(after)}"

    return (
        case.page,
        ", ".join(case.block),
        ", ".join(case.jobs),
        change("requests", lambda number: f"{number:g}"),
        change("size", lambda number: size(round(number))),
        change("seconds", _seconds),
        change("cpu", _seconds),
        change("memory", lambda number: size(round(number))),
    )


def _seconds(value: float) -> str:
    return f"{value:.2f} s"
