"""What jobs have saved, to be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, final

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DataTable", "JobData", "NoData"]


@attrs.frozen(kw_only=True)
class DataTable:
    """A table of what a job has saved."""

    job: str
    name: str
    """Empty: the job's own; else as the body named it."""
    sql_name: str
    """What the table is called in the data file."""
    columns: tuple[str, ...]
    """Those of the items, in the order in which they came up."""
    key: tuple[str, ...]
    """The columns that tell rows apart; none: all of them together."""
    rows: int
    last_seen: float | None
    """When something was last saved into it, Unix seconds; None if it is empty."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        from muxd.record import utc_text

        return attrs.asdict(self) | {"last_seen": utc_text(self.last_seen)}


class JobData(ABC):
    """Reads what one job has saved, beside whoever saves.

    Laws: it changes nothing, is never in anybody's way, and sees each save whole or not at all. What a
    job has not saved is empty. Methods raise `~muxd.errors.DataError` when the data file can't be read.
    Cancelled, they have done nothing.
    """

    job: str

    @abstractmethod
    async def tables(self) -> Sequence[DataTable]:
        """The job's tables, its own first; none if it has saved nothing."""

    @abstractmethod
    async def rows(
        self,
        table: str | None = None,
        *,
        since: float | None = None,
        new_since: float | None = None,
        limit: int | None = 100,
    ) -> list[dict[str, Any]]:
        """Rows in the order in which they came up, the newest last.

        Each has the columns of the items and, beside them, ``first_seen`` and ``last_seen`` (Unix
        seconds), ``run`` (the id of the run that has seen it last) and ``gone_at`` (Unix seconds: since
        when it is not there any more, as far as saves that were complete tell; else None).

        Args:
          table: one of the job's further tables; None: its own.
          since: only those that were last seen then or later, Unix seconds.
          new_since: only those that were first seen then or later, Unix seconds.
          limit: how many at most, 0 or more, the newest; None: all.
        """


@final
class NoData(JobData):
    """What is read where nothing is kept."""

    def __init__(self, job: str) -> None:
        self.job = job

    async def tables(self) -> Sequence[DataTable]:
        """None."""
        await trio.lowlevel.checkpoint()
        return ()

    async def rows(
        self,
        table: str | None = None,
        *,
        since: float | None = None,
        new_since: float | None = None,
        limit: int | None = 100,
    ) -> list[dict[str, Any]]:
        """None."""
        await trio.lowlevel.checkpoint()
        return []
