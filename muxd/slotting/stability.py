"""Living timetables: what is in force stays, and newcomers find room beside it."""

from __future__ import annotations

from math import gcd
from random import Random
from typing import TYPE_CHECKING

import attrs

from . import bitset
from .board import Board
from .cover import cover
from .pack import Packer
from .pressure import Pressure
from .relax import WISH_SECONDS, Wishes, best_start
from .slot import Slot, circular_distance
from .timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .problem import Problem
    from .steps import Steps

__all__ = ["Kept", "keep"]

_MOST_MOVED = 0.25
"""More than this share of the slots moved is a new plan, not a kept one."""


@attrs.frozen
class Kept:
    """A timetable in force, brought up to date."""

    slots: tuple[Slot, ...]
    moved: tuple[int, ...]
    """Slots that were in force and had to make room, in their order."""


def keep(problem: Problem, in_force: Mapping[str, int], steps: Steps) -> Kept | None:
    """Bring a timetable up to date with as few moves as can be found; None if it takes too many.

    Args:
        problem: what is asked for now.
        in_force: {name: phase in seconds} of the timetable in force. Pins override it.
        steps: the budget.
    """
    slots = _Upkeep(problem, in_force, steps).slots()
    gap = Timetable(slots=slots).min_gap if slots else 0
    margins = list(dict.fromkeys(max(0, gap // share) for share in (1, 2, 4, 1_000_000)))
    # Newcomers respect the gap in force if they can, then half of it, and so on down to none.
    for margin in margins:
        kept = _settled(problem, in_force, steps, margin, may_move=False)
        if kept is not None:
            return kept
    # Where others must make room, as few as possible do, with as much of the gap as that leaves.
    fewest = _settled(problem, in_force, steps, 0, may_move=True)
    if fewest is None:
        return None
    for margin in margins[:-1]:
        kept = _settled(problem, in_force, steps, margin, may_move=True)
        if kept is not None and len(kept.moved) <= len(fewest.moved):
            return kept
    return fewest


def _settled(
    problem: Problem, in_force: Mapping[str, int], steps: Steps, margin: int, *, may_move: bool
) -> Kept | None:
    upkeep = _Upkeep(problem, in_force, steps, margin)
    moved = upkeep.settle(may_move=may_move)
    if moved is None:
        return None
    slots = upkeep.slots()
    if not Timetable(slots=slots).feasible:
        return None
    return Kept(slots, tuple(sorted(moved)))


class _Upkeep:
    def __init__(
        self, problem: Problem, in_force: Mapping[str, int], steps: Steps, margin: int = 0
    ) -> None:
        self.problem = problem
        self.steps = steps
        self.phases = {
            i: in_force[d.name] % d.interval
            for i, d in enumerate(problem.demands)
            if d.name in in_force and i not in problem.pinned
        }
        self.board = Board(problem.periods, [d + margin for d in problem.durations], steps)
        for i, start in problem.pinned.items():
            self.board.place(i, start)
        for i, phase in self.phases.items():
            self.board.place(i, phase)
        self.was = dict(self.board.starts)
        self.wishes = Wishes(problem.demands, problem.periods, WISH_SECONDS)
        self.random = Random(11)

    def slots(self) -> tuple[Slot, ...]:
        """The slots that are on the board now; those not moved exactly as they were."""
        found = []
        for i, d in enumerate(self.problem.demands):
            start = self.board.starts.get(i)
            if start is not None:
                kept = i in self.phases and start == self.was[i]
                phase = self.phases[i] if kept else self.problem.phase(i, start)
                found.append(Slot.of(d, phase))
        return tuple(found)

    def settle(self, *, may_move: bool) -> set[int] | None:
        """Place all that is not on the board; says what had to move, or None if it failed."""
        new = [i for i in range(len(self.problem.demands)) if i not in self.board.starts]
        limit = max(3, round(_MOST_MOVED * len(self.problem.demands)))
        moved: set[int] = set()
        if may_move:
            moved = self._lift_colliding(limit)
            new += moved
        new.sort(key=lambda i: (self.problem.periods[i], -self.board.lengths[i], i))
        if self.problem.many:
            if len(moved) > limit or (new and not self._put_all(new)):
                return None
            new = []
        while new:
            slot = new.pop(0)
            if self._put(slot):
                continue
            if not may_move or self.steps.left <= 0:
                return None
            made_room = self._make_room(slot)
            if made_room is None or len(moved | made_room) > limit:
                return None
            moved |= made_room
        if moved and len(moved) <= 12:
            # They move anyway: let them settle where they press least.
            for slot in sorted(moved):
                self.board.remove(slot)
                self._put(slot)
        return {i for i in moved if self.board.starts[i] != self.was.get(i)}

    def _put_all(self, slots: Iterable[int]) -> bool:
        """Place many slots beside those that are on the board, which stay."""
        board = self.board
        packer = Packer(board.periods, board.starts, self.problem.wishes)
        starts = packer.attempt(board.lengths, self.steps, 0)
        if starts is None:
            return False
        for slot in slots:
            board.place(slot, starts[slot])
        return True

    def _put(self, slot: int) -> bool:
        """Place a slot where it presses least."""
        board = self.board
        if not board.legal(slot):
            return False
        pressure = Pressure(
            self.problem.demands,
            self.problem.periods,
            self.problem.weights,
            board.starts,
            self.steps,
            only=board.periods[slot],
        )
        board.place(slot, best_start(slot, board, pressure, self.wishes))
        return True

    def _put_near(self, slot: int) -> bool:
        """Place a slot as near as possible to where it was."""
        board = self.board
        legal = board.legal(slot)
        if not legal:
            return False
        period = board.periods[slot]
        was = self.was.get(slot, 0)
        board.place(
            slot,
            min(
                bitset.nearest(legal, was, period), key=lambda s: circular_distance(s, was, period)
            ),
        )
        return True

    def _lift_colliding(self, limit: int) -> set[int]:
        """Take slots off until none on the board collide: those with most collisions first.

        It ends early where more than `limit` are off, or the budget is spent.
        """
        number = {d.name: i for i, d in enumerate(self.problem.demands)}
        pinned, demands = self.problem.pinned, self.problem.demands
        lifted: set[int] = set()
        while True:
            slots = self.slots()
            certificate = Timetable(slots=slots).certificate
            # Of equals, the one whose run comes least often and matters least is moved.
            found = cover(
                {(number[a], number[b]) for a, b in certificate.collisions},
                lambda i, count: (
                    None if i in pinned else (-count, -demands[i].interval, demands[i].priority, i)
                ),
            )
            for slot in sorted(found):
                self.board.remove(slot)
            lifted |= found
            # The certificate names so many pairs only: with these gone there may be others.
            if not found or not certificate.more or len(lifted) > limit or self.steps.left <= 0:
                return lifted
            self.steps.spend(10 * (len(slots) + len(certificate.collisions)))  # what it takes

    def _make_room(self, slot: int) -> set[int] | None:
        """Place one slot by moving others: one if that is enough, else a few."""
        period = self.board.periods[slot]
        candidates = sorted(
            (i for i in self.board.starts if i not in self.problem.pinned),
            key=lambda i: (-self.board.periods[i], self.board.lengths[i], i),
        )
        for other in candidates:
            if self.steps.left <= 0:
                return None
            if self._trade(slot, (other,)):
                return {other}
        limit = max(3, round(_MOST_MOVED * len(candidates)))
        for _ in range(4):
            groups = []
            for _ in range(32):
                group = self._in_the_way(slot, self.random.randrange(period), limit)
                if group:
                    groups.append((len(group), group))
            groups.sort()
            for _, group in groups[:8]:
                if self.steps.left <= 0:
                    return None
                if self._trade(slot, group):
                    return set(group)
        return None

    def _in_the_way(self, slot: int, start: int, limit: int) -> list[int]:
        """What a slot at ``start`` would meet, if that is at most ``limit`` movable slots."""
        board = self.board
        period, length = board.periods[slot], board.lengths[slot]
        found: list[int] = []
        for other, at in board.starts.items():
            g = gcd(period, board.periods[other])
            x = (start - at) % g
            if x < board.lengths[other] or g - x < length:
                found.append(other)
                if len(found) > limit or other in self.problem.pinned:
                    return []
        self.steps.spend(len(board.starts) // 3)
        return found

    def _trade(self, slot: int, others: Iterable[int]) -> bool:
        """Move ``others`` so that ``slot`` fits; undone if it doesn't."""
        board = self.board
        old = {other: board.remove(other) for other in others}
        done: list[int] = []
        order = sorted(old, key=lambda i: (board.periods[i], -board.lengths[i], i))
        for each in (slot, *order):
            if not self._put_near(each):
                break
            done.append(each)
        else:
            return True
        for each in done:
            board.remove(each)
        for other, start in old.items():
            board.place(other, start)
        return False
