"""Deletes rows that jobs have not seen for long, a few at a time, in quiet moments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog
import trio

from muxd.body.schema import tables_of
from muxd.errors import DataError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from muxd.body.data import Data
    from muxd.lulls import Lulls

__all__ = ["keep_rows"]

FIRST = 90.0
"""How long after the start it is done for the first time, seconds."""
EVERY = 86_400.0
"""How long after that it is done again, seconds."""
LULL, PATIENCE = 1.0, 10.0
"""How long nothing must be due for a small piece of work, and how long that waits for it, seconds."""
AT_ONCE = 1000
"""So many rows are deleted at once."""


async def keep_rows(
    data: Data, real_now: Callable[[], float], lulls: Lulls, *, keep: float
) -> None:
    """Delete old rows soon after the start and then daily, until cancelled; 0 keeps them for ever.

    A file that can't be written is logged and tried again the next day.
    """
    if not keep:
        return
    await trio.sleep(FIRST)
    while True:
        deleted = 0
        try:
            for table in await data.look(_names) or ():
                while gone := await data.look(partial(_delete, table, real_now() - keep)):
                    deleted += gone
                    await lulls.wait(LULL, at_most=PATIENCE)
        except DataError as error:
            structlog.get_logger().error(
                "old rows could not be deleted: tried again in a day", error=str(error)
            )
        if deleted:
            structlog.get_logger().info("old rows of jobs are deleted", rows=deleted)
        await trio.sleep(EVERY)


def _names(connection: sqlite3.Connection) -> list[str]:
    return [table.quoted for table in tables_of(connection)]


def _delete(quoted: str, before: float, connection: sqlite3.Connection) -> int:
    return connection.execute(
        f"DELETE FROM {quoted} WHERE _muxd_row IN "
        f"(SELECT _muxd_row FROM {quoted} WHERE last_seen < ? LIMIT {AT_ONCE})",
        (before,),
    ).rowcount
