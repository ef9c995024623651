"""One timetable being worked on: the board, the pressure, the wishes, and what it is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .board import Board
from .improve import Improver
from .pressure import UNIT, Pressure
from .relax import WISH_SECONDS, Wishes, relax
from .rotate import turned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .problem import Problem
    from .rehearse import Rehearsal
    from .steps import Steps

__all__ = ["Layout"]


_LEAST_WAIT = 0.1
"""Seconds of mean wait below which preferences count more than waiting."""


class Layout:
    """Starts of all slots, kept legal for given lengths while they are improved.

    Args:
        problem: what is asked for.
        lengths: seconds each slot takes, headroom included.
        starts: {slot: start} of all of them, legal for these lengths. If all may move, they are
            turned together towards the preferences.
        rehearsal: the judge of uneven durations; None: trust the pressure field.
        movable: slots that may move; by default all that are not pinned.
        pull: how strongly preferences count; 1 is usual.
    """

    def __init__(
        self,
        problem: Problem,
        lengths: Sequence[int],
        starts: Mapping[int, int],
        rehearsal: Rehearsal | None,
        steps: Steps,
        *,
        movable: Sequence[int] | None = None,
        pull: float = 1.0,
    ) -> None:
        self.problem = problem
        scale = sum(problem.weights) / len(problem.weights)
        self.wishes = Wishes(problem.demands, problem.periods, WISH_SECONDS * scale * pull)
        self._pull = pull
        self.board = Board(problem.periods, lengths, steps)
        if movable is None:
            starts = turned(starts, self.wishes, steps)
        for slot, start in starts.items():
            self.board.place(slot, start)
        self.pressure = Pressure(
            problem.demands, problem.periods, problem.weights, self.board.starts, steps
        )
        self.rehearsal = rehearsal
        self.movable = problem.movable if movable is None else list(movable)
        self._wishing = [i for i in range(len(problem.demands)) if self.wishes.wish(i) is not None]

    @property
    def starts(self) -> dict[int, int]:
        """Where everything is now."""
        return self.board.starts

    def relax(self, steps: Steps, sweeps: int) -> None:
        """Let every slot settle where it presses least."""
        relax(self.board, self.pressure, self.wishes, self.movable, steps, sweeps=sweeps)

    def improve(self, steps: Steps, seed: int = 1) -> int:
        """Ruin and recreate until the steps are spent; says how many rounds were kept."""
        judge = self.value if self.rehearsal else None
        blame = self.rehearsal.blame if self.rehearsal else None
        walk = Improver(
            self.board, self.pressure, self.wishes, self.movable, judge, blame, seed=seed
        )
        return walk.run(steps)

    def value(self, starts: Mapping[int, int]) -> float:
        """What starts are worth, lower is better.

        The mean wait under uneven durations, twice as much (at the usual pull) if every
        preference were as far missed as can be.
        """
        if self.rehearsal is None:
            wait = self.pressure.total(starts)
        else:
            wait = self.rehearsal.play(starts)
        if not self._wishing:
            return wait
        missed = sum(self.wishes.cost(i, starts[i]) for i in self._wishing)
        share = missed / (len(self._wishing) * self.wishes.strength * UNIT)
        return (wait + _LEAST_WAIT) * (1 + self._pull * share)
