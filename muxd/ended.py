"""The runs that ended lately, and how many ended how."""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType
from typing import TYPE_CHECKING, final

from muxd.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.record import Record

__all__ = ["REMEMBERED", "EndedRuns"]

REMEMBERED = 256
"""How many ended runs can be told of when the store can't be read."""


@final
class EndedRuns:
    """Remembers records that have their outcome. No I/O."""

    def __init__(self) -> None:
        """None has ended yet."""
        # {run id: its record}, oldest first
        self._newest: OrderedDict[str, Record] = OrderedDict()
        self._counts = dict.fromkeys(Outcome, 0)

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many ended with each outcome."""
        return MappingProxyType(self._counts)

    def add(self, record: Record) -> None:
        """It has ended."""
        assert record.outcome is not None
        self._counts[record.outcome] += 1
        self._newest[record.id] = record
        while len(self._newest) > REMEMBERED:
            self._newest.popitem(last=False)

    def get(self, run_id: str) -> Record | None:
        """Its record, if it is one of the newest."""
        return self._newest.get(run_id)
