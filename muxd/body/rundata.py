"""What a run saves, and what it knows of its job: `muxd.Run.save`, `state` and `last`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, final

import attrs
import structlog
import trio

from muxd.body.data import items_of
from muxd.body.reading import DataReader, FileData
from muxd.body.runstate import RunState
from muxd.body.saving import Saving
from muxd.errors import DataError, ItemError, MuxdError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from muxd.body.data import Data
    from muxd.body.memory import Known, Memory
    from muxd.jobdata import JobData
    from muxd.last import Last
    from muxd.saved import Saved

__all__ = ["RunData"]

WRITE_BOUND = 4.0
"""How long writing the state may take at a run's end, seconds."""
_TABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@final
@attrs.define(eq=False)
class RunData:
    """One run's."""

    job: str
    run: str
    _data: Data
    _memory: Memory
    _known: Known
    _real_now: Callable[[], float]
    _state: RunState | None = None
    _text: str | None = None  # what the state came to; None: as it was
    _problem: MuxdError | None = None
    _is_over: bool = False

    @property
    def state(self) -> RunState:
        """See `muxd.Run.state`."""
        if self._known.trouble is not None:
            raise self._known.trouble
        if self._state is None:
            self._state = RunState(self.job, self._known.state)
        return self._state

    @property
    def last(self) -> Last:
        """See `muxd.Run.last`."""
        if self._known.trouble is not None:
            raise self._known.trouble
        return self._known.last

    @property
    def saved(self) -> JobData:
        """See `muxd.Run.data`."""
        return FileData(DataReader(self._data.path.parent), self.job)

    async def save(
        self,
        items: object,
        key: str | Iterable[str] | None,
        table: str | None,
        *,
        complete: bool,
        may_be_empty: bool,
    ) -> Saved:
        """See `muxd.Run.save`."""
        columns = _columns(key)
        if table is not None and not (isinstance(table, str) and _TABLE.fullmatch(table)):
            raise ItemError(
                f"table={table!r:.120} is not possible: give 1 to 100 letters, digits, '_', '.' or '-'"
            )
        found = await items_of(items)
        if self._is_over:
            raise RuntimeError("the run is over: nothing can be saved by it any more")
        return await self._data.save(
            Saving(
                job=self.job,
                table=table or "",
                run=self.run,
                key=columns,
                complete=complete,
                may_be_empty=may_be_empty,
                at=self._real_now(),
                items=found,
            )
        )

    def close(self) -> None:
        """The body has ended: what it changes from now on is lost. Never raises."""
        if self._is_over:
            return
        self._is_over = True
        if self._state is not None:
            try:
                self._text = self._state.close()
            except MuxdError as error:
                self._problem = error

    async def finish(self, *, good: bool) -> MuxdError | None:
        """Write the state that a good run has changed. Bounded; never raises.

        Returns:
          Why it is not written, so that the run has not ended well; None if all is well.
        """
        self.close()
        if not good:
            return None
        problem = self._problem
        if problem is None and self._text is not None:
            problem = DataError(
                f"the state of job {self.job!r} was not written in {WRITE_BOUND:g} s: the disk does not "
                "answer"
            )
            with trio.move_on_after(WRITE_BOUND):
                try:
                    await self._memory.write(self.job, self._known, self.run, self._text)
                    return None
                except DataError as error:
                    problem = error
        if problem is not None:
            structlog.get_logger().error("the state of a job is not kept", error=str(problem))
        return problem


def _columns(key: str | Iterable[str] | None) -> tuple[str, ...]:
    if key is None:
        return ()
    several = tuple(key) if isinstance(key, (tuple, list)) else (key,)
    columns = tuple(column for column in several if isinstance(column, str) and column)
    if not columns or columns != several or len(set(columns)) < len(columns):
        raise ItemError(
            f"key={key!r:.120} is not possible: give the name of a column, or a tuple of several"
        )
    return columns
