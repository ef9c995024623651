"""What single fields of jobs may be, for those who read them elsewhere than in code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxd.errors import JobError
from muxd.job import LONGEST, Job

if TYPE_CHECKING:
    from muxd.running import Run

__all__ = ["allowed_in_job"]


def allowed_in_job(field: str, value: object) -> str | None:
    """What would be right in place of a value that no job could have in this field; None if one could."""
    roomy: dict[str, Any] = {"interval": LONGEST, "preferred_phase": 0}
    try:
        Job("any", _any_body, **(roomy | {field: value}))
    except JobError as error:
        return error.allowed
    return None


async def _any_body(run: Run) -> None:
    """For `allowed_in_job`: never run."""
