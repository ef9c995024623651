"""What one job asks of the timetable."""

from __future__ import annotations

import attrs
from attrs import validators

__all__ = ["DEFAULT_SPREAD", "Demand"]

DEFAULT_SPREAD = 0.5
"""Coefficient of variation assumed for a job that has no history: page work is that uneven."""


@attrs.frozen(kw_only=True)
class Demand:
    """One job as the slotter sees it: how often, how long, how much it matters.

    All times are whole seconds. A wrong value raises :class:`ValueError` or :class:`TypeError`.
    """

    name: str = attrs.field(
        validator=validators.and_(validators.instance_of(str), validators.min_len(1))
    )
    """Unique within one timetable."""
    interval: int = attrs.field(validator=[validators.instance_of(int), validators.ge(1)])
    """Seconds between two releases, >= 1."""
    duration: int = attrs.field(validator=[validators.instance_of(int), validators.ge(1)])
    """Seconds to reserve for one run, >= 1. It may exceed the interval: then the plan says so."""
    priority: int = attrs.field(default=1, validator=validators.instance_of(int))
    """Higher matters more. Used as a weight; anything below 1 weighs as 1."""
    preferred_phase: int | None = attrs.field(
        default=None, validator=validators.optional(validators.instance_of(int))
    )
    """Seconds after the epoch at which it would like to start, taken modulo the interval."""
    pinned: bool = False
    """The preferred phase is an order: the slotter never moves it. Needs a preferred phase."""
    spread: float = attrs.field(
        default=DEFAULT_SPREAD, validator=[validators.ge(0.0), validators.le(10.0)]
    )
    """Coefficient of variation of the duration (standard deviation / mean), 0 to 10."""

    def __attrs_post_init__(self) -> None:
        if self.pinned and self.preferred_phase is None:
            raise ValueError(f"job {self.name!r} is pinned but names no preferred_phase")

    @property
    def weight(self) -> int:
        """What a second of its waiting costs, >= 1."""
        return max(1, self.priority)

    @property
    def wish(self) -> int | None:
        """The preferred phase within the interval, 0 <= wish < interval."""
        return None if self.preferred_phase is None else self.preferred_phase % self.interval
