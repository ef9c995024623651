"""The options of ``muxd plan`` for jobs that muxd doesn't run (yet)."""

from __future__ import annotations

from functools import wraps
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attrs
import click

from muxd.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from muxd.cli.crontab import Outside
    from muxd.slotting.crontab import Form

__all__ = ["OutsideFile", "outside_options"]

_DURATION = 60
_LONGEST = 366 * 86_400


@attrs.frozen(kw_only=True)
class OutsideFile:
    """A file of such jobs, as the options name it."""

    path: Path
    crontab: bool
    """It's a crontab; otherwise it is JSON."""
    form: Form
    """The format of a crontab."""
    duration: int
    """Seconds that a run of a crontab's job takes, >= 1."""

    def read(self, today: date) -> Outside:
        """The jobs in it, and what collides now, in a crontab from `today` on.

        Raises:
          ConfigError: all that is wrong with the file.
        """
        from muxd.cli.crontab import from_crontab, from_jobs

        if self.crontab:
            return from_crontab(self.path, self.form, self.duration, today)
        return from_jobs(self.path)


def _seconds(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
    if not 1 <= seconds <= _LONGEST:
        raise click.BadParameter(
            f"give at least 1s, at most 366d, not {text!r}", context, parameter
        )
    return ceil(seconds)


def outside_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--from-jobs --from-crontab --crontab-format --duration``.

    The command gets them as one argument, ``outside_file``: an `OutsideFile` or None. It must have
    a parameter ``jobs_file`` for an option ``--jobs-file``, with which they don't go together.
    """

    @wraps(command)
    def with_outside(
        *args: Any,
        jobs_file: Path | None,
        from_jobs: Path | None,
        from_crontab: Path | None,
        crontab_format: str | None,
        duration: int | None,
        **kwargs: Any,
    ) -> Any:
        files = [path for path in (jobs_file, from_jobs, from_crontab) if path is not None]
        if len(files) > 1:
            raise click.UsageError("give only one of --jobs-file, --from-jobs and --from-crontab")
        for name, value in (("--duration", duration), ("--crontab-format", crontab_format)):
            if value is not None and from_crontab is None:
                raise click.UsageError(f"{name} goes with --from-crontab only")
        found = None
        if from_jobs is not None or from_crontab is not None:
            found = OutsideFile(
                path=files[0],
                crontab=from_crontab is not None,
                form=cast("Form", crontab_format or "auto"),
                duration=_DURATION if duration is None else duration,
            )
        return command(*args, jobs_file=jobs_file, outside_file=found, **kwargs)

    for option in reversed(
        (
            click.option(
                "--from-jobs",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="As --jobs-file, and tell what collides now: at the preferred phases, or from "
                "zero.",
            ),
            click.option(
                "--from-crontab",
                type=click.Path(path_type=Path, allow_dash=True),
                metavar="FILE",
                help="Tell what collides in a crontab (- is stdin), and plan its jobs.",
            ),
            click.option(
                "--crontab-format",
                type=click.Choice(["auto", "system", "user"]),
                metavar="FORMAT",
                help="Whether a user stands before each command in it (system), or not (user). "
                "[default: auto]",
            ),
            click.option(
                "--duration",
                callback=_seconds,
                metavar="DURATION",
                help="How long each run of a crontab's jobs takes. [default: 60s]",
            ),
        )
    ):
        with_outside = option(with_outside)
    return with_outside
