"""The data file, ``data.db`` in the state directory: what jobs save, and their states."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import AsyncIterable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, final

import attrs
import trio

from muxd.body.dataerrors import explained, is_damage
from muxd.body.datafile import (
    connect_reading,
    connect_writing,
    damage_of,
    set_aside,
    transaction,
)
from muxd.errors import ItemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from muxd.body.saving import Saving
    from muxd.saved import Saved

T = TypeVar("T")

__all__ = ["FILE_NAME", "Data", "here", "items_of"]

FILE_NAME = "data.db"
"""The data file in the state directory."""


class _GivenUpError(Exception):
    """Nobody waits any more for what a thread does."""


@final
class Data:
    """The owner of the data file: one connection, opened when it is first needed, closed on leaving.

    Whoever makes one holds the state directory. It is used by one worker thread at a time; who waits
    for it and is cancelled gets away at once, and nothing of what it wanted is kept unless all of it
    was by then. A file that turns out to be damaged is set aside, and a new one begun.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        real_now: Callable[[], float],
        in_thread: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync,
    ) -> None:
        """For the file in this directory; nothing is opened or made yet.

        Args:
          state_dir: a directory that exists by the time when something is saved.
          real_now: gives Unix seconds.
          in_thread: like `trio.to_thread.run_sync`. A test in virtual time gives one that calls.
        """
        self.path = state_dir / FILE_NAME
        self.warnings: list[str] = []
        """What people should know about the file, newest last."""
        self._real_now = real_now
        self._in_thread = in_thread
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # device and inode of what it is connected to

    async def save(self, saving: Saving) -> Saved:
        """Save items.

        Raises:
          ItemError: they can't be kept, and none is.
          DataError: the file can't be written, and none is kept.

        Cancelled, all of them are kept or none.
        """

        def work(check: Callable[[], None]) -> Saved:
            rows = saving.rows(check)
            return self._use(lambda connection: saving.save(connection, rows, check), check)

        return await here(lambda: self._do(work))

    async def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction; what it raises undoes it. Raises and cancelled as `save`."""
        return await self._do(partial(self._use, work))

    async def look(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """As `change`, where there is a file; None if nothing was ever written."""

        def glance(check: Callable[[], None]) -> T | None:
            return self._use(work, check) if self.path.exists() else None

        return await self._do(glance)

    async def check(self) -> None:
        """Look through all of the file, beside all other calls; one that is damaged is set aside.

        Else a save would go on for as long as what it needs is in memory. Raises and cancelled as `save`.
        """
        damage = await self._in_thread(
            self._damage, abandon_on_cancel=True, thread_name="muxd data file"
        )
        if damage is not None:
            await self._do(lambda _check: self._replace(damage))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Disconnect. Shielded, and bounded: it waits for no lock."""
        if self._connection is not None:
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                await self._in_worker_thread(self._disconnect)

    async def _do(self, work: Callable[[Callable[[], None]], T]) -> T:
        given_up = threading.Event()

        def check() -> None:
            if given_up.is_set():
                raise _GivenUpError

        try:
            done: T = await self._in_worker_thread(partial(work, check))
        except trio.Cancelled:
            given_up.set()
            raise
        return done

    async def _in_worker_thread(self, work: Callable[[], Any]) -> Any:
        return await self._in_thread(
            work,
            abandon_on_cancel=True,  # a disk that does not answer must not hold up the end of a run
            limiter=self._one_at_a_time,
            thread_name="muxd data file",  # not the run's, where it is left behind
        )

    # In the thread

    def _use(self, work: Callable[[sqlite3.Connection], T], check: Callable[[], None]) -> T:
        for again in (True, False):
            check()
            try:
                connection = self._connected()
                with transaction(connection):
                    done = work(connection)
                    check()
                return done
            except (sqlite3.Error, OSError) as error:
                if not is_damage(error) or not again:
                    raise explained(error, self.path) from error
                self._replace(error)
        raise AssertionError("unreachable")

    def _damage(self) -> sqlite3.Error | None:
        try:
            connection = connect_reading(self.path)
            if connection is None:
                return None
            try:
                return damage_of(connection)
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and is_damage(error):
                return error
            raise explained(error, self.path) from error

    def _connected(self) -> sqlite3.Connection:
        # Somebody may have deleted it, or put another one in its place.
        if self._connection is not None and self._file == _identity(self.path):
            return self._connection
        self._disconnect()
        self._connection = connect_writing(self.path)
        self._file = _identity(self.path)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _replace(self, error: Exception) -> None:
        self._disconnect()
        try:
            kept = set_aside(self.path, error, self._real_now())
        except OSError as cause:
            raise explained(cause, self.path) from error
        self.warnings.append(
            f"the data file was damaged ({error}) and a new one was begun; the old one, with what jobs "
            f"had saved and their states, is kept as {kept.name}"
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


async def here(work: Callable[[], Awaitable[T]]) -> T:
    """Await something of trio's wherever a body may be: in a task of asyncio's, too."""
    if trio.lowlevel.in_trio_task():
        return await work()
    from muxd.crossing import across

    return await across(work)


async def items_of(given: object) -> list[object]:
    """The items in what a body gives: one, or those that it can be asked for, one after another.

    Raises:
      ItemError: it is nothing of the kind.
    """
    if isinstance(given, Mapping) or attrs.has(type(given)):
        return [given]
    if isinstance(given, AsyncIterable):
        return [item async for item in given]
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        return list(given)
    hint = " (is an `await` missing?)" if hasattr(given, "__await__") else ""
    if hasattr(given, "close") and hint:
        given.close()
    raise ItemError(
        f"items is {type(given).__name__} {given!r:.60}{hint}: give a list of mappings or attrs objects"
    )
