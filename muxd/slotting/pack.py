"""Packing: find a start for every slot so that none meet, or say which could not be placed.

Three means, cheap ones first. A *greedy* pass places short periods before long ones and long runs
before short ones, each at its first legal start. A *squeaky wheel* moves what failed forward in
the order and passes again. *Ejection* takes the complete-but-for-a-few packing and forces those
few in where they hurt least, then finds new places for what they pushed out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd
from random import Random

import attrs

from . import bitset
from .board import Board
from .steps import Steps

__all__ = ["Packer"]


@attrs.frozen
class Packer:
    """Packs one set of slots for any headroom.

    Args:
        periods: board period of each slot, seconds.
        pinned: {slot: start} of those that may not move. They are laid down first, as they are.
    """

    periods: Sequence[int]
    pinned: Mapping[int, int]

    def pack(
        self,
        lengths: Sequence[int],
        steps: Steps,
        *,
        passes: int = 6,
        ejections: int = 60,
        seed: int = 1,
    ) -> dict[int, int] | None:
        """Starts for all slots, each taking ``lengths`` seconds, or None if none were found.

        Args:
            lengths: seconds each slot takes, headroom included.
            steps: the budget; when it runs out the answer is None.
            passes: how many orders to try, >= 1.
            ejections: how often a slot may be forced in, per attempt at repair.
            seed: varies the choices among equals.
        """
        order = sorted(
            (i for i in range(len(self.periods)) if i not in self.pinned),
            key=lambda i: (self.periods[i], -lengths[i], i),
        )
        best: tuple[int, Board, list[int]] | None = None
        for _ in range(passes):
            board, failed = self._greedy(lengths, order, steps)
            if not failed:
                return board.starts
            if best is None or len(failed) < best[0]:
                best = len(failed), board, failed
            if steps.left <= 0:
                break
            order = _promote(order, set(failed))
        if best is None or best[0] > max(3, len(order) // 12) or steps.left <= 0:
            return None
        walk = _Ejection(best[1], self.pinned, Random(seed))
        return best[1].starts if walk.place_all(best[2], ejections) else None

    def _greedy(
        self, lengths: Sequence[int], order: Sequence[int], steps: Steps
    ) -> tuple[Board, list[int]]:
        board = Board(self.periods, lengths, steps)
        for slot, start in self.pinned.items():
            board.place(slot, start)
        failed = []
        hopeless = False
        for slot in order:
            legal = 0 if hopeless else board.legal(slot)
            if legal:
                board.place(slot, bitset.first(legal))
            else:
                failed.append(slot)
                # Far from fitting: the rest of this pass would tell nothing new.
                hopeless = len(failed) > 8 + len(order) // 12
        return board, failed


def _promote(order: list[int], failed: set[int]) -> list[int]:
    """The order with each failed slot moved half-way to the front."""
    keyed = [
        ((position // 2 - 0.5) if slot in failed else position, slot)
        for position, slot in enumerate(order)
    ]
    keyed.sort(key=lambda pair: pair[0])
    return [slot for _, slot in keyed]


class _Ejection:
    """A walk that forces slots in, each time at the start that evicts least.

    What is evicted often grows heavy, so that the walk doesn't go round in circles.
    """

    def __init__(self, board: Board, pinned: Mapping[int, int], random: Random) -> None:
        self.board = board
        self.pinned = pinned
        self.random = random
        self.weight = [
            length / period for length, period in zip(board.lengths, board.periods, strict=True)
        ]
        for slot in pinned:
            self.weight[slot] = float("inf")
        present = sorted(set(board.periods))
        # {period: {other period: greatest common divisor}}
        self.gcds = {a: {b: gcd(a, b) for b in present} for a in present}

    def place_all(self, waiting: Sequence[int], limit: int) -> bool:
        """Place all that wait, with at most ``limit`` forced placements."""
        board = self.board
        queue = sorted(waiting, key=lambda i: (board.periods[i], -board.lengths[i]))
        while queue:
            slot = queue.pop(0)
            legal = board.legal(slot)
            if legal:
                board.place(slot, self._any(legal, board.periods[slot]))
                continue
            limit -= 1
            if limit < 0 or board.steps.left <= 0:
                return False
            choice = self._least_harm(slot)
            if choice is None:
                return False
            start, evicted = choice
            for other in evicted:
                board.remove(other)
                self.weight[other] *= 1.6
            board.place(slot, start)
            queue += evicted
            queue.sort(key=lambda i: (board.periods[i], -board.lengths[i]))
        return True

    def _any(self, legal: int, period: int) -> int:
        """The first legal start after a random second: keeps to the edges of holes mostly."""
        turn = self.random.randrange(period)
        after = legal >> turn
        return turn + bitset.first(after) if after else bitset.first(legal)

    def _least_harm(self, slot: int, samples: int = 24) -> tuple[int, list[int]] | None:
        board, random = self.board, self.random
        period, length = board.periods[slot], board.lengths[slot]
        placed = list(board.starts)
        best: tuple[float, int, list[int]] | None = None
        starts = set()
        for _ in range(samples):
            other = placed[random.randrange(len(placed))]
            g = self.gcds[period][board.periods[other]]
            edge = board.starts[other]
            edge += board.lengths[other] if random.random() < 0.5 else -length
            starts.add((edge + g * random.randrange(period // g)) % period)
        for start in sorted(starts):
            ceiling = best[0] if best else float("inf")
            cost, evicted = self._evicted(slot, start, ceiling)
            if cost < ceiling:
                best = cost, start, evicted
        return None if best is None else best[1:]

    def _evicted(self, slot: int, start: int, ceiling: float) -> tuple[float, list[int]]:
        board = self.board
        gcds, length = self.gcds[board.periods[slot]], board.lengths[slot]
        periods, lengths, weight = board.periods, board.lengths, self.weight
        cost = 0.0
        evicted = []
        for other, at in board.starts.items():
            g = gcds[periods[other]]
            x = (start - at) % g
            if x < lengths[other] or g - x < length:
                cost += weight[other]
                if cost >= ceiling:
                    break
                evicted.append(other)
        board.steps.spend(1 + len(board.starts) // 6)
        return cost, evicted
