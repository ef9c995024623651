"""``muxd doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muxd.cli.options import config_options, engine_option, epilog, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from muxd.cli.doctor.check import Finding, Look, Subject
    from muxd.config import Config
    from muxd.errors import ConfigProblem

__all__ = ["doctor"]


@click.command(
    epilog=epilog(
        ("muxd doctor", "is all well with this machine, and muxd on it?"),
        ("muxd doctor --json", "for programs: the checks, each with its level and remedy"),
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
@config_options(forgiving=True, engine="browser.engine")
@json_option
@click.pass_context
def doctor(
    context: click.Context,
    config: Config,
    problems: tuple[ConfigProblem, ...],
    urls: tuple[str, ...],
    measure: bool,
    block: tuple[str, ...],
    rounds: int,
    as_json: bool,
) -> None:
    """Check this machine, muxd's state and the browser; measure what the browser takes.

    Each line is ok, a warning or an error, with what to do. Whatever hangs or breaks meanwhile
    costs its own line only: a configuration with mistakes and broken plugins are among what is
    looked for. The browser has a profile of its own for it, which is gone afterwards, and nothing
    is changed, so a daemon may run meanwhile. No job is run.

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
    from muxd.cli.doctor import measure as measuring
    from muxd.cli.doctor.aside import Aside
    from muxd.cli.doctor.check import Subject, looked_at
    from muxd.cli.doctor.printing import document_of, print_checks, print_measured
    from muxd.state import StateDir

    lists = measuring.lists_of(config, block) if measure else {}
    findings, state = measuring.Findings(), StateDir(config.daemon.state_dir)
    subject = Subject(
        config=config, problems=problems, state=state, owner=state.owner(), root=Path("/")
    )
    with Aside(*_given(context)) as aside:
        subject.answer = aside.answer
        subject.plan = measuring.look_for_browser(config, findings)
        if subject.plan is not None:
            measuring.measure(subject.plan, urls, lists, rounds if measure else 0, findings)
        subject.launched = bool(findings.launches)
        before, after = _looks()
        first = [check for look in before for check in looked_at(look, subject)]
        findings.checks[:0] = first
        findings.checks += (check for look in after for check in looked_at(look, subject))
    if as_json:
        from muxd.cli.output import print_json

        print_json(document_of(findings))
    else:
        print_checks(findings.checks)
        print_measured(findings)
    if findings.failed:
        context.exit(1)


def _given(context: click.Context) -> tuple[Path | None, dict[str, tuple[Any, str]]]:
    """The configuration's place, as `muxd.configfile.load_config` takes it."""
    given = context.params
    options = {
        "daemon.state_dir": (given["state_dir"], "--state-dir"),
        "plugins.jobs_dirs": (given["jobs_dirs"], "--jobs-dir"),
        "browser.engine": (given["engine"], "--engine"),
    }
    return given["config_file"], {key: pair for key, pair in options.items() if pair[0]}


def _looks() -> tuple[Sequence[Look], Sequence[Look]]:
    """All that is looked at, in the order of the lines: before the browser, and after it."""
    from muxd.cli.doctor import aside, machine, notify, state, unit
    from muxd.cli.doctor.check import Look

    return (Look("configuration", configuration, aside.PLUGINS_BOUND + 5),), (
        Look("sandbox", machine.sandbox),
        Look("fonts", machine.fonts),
        Look("/dev/shm", machine.shared_memory),
        Look("memory", machine.memory),
        Look("disk", machine.disk),
        Look("clock", machine.clock),
        Look("time zone", machine.time_zone),
        Look("state", state.permissions),
        Look("plugins", aside.plugins, aside.PLUGINS_BOUND + 5),
        Look("ledger", aside.ledger, aside.LEDGER_BOUND + 5),
        Look("data", state.data, state.DATA_BOUND),
        Look("daemon", state.daemon, 30),
        Look("leftovers", state.leftovers),
        Look("dashboard", state.dashboard),
        Look("notifications", notify.notify, notify.NOTIFY_BOUND),
        Look("service", unit.service),
    )


def configuration(subject: Subject) -> Iterator[Finding]:
    """All that is wrong with it."""
    from muxd.cli.doctor.aside import PLUGINS_BOUND
    from muxd.cli.doctor.check import error, ok

    overrides: Any = subject.answer("overrides", PLUGINS_BOUND) or ()
    wrong = [*map(str, subject.problems), *overrides]
    for problem in wrong:
        yield error(problem, "correct it; `muxd config` shows what is in force, and from where")
    if not wrong:
        file = subject.config.file
        yield ok(str(file) if file else "there is no file: the defaults are in force")
