"""``muxd jobs``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import click

from muxd.cli.complete import job_names
from muxd.cli.options import config_options, epilog, json_option

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.job import Job

__all__ = ["jobs"]


@click.command(
    epilog=epilog(
        ("muxd jobs", "all jobs, as the configuration changes them"),
        ("muxd jobs 'news-*' weather", "some of them"),
        ("muxd jobs --jobs-dir ./jobs", "with the files of a directory"),
        ("muxd jobs --json", "for programs"),
    )
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=job_names)
@config_options()
@json_option
def jobs(config: Config, names: tuple[str, ...], as_json: bool) -> None:
    """Show the jobs of all plugins, with what the configuration changes applied.

    With NAMEs only those; * stands for any characters, ? for one.
    """
    from muxd.cli.context import load
    from muxd.cli.output import print_json, print_table, short
    from muxd.errors import UserError
    from muxd.units import format_duration

    plugins = load(config)
    enabled = {job.name for job in plugins.jobs}
    found = sorted((*plugins.jobs, *plugins.disabled_jobs), key=lambda job: job.name)
    if names:
        found = [job for job in found if any(fnmatchcase(job.name, name) for name in names)]
        if not found:
            raise UserError(f"no job is named {' or '.join(names)} (see `muxd jobs`)")
    if as_json:
        print_json([as_dict(job, enabled=job.name in enabled) for job in found])
        return
    if not found:
        click.echo(
            "There are no jobs: install a plugin, or name a directory with --jobs-dir.", err=True
        )
        return
    rows = []
    for job in found:
        phase = "" if job.preferred_phase is None else format_duration(job.preferred_phase)
        rows.append(
            (
                job.name + ("" if job.name in enabled else " (disabled)"),
                job.plugin,
                format_duration(job.interval),
                phase + ("!" if job.pinned else ""),
                format_duration(job.duration),
                format_duration(job.timeout),
                str(job.priority),
                job.session,
                short(job.description),
            )
        )
    columns = (
        "job", "plugin", "every", "phase", "takes", "timeout", "priority", "session", "what it does"
    )  # fmt: skip
    print_table(columns, rows, right=("every", "phase", "takes", "timeout", "priority"))
    if any(job.pinned for job in found):
        click.echo("\n! the phase is pinned")


def as_dict(job: Job, *, enabled: bool) -> dict[str, Any]:
    """For JSON: stable keys, durations in seconds."""
    from muxd.logincheck import sign_of

    return {
        "name": job.name,
        "plugin": job.plugin,
        "enabled": enabled,
        "interval": job.interval,
        "preferred_phase": job.preferred_phase,
        "pinned": job.pinned,
        "duration": job.duration,
        "timeout": job.timeout,
        "priority": job.priority,
        "session": job.session,
        "retries": job.retries,
        "overlap": job.overlap.value,
        "misfire": job.misfire.value,
        "expects_result": job.expects_result,
        "idempotent": job.idempotent,
        "block": job.block,
        "needs_login": sign_of(job) or job.needs_login is not None,
        "description": job.description,
    }
