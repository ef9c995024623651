"""``[jobs.NAME]`` of the configuration, applied to the job that the plugin declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd.errors import ConfigProblem, JobError
from muxd.hints import shown

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.job import Job

__all__ = ["overridden"]


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
