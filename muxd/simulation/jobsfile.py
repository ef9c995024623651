"""Jobs to simulate from a JSON file: what `muxd plan --jobs-file` reads, and the jobs' policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from muxd.errors import ConfigError, ConfigProblem, JobError
from muxd.job import Job
from muxd.slotting.jobsfile import read_jobs_file

if TYPE_CHECKING:
    from pathlib import Path

    from muxd.running import Run

__all__ = ["read_jobs"]

POLICIES = ("timeout", "retries", "overlap", "misfire", "idempotent", "session")


def read_jobs(path: Path) -> tuple[Job, ...]:
    """The jobs in a file.

    Raises:
      ConfigError: it can't be read or says something impossible.
    """
    demands = read_jobs_file(path)
    document = json.loads(path.read_bytes())
    entries = document["jobs"] if isinstance(document, dict) else document
    jobs, problems = [], []
    for demand, entry in zip(demands, entries, strict=True):
        try:
            jobs.append(
                Job(
                    demand.name,
                    _never,
                    interval=demand.interval,
                    duration=demand.duration,
                    priority=demand.priority,
                    preferred_phase=demand.wish,
                    pinned=demand.pinned,
                    **{key: entry[key] for key in POLICIES if key in entry},
                )
            )
        except JobError as error:
            problems.append(ConfigProblem(str(path), demand.name, str(error)))
    if problems:
        raise ConfigError(*problems)
    return tuple(jobs)


async def _never(run: Run) -> None:
    """The body of a job that is only simulated."""
