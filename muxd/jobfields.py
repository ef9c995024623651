"""The fields of a job that ``@muxd.job`` takes, for type checkers and editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd.job import Duration, LoginCheck, Misfire, OnInterrupt, Overlap

__all__ = ["JobFields"]


class JobFields(TypedDict, total=False):
    """Those of `muxd.Job` beside name, body and interval; each is described there."""

    preferred_phase: Duration | None
    pinned: bool
    duration: Duration | None
    priority: int | str
    timeout: Duration | None
    session: str
    retries: int
    retry_on: Sequence[str | type[BaseException]]
    on_interrupt: OnInterrupt | str | None
    overlap: Overlap | str
    misfire: Misfire | str
    expects_result: bool
    idempotent: bool
    block: Sequence[str] | None
    needs_login: LoginCheck | str | None
    config: Any
    description: str
    plugin: str
