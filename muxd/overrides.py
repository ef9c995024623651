"""``[jobs.NAME]`` of the configuration, applied to the job that the plugin declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from muxd.errors import ConfigError, ConfigProblem, JobError
from muxd.hints import shown
from muxd.jobvalues import allowed_in_job
from muxd.keys import dotted

if TYPE_CHECKING:
    from muxd.config import Config
    from muxd.job import Job

__all__ = ["allowed_instead", "configured", "overridden"]


def allowed_instead(field: str, value: object) -> str | None:
    """What would be right in place of a value that no job could have; None if one could.

    Args:
      field: a key of ``[jobs.NAME]``.
      value: as it was read.
    """
    if field == "enabled":
        return None if isinstance(value, bool) else "give true or false"
    if field == "config":
        return None if isinstance(value, Mapping) else "give a table, [jobs.NAME.config]"
    return allowed_in_job(field, value)


def overridden(job: Job, config: Config) -> tuple[Job, list[ConfigProblem]]:
    """The job with the fields that the configuration sets, and all that is wrong with them.

    With problems, the job is the given one but for the fields that were right.
    """
    given = config.jobs.get(job.name, {})
    fields = {k: v for k, v in given.items() if k not in ("enabled", "config")}
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


def configured(job: Job, config: Config) -> Job:
    """The job with its configuration: ``[jobs.NAME.config]``, made into what its class says.

    One that is switched off may lack what it needs.

    Raises:
      ConfigError: something is wrong with it.
      Exception: the class is wrong, or raises.
    """
    given = config.jobs.get(job.name, {})
    key, values = dotted("jobs", (job.name, "config")), given.get("config", {})
    source = "muxd.toml" if config.file is None else str(config.file)
    if job.config is None:
        if not values:
            return job
        message = "the job has no configuration: its plugin names no class for it"
        raise ConfigError(ConfigProblem(source, key, message))
    is_made = not isinstance(job.config, type)
    if is_made and not values:
        return job
    from muxd.structuring import structured

    try:
        made = structured(
            type(job.config) if is_made else job.config,
            values,
            key=key,
            source=source,
            base=None if config.file is None else config.file.parent,
            instead=job.config if is_made else None,
        )
    except ConfigError:
        if given.get("enabled", True):
            raise
        return job
    return job.configured(made)
