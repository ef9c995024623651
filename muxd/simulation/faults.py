"""What can go wrong, where, and how likely. Pure, and the same for the same seed."""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["CALAMITIES", "Fault", "FaultPlan", "FaultRates", "Place"]


class Place(StrEnum):
    """Where the imagined parts wait, and so where something can happen."""

    launch = "launch"
    close = "close"
    lease = "lease"
    body_start = "start of the body"
    body_middle = "middle of the body"
    body_end = "end of the body"
    keep_session = "keeping the session"
    clean = "cleaning up after the run"
    before_write = "before a write"
    after_write = "after a write"
    between = "any time"


class Fault(StrEnum):
    """What goes wrong."""

    page_crash = "page crashed"
    browser_lost = "browser lost"
    hang = "hangs until its page is closed"
    stuck = "hangs until it is cancelled"
    stubborn = "ignores that it is cancelled"
    slow = "ten times as slow"
    error = "raises"
    listener = "a listener raises"
    fails = "fails"
    step_forwards = "clock set forwards by 1h"
    step_back = "clock set back by 1h"
    sleep = "machine asleep for 8h"
    ledger_fails = "ledger fails for 5m"
    ledger_slow = "ledger slow for 5m"
    death = "daemon killed"
    stop = "daemon stopped"
    stop_at_once = "daemon stopped at once"
    request = "somebody asks for a run"


CALAMITIES: Mapping[Fault, float] = {
    Fault.browser_lost: 4,
    Fault.step_forwards: 1,
    Fault.step_back: 1,
    Fault.sleep: 0.15,
    Fault.ledger_fails: 1,
    Fault.ledger_slow: 1,
    Fault.death: 2,
    Fault.stop: 0.7,
    Fault.stop_at_once: 0.3,
}
"""{what can happen at any time: how often, relative to each other}"""
_BODY = {
    Fault.page_crash: 10,
    Fault.browser_lost: 6,
    Fault.hang: 8,
    Fault.stuck: 5,
    Fault.stubborn: 3,
    Fault.slow: 8,
    Fault.error: 15,
    Fault.listener: 4,
}
_OWN: Mapping[Place, Mapping[Fault, float]] = {
    Place.launch: {Fault.fails: 20, Fault.hang: 8, Fault.slow: 10, Fault.browser_lost: 8},
    Place.close: {Fault.slow: 10, Fault.hang: 5},
    Place.lease: {Fault.hang: 8, Fault.slow: 10, Fault.browser_lost: 12},
    Place.body_start: _BODY,
    Place.body_middle: _BODY,
    Place.body_end: _BODY,
    Place.keep_session: {Fault.hang: 8, Fault.fails: 8, Fault.slow: 8},
    Place.clean: {Fault.hang: 8, Fault.slow: 8},
    Place.before_write: {Fault.fails: 12},
    Place.after_write: {Fault.fails: 6},
    Place.between: {Fault.request: 4},
}


@attrs.frozen(kw_only=True)
class FaultRates:
    """How likely it is that something goes wrong."""

    everywhere: float = 0.0
    """At each place where the imagined parts wait, 0 to 1."""
    jobs: Mapping[str, float] = attrs.field(factory=dict)
    """Likewise, in the bodies of these jobs: for hostile ones among honest ones."""
    between: float | None = None
    """How many calamities a day come at any time. None: 40 times `everywhere`."""

    people: float = 0.0
    """How many times a day somebody steers muxd: cancels, skips, pauses, drains, reloads."""
    only: tuple[Fault, ...] = tuple(Fault)
    """What may happen. Where nothing of it can, nothing does."""

    @property
    def a_day(self) -> float:
        """How many calamities a day come at any time."""
        return 40 * self.everywhere if self.between is None else self.between


@final
class FaultPlan:
    """Draws what happens, place by place."""

    def __init__(self, rates: FaultRates, seed: int) -> None:
        """Make a plan; the same seed, asked for the same places, gives the same faults."""
        self.rates = rates
        """How likely it is."""
        self._random = Random(f"faults/{seed}")
        # {place: what can happen there, with weights that grow}
        self._choices = {place: _weighted(place, rates.only) for place in Place}

    def draw(self, place: Place, job: str | None = None) -> Fault | None:
        """What happens here now; None if all is well."""
        rate = self.rates.everywhere
        if job is not None:
            rate = self.rates.jobs.get(job, rate)
        if rate <= 0 or not self._choices[place][0] or self._random.random() >= rate:
            return None
        return self._choose(place)

    def next_calamity(self) -> tuple[float, Fault] | None:
        """In how many seconds the next comes at any time, and which; None if none ever does."""
        if self.rates.a_day <= 0 or not self._choices[Place.between][0]:
            return None
        return self._random.expovariate(self.rates.a_day / 86_400), self._choose(Place.between)

    def _choose(self, place: Place) -> Fault:
        faults, weights = self._choices[place]
        return self._random.choices(faults, cum_weights=weights)[0]


def _weighted(place: Place, only: Collection[Fault]) -> tuple[list[Fault], list[float]]:
    faults: list[Fault] = []
    weights: list[float] = []
    total = 0.0
    for fault, weight in {**CALAMITIES, **_OWN[place]}.items():
        if fault not in only:
            continue
        total += weight
        faults.append(fault)
        weights.append(total)
    return faults, weights
