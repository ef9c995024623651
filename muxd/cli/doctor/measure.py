"""The browser, launched; what that takes, and what blocking saves on pages."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from muxd.cli.doctor.check import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd.browser.launch import LaunchPlan
    from muxd.browser.measuring import Launch, Load
    from muxd.config import Config

__all__ = ["SAMPLE", "Case", "Findings", "lists_of", "look_for_browser", "measure"]

_USUAL = ("image", "font", "media")
"""What is measured where nothing says what to block."""
SAMPLE = "the sample page"
"""What it is called in results."""


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


def lists_of(config: Config, block: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
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


def look_for_browser(config: Config, findings: Findings) -> LaunchPlan | None:
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


def measure(
    plan: LaunchPlan,
    urls: Sequence[str],
    lists: dict[tuple[str, ...], list[str]],
    rounds: int,
    findings: Findings,
) -> None:
    """Launch the browser; with `rounds` above 0 measure it, and pages."""
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
                        pages = {url: url for url in urls} if urls else {SAMPLE: str(sample)}
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
