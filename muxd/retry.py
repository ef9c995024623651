"""Whether a run is to be tried again, and after how long. Pure."""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import TYPE_CHECKING, TypeGuard

from muxd.errors import qualified_name
from muxd.job import OnInterrupt
from muxd.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from muxd.job import Job
    from muxd.record import Record

__all__ = ["FIRST_DELAY", "LONGEST_DELAY", "TRIED_AGAIN", "delay", "wants_retry"]

FIRST_DELAY = 30.0
"""The middle of the delays before the second try, real seconds; it doubles with each further."""
LONGEST_DELAY = 3600.0
"""No delay is longer, real seconds."""

TRIED_AGAIN = frozenset({Outcome.failed, Outcome.timed_out, Outcome.crashed, Outcome.empty})
"""What may be tried again."""


def wants_retry(job: Job, record: Record) -> bool:
    """Whether this run of the job should be tried again.

    Yes where it did not end well, in a way that the job wants tried again (`Job.retry_on`), and the
    job has retries left; and where muxd's own end cut it off, if the job wants that (`OnInterrupt`)
    or its body had not begun: such a run gets one more try even if the job has no retries, but not
    for ever, since it may be what ends muxd.
    """
    if record.outcome in TRIED_AGAIN:
        return record.attempt <= job.retries and _is_meant(job.retry_on, record)
    if record.outcome is Outcome.interrupted:
        harmless = job.on_interrupt is OnInterrupt.retry or record.started_at is None
        return harmless and record.attempt <= max(job.retries, 1)
    return False


def _is_meant(retry_on: Collection[str], record: Record) -> bool:
    if record.outcome in retry_on:
        return True
    names = _names(record.error_type) if record.error_type else set()
    return any(
        name == wanted or name.endswith(f".{wanted}") for wanted in retry_on for name in names
    )


def _names(error_type: str) -> set[str]:
    """The qualified names of an error's class and, where it can be found, of its bases."""
    module, _, name = error_type.rpartition(".")
    kind = getattr(sys.modules.get(module or "builtins"), name, None)
    if not isinstance(kind, type) or not issubclass(kind, BaseException):
        return {error_type}
    return {error_type, *map(qualified_name, filter(_is_error, kind.__mro__))}


def _is_error(kind: type) -> TypeGuard[type[BaseException]]:
    return issubclass(kind, BaseException)


def delay(
    attempt: int, *, seed: str, first: float = FIRST_DELAY, longest: float = LONGEST_DELAY
) -> float:
    """How long to wait after try number `attempt`, in seconds.

    Doubles with each try, give or take a quarter, so that runs which failed together are not
    tried again together. The same arguments give the same delay.

    Args:
      attempt: which try it was that did not end well, 1 or more.
      seed: what the deviation comes from: the id of the first try.
      first: the middle of the first delay, seconds.
      longest: no delay is longer, seconds.
    """
    middle = first * 2.0 ** min(attempt - 1, 60)
    digest = sha256(f"{seed}/{attempt}".encode()).digest()
    fraction = int.from_bytes(digest[:6]) / 2**48
    return min(middle * (0.75 + fraction / 2), longest)
