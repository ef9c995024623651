"""What can be said of each job of a timetable, for tables, pictures and programs."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import attrs

from muxd.units import format_duration

from .reason import reason
from .response import response_bounds, uneven

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd.learned import Learned

    from .demand import Demand
    from .slot import Slot
    from .timetable import Timetable

__all__ = ["Account", "Known", "accounts", "measured", "response_words"]

_BOUNDED = 400
"""More jobs than this, some of them colliding, are not bounded: it would take too long."""


_EXPLAINED = 2_000
"""Of more jobs than this it isn't said why each is where it is: every other would be looked at."""


@attrs.frozen(kw_only=True)
class Known:
    """What is known of jobs beside what they ask for; each by name."""

    declared: Mapping[str, float] = attrs.field(factory=dict)
    """Durations as the jobs declare them, seconds."""
    learned: Mapping[str, Learned] = attrs.field(factory=dict)
    """What their past runs say."""
    in_force: Mapping[str, int] = attrs.field(factory=dict)
    """Phases that were in force before the timetable was made."""


@attrs.frozen(kw_only=True)
class Account:
    """One job of a timetable."""

    slot: Slot
    """Where it is."""
    response: int | None
    """The longest from release to end while no run takes longer than is reserved for it, seconds.
    None: there is no bound, or it was not looked for."""
    response_uneven: int | None
    """The same if every run took as long as the longest in twenty of its job, with its spread."""
    reason: str
    """Why it is there; ``""`` if there is nothing to say."""
    declared: float | None = None
    """The duration that the job declares, seconds; None if that is what is reserved."""
    learned: Learned | None = None
    """What its past runs say; None if there were none."""


def accounts(
    table: Timetable,
    demands: Sequence[Demand],
    known: Known,
    *,
    overtakes: float = inf,
) -> list[Account]:
    """One account for each slot, in their order.

    Args:
        table: the timetable.
        demands: what it was made from, in the same order.
        known: what else is known of the jobs; it may name others too.
        overtakes: see `muxd.slotting.response.response_bounds`.
    """
    kept = {name for name, phase in known.in_force.items() if table.phases.get(name) == phase}
    slots = table.slots
    plain: Sequence[int | None] = [slot.duration for slot in slots]
    long: Sequence[int | None] = [None] * len(slots)
    few = len(slots) <= _BOUNDED
    if not table.feasible:
        plain = response_bounds(slots, overtakes=overtakes) if few else long
    if few:
        long = response_bounds(slots, [uneven(d) for d in demands], overtakes=overtakes)
    return [
        Account(
            slot=slot,
            response=plain[i],
            response_uneven=long[i],
            reason=reason(table, slot.name, in_force=kept) if len(slots) <= _EXPLAINED else "",
            declared=known.declared.get(slot.name),
            learned=known.learned.get(slot.name),
        )
        for i, slot in enumerate(slots)
    ]


def response_words(told: Sequence[Account]) -> str:
    """What is said of all bounds together, in one line."""
    if not told:
        return "there are no jobs"
    if any(account.response is None for account in told):
        return "not bounded for every job"
    worst = max(told, key=lambda account: account.response or 0)
    words = f"every run ends within {format_duration(worst.response or 0)} of its start"
    if all(account.response == account.slot.duration for account in told):
        words = "no run waits: each ends within its own duration"
    elif len(told) > 1:
        words += f" ({worst.slot.name}; each job's own is above)"
    if all(account.response_uneven is not None for account in told):
        longest = max(account.response_uneven or 0 for account in told)
        words += (
            f"; within {format_duration(longest)} even if all took as long as 1 in 20 of them does"
        )
    return words


def measured(seconds: float) -> str:
    """A measured duration, as exactly as it matters: tenths of a second below ten seconds."""
    return f"{seconds:.3g}s" if seconds < 9.95 else format_duration(round(seconds))
