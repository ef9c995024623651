"""``[jobs.NAME]`` of the configuration, applied to the job that the plugin declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxd.errors import ConfigProblem, JobError
from muxd.hints import shown
from muxd.job import LONGEST, Job

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.running import Run

__all__ = ["allowed_instead", "overridden"]


def allowed_instead(field: str, value: object) -> str | None:
    """What would be right in place of a value that no job could have; None if one could.

    Args:
      field: a key of ``[jobs.NAME]``.
      value: as it was read.
    """
    if field == "enabled":
        return None if isinstance(value, bool) else "give true or false"
    roomy: dict[str, Any] = {"interval": LONGEST, "preferred_phase": 0}
    try:
        Job("any", _any_body, **(roomy | {field: value}))
    except JobError as error:
        return error.allowed
    return None


async def _any_body(run: Run) -> None:
    """For `allowed_instead`: never run."""


def overridden(job: Job, config: Config) -> tuple[Job, list[ConfigProblem]]:
    """The job with the fields that the configuration sets, and all that is wrong with them.

    With problems, the job is the given one but for the fields that were right.
    """
    fields = {k: v for k, v in config.jobs.get(job.name, {}).items() if k != "enabled"}
    problems: list[ConfigProblem] = []
    while fields:
        try:
            return job.replace(**fields), problems
        except JobError as error:
            key = f"jobs.{job.name}.{error.field}"
            message = f"{shown(error.value)} is not possible: {error.allowed}"
            if error.field in fields:
                problems.append(ConfigProblem(config.origin(key), key, message))
                del fields[error.field]
                continue
            # One that the plugin set, and that does not go with one that the file sets.
            if not problems:
                first = f"jobs.{job.name}.{next(iter(fields))}"
                message = f"{error.field}, which the plugin sets, would not fit: {message}"
                problems.append(ConfigProblem(config.origin(first), f"jobs.{job.name}", message))
            break
    return job, problems
