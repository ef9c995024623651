"""The plan page: what is said of each job's place, and a change that is tried. In threads."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import attrs
import trio

from muxd.errors import UserError
from muxd.slotting import Demand, Timetable, solve
from muxd.slotting.account import Account, Known, accounts
from muxd.slotting.whatif import Difference, changed, difference, without

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Trial", "Trying"]

EXPLAINED = 400
"""Of more jobs than this it isn't said why each is where it is: it would take too long."""
TRIED = 2_000
"""With more jobs than this nothing is tried."""
BOUND = 60.0
"""How long a trial may take, seconds."""


@attrs.frozen
class Trial:
    """What a change would make of the timetable."""

    table: Timetable
    change: Difference


@final
class Trying:
    """One at a time, however many ask."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)
        self._of: Timetable | None = None
        self._accounts: list[Account] = []

    async def accounts(self, table: Timetable) -> list[Account]:
        """What can be said of each slot; nothing of more than `EXPLAINED`."""
        if len(table.slots) > EXPLAINED:
            return []
        if self._of is not table:
            told = await trio.to_thread.run_sync(
                partial(accounts, table, _demands(table), Known()),
                limiter=self._limiter,
                abandon_on_cancel=True,
            )
            self._of, self._accounts = table, told
        return self._accounts

    async def trial(
        self, table: Timetable, fields: Mapping[str, str], *, headroom: float
    ) -> Trial | None:
        """The timetable that would be; None if nothing is to be changed.

        Args:
          table: the one in force.
          fields: ``job``, and what of it is to be changed, as `changed` takes it; or ``without``.
          headroom: as in the configuration.

        Raises:
          UserError: it can't be changed so.
          UnknownJob: there is no such job.
        """
        job = fields.get("job", "").strip()
        wanted = {
            name: fields.get(name, "").strip().replace(" ", "")
            for name in ("interval", "duration", "phase", "pinned", "priority")
        }
        words = [f"{name}={text}" for name, text in wanted.items() if text]
        gone = fields.get("without", "") == "yes"
        if not job or not (words or gone):
            return None
        if len(table.slots) > TRIED:
            raise UserError(f"with more than {TRIED} jobs use `muxd plan --what-if`")
        demands = _demands(table)
        demands = (
            without(demands, job) if gone else changed(demands, f"job={job} {' '.join(words)}")
        )
        fixed = {
            demand.name: table.phases[demand.name]
            for demand in demands
            if table.slot(demand.name).interval == demand.interval
        }
        try:
            with trio.fail_after(BOUND):
                after = await trio.to_thread.run_sync(
                    partial(solve, demands, fixed=fixed, headroom=headroom),
                    limiter=self._limiter,
                    abandon_on_cancel=True,
                )
        except trio.TooSlowError:
            raise UserError(f"it takes longer than {BOUND:g} s to find out") from None
        return Trial(after, difference(table, after))


def _demands(table: Timetable) -> list[Demand]:
    return [
        Demand(
            name=slot.name,
            interval=slot.interval,
            duration=slot.duration,
            priority=slot.priority,
            preferred_phase=slot.preferred_phase,
            pinned=slot.pinned,
        )
        for slot in table.slots
    ]
