"""Keeps the data file in shape: looks for damage, deletes rows that jobs have not seen for long."""

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

__all__ = ["keep_data_in_shape"]

FIRST = 90.0
"""How long after the start it is done for the first time, seconds."""
EVERY = 86_400.0
"""How long after that it is done again, seconds."""
LULL, PATIENCE = 1.0, 10.0
"""How long nothing must be due for a small piece of work, and how long that waits for it, seconds."""
AT_ONCE = 1000
"""So many rows are deleted at once."""


async def keep_data_in_shape(
    data: Data, real_now: Callable[[], float], lulls: Lulls, *, keep: float
) -> None:
    """Check the file and delete old rows soon after the start and then daily, until cancelled.

    Rows are deleted a few at a time, in quiet moments; with `keep` 0 they are kept for ever. A file that
    can't be read or written is logged and tried again the next day.
    """
    await trio.sleep(FIRST)
    while True:
        deleted = 0
        try:
            await data.check()
            for table in (await data.look(_names) or ()) if keep else ():
                while gone := await data.look(partial(_delete, table, real_now() - keep)):
                    deleted += gone
                    await lulls.wait(LULL, at_most=PATIENCE)
        except DataError as error:
            structlog.get_logger().error(
                "what jobs save could not be checked and pruned: tried again in a day",
                error=str(error),
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
