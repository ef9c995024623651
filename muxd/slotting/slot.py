"""A job's place on the timetable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from .demand import Demand

__all__ = ["Slot", "circular_distance"]


def circular_distance(a: int, b: int, period: int) -> int:
    """Seconds between two phases of one period, the shorter way round: 0 to period // 2."""
    x = (a - b) % period
    return min(x, period - x)


@attrs.frozen(kw_only=True)
class Slot:
    """When one job starts: at ``phase``, and every ``interval`` seconds after that."""

    name: str
    interval: int
    """Seconds between releases, >= 1."""
    phase: int
    """Seconds after the epoch of the first release, 0 <= phase < interval."""
    duration: int
    """Seconds reserved for each run, >= 1."""
    priority: int = 1
    """Higher matters more."""
    preferred_phase: int | None = None
    """What the job asked for, modulo the interval; None if it did not mind."""
    pinned: bool = False

    @classmethod
    def of(cls, demand: Demand, phase: int) -> Slot:
        """The slot that gives ``demand`` this phase (taken modulo its interval)."""
        return cls(
            name=demand.name,
            interval=demand.interval,
            phase=phase % demand.interval,
            duration=demand.duration,
            priority=demand.priority,
            preferred_phase=demand.wish,
            pinned=demand.pinned,
        )

    @property
    def moved(self) -> int:
        """Seconds between the phase and the preference, the shorter way round; 0 if none."""
        if self.preferred_phase is None:
            return 0
        return circular_distance(self.phase, self.preferred_phase, self.interval)

    def at_or_after(self, instant: int) -> int:
        """The first release at or after ``instant`` (seconds since the epoch, may be negative)."""
        return instant + (self.phase - instant) % self.interval

    def before(self, instant: int) -> int:
        """The last release at or before ``instant`` (seconds since the epoch)."""
        return instant - (instant - self.phase) % self.interval
