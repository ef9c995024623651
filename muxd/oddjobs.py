"""What is odd about a job, but no mistake for sure: a session or an error that was hardly meant."""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING

from muxd.hints import slip_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from muxd.job import Job

__all__ = ["odd_in"]

_ERRORS = [
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
]


def odd_in(jobs: Iterable[Job]) -> Iterator[str]:
    """Warnings, each with plugin, job, field and what may have been meant."""
    meant: dict[str, str | None] = {}  # the names of many jobs are the same
    for job in jobs:
        who = f"plugin {job.plugin!r}, job {job.name!r}"
        near = None if job.session in ("main", "fresh") else slip_of(job.session, ("main", "fresh"))
        if near:
            yield (
                f"{who}: session={job.session!r} is a session of its own, that nobody is logged in to: "
                f"did you mean {near!r}?"
            )
        for name in job.retry_on:
            if name not in meant:
                meant[name] = _meant(name)
            if meant[name]:
                yield (
                    f"{who}: retry_on: there is no error {name!r} that it could be: did you mean "
                    f"{meant[name]!r}?"
                )


def _meant(name: str) -> str | None:
    """The class of errors that was meant by a name which is none, as far as can be told."""
    module, _, kind = name.rpartition(".")
    if module:
        home = sys.modules.get(module)
        if home is None or hasattr(home, kind):
            return None
        near = slip_of(kind, dir(home), most=1)
        return near and f"{module}.{near}"
    return None if kind in _ERRORS else slip_of(kind, _ERRORS, most=1)
