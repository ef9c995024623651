"""When people are told: an outage is one message, however many troubles it makes.

::

    trouble ── gather ──> message ── quiet ──> at most one update ── quiet ──> ...
                                     all well ── gather ──> recovery
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from muxd.builtin._notifier_trouble import Key, Trouble

__all__ = ["Change", "Incident"]

MOST = 4
"""After how many times `quiet` further failures are told, though more keep coming."""


class Change(NamedTuple):
    """What people are to be told now."""

    fresh: Sequence[Trouble]
    going_on: Sequence[Trouble]
    recovered: Sequence[Trouble]
    notices: Sequence[Trouble]


@final
class Incident:
    """Compares what is wrong with what was told. Instants are seconds on one clock.

    - What is new is told after `gather`, together with all that came meanwhile; what is over by then
      is not told at all.
    - While some of what was told is still wrong, nothing further is told for `quiet`. More jobs that
      fail then are the same outage: they are told when no other has failed for as long.
    - Nothing is told again within `quiet`.
    - When all that was told is well for `gather`, that is told; when a part of it is, and nothing has
      changed for `quiet`.
    """

    def __init__(
        self,
        *,
        gather: float,
        quiet: float,
        on: Iterable[str],
        told: Iterable[Trouble] = (),
        recent: Mapping[Key, float] | None = None,
    ) -> None:
        """Begin.

        Args:
          gather: seconds.
          quiet: seconds.
          on: the kinds that are told, and ``recovery``.
          told: what people know to be wrong.
          recent: when what was told lately was.
        """
        self._gather, self._quiet, self._on = gather, quiet, frozenset(on)
        self.told: dict[Key, Trouble] = {trouble.key: trouble for trouble in told}
        """What people know to be wrong."""
        self.recent: dict[Key, float] = dict(recent or {})
        """What they were told within `quiet`, and when."""
        self._seen: dict[Key, float] = {}  # since when what is not told yet is known
        self._gone: frozenset[Key] = frozenset()
        self._gone_at = 0.0

    def due(self, wrong: Mapping[Key, Trouble], notices: Sequence[Trouble], now: float) -> float:
        """When there is something to tell; `math.inf` if there is nothing.

        To be called whenever something has changed, and at that instant.
        """
        self._forget_old(now)
        fresh = [key for key in self._counted(wrong) if key not in self.told]
        heard = [each.key for each in notices if each.kind in self._on]
        times = [self._due_of_fresh([*fresh, *heard], now)]
        gone = frozenset(key for key in self.told if key not in wrong)
        if gone != self._gone:
            self._gone, self._gone_at = gone, now
        if gone:
            wait = self._quiet if fresh or len(gone) < len(self.told) else self._gather
            times.append(self._gone_at + wait)
        return min(times)

    def tell(
        self, wrong: Mapping[Key, Trouble], notices: Sequence[Trouble], now: float
    ) -> Change | None:
        """What is to be told, if its instant has come: from now on it is told."""
        if self.due(wrong, notices, now) > now:
            return None
        counted = self._counted(wrong)
        change = Change(
            fresh=[trouble for key, trouble in counted.items() if key not in self.told],
            going_on=[trouble for key, trouble in self.told.items() if key in wrong],
            recovered=[trouble for key, trouble in self.told.items() if key not in wrong],
            notices=[each for each in notices if each.kind in self._on],
        )
        self.told = {
            key: counted.get(key, wrong[key]) for key in wrong if key in {*self.told, *counted}
        }
        for each in (*change.fresh, *change.notices):
            self.recent[each.key] = now
        self._seen, self._gone = {}, frozenset()
        if not change.fresh and not change.notices and "recovery" not in self._on:
            return None
        return change

    def _due_of_fresh(self, fresh: Sequence[Key], now: float) -> float:
        self._seen = {key: self._seen.get(key, now) for key in fresh}
        if not self.told:
            # All was well; but what comes and goes is not told each time.
            again = min((self.recent.get(key, -math.inf) for key in fresh), default=-math.inf)
            return max(
                min(self._seen.values(), default=math.inf) + self._gather, again + self._quiet
            )
        failures = [at for (kind, _), at in self._seen.items() if kind == "failure"]
        others = [at for (kind, _), at in self._seen.items() if kind != "failure"]
        due = min(others, default=math.inf) + self._gather
        if failures:
            last = max(failures) + self._quiet + self._gather
            due = min(due, last, min(failures) + MOST * self._quiet)
        return max(due, max(self.recent.values(), default=-math.inf) + self._quiet)

    def _counted(self, wrong: Mapping[Key, Trouble]) -> dict[Key, Trouble]:
        return {key: trouble for key, trouble in wrong.items() if trouble.kind in self._on}

    def _forget_old(self, now: float) -> None:
        self.recent = {key: at for key, at in self.recent.items() if now - at < self._quiet}
