"""When the daemon counts as blocked. Pure: told the time, and what came in."""

from __future__ import annotations

from typing import Literal

__all__ = ["BLOCKED_AFTER", "Watch"]

BLOCKED_AFTER = 4.0
"""For how long the daemon may leave a question unanswered, seconds."""
QUICK, SLOW = 0.5, 15.0
"""How long after an answer the next question is asked, while a run is in progress and else."""
TOO_LATE = 2.0
"""How late a look may be before it is taken for sleep of this process as well, seconds."""

Step = Literal["ask", "found", "over"] | None


class Watch:
    """Asks, and draws conclusions from what is not answered.

    What is no doing of the daemon's is not counted: while the machine sleeps (the clock stands
    still), while guard and daemon are stopped together (the guard's own look is late), while the
    daemon is stopped or traced, and while its main thread waits for a processor. Of the last at
    most three quarters, so that a limit is met in the end on any machine.
    """

    def __init__(self, limit: float) -> None:
        """Nothing is asked before `begin`.

        Args:
          limit: for how long the daemon may be blocked, seconds.
        """
        self.limit = limit
        self.next_look: float | None = None
        """When to look next, monotonic seconds; None: not at all."""
        self.asked: float | None = None
        """When the question was asked that has no answer yet."""
        self.found = False
        """True while there is a block."""
        self._quick = False
        self._since = 0.0
        self._delay_before = self._delay = 0.0

    def begin(self, now: float) -> None:
        """The daemon answers from now on."""
        self.next_look = now

    def hurry(self, now: float, *, quick: bool) -> None:
        """A run begins, or the last has ended."""
        self._quick = quick
        if self.next_look is not None and self.asked is None:
            self.next_look = now if quick else now + SLOW

    def answered(self, now: float, asked: float) -> None:
        """There is an answer to the question of that moment."""
        if asked == self.asked:
            self.asked, self.found = None, False
            self.next_look = now + (QUICK if self._quick else SLOW)

    def look(self, now: float, *, stopped: bool = False, delay: float = 0.0) -> Step:
        """What to do now.

        Args:
          now: monotonic seconds, at or after `next_look`.
          stopped: whether the daemon is stopped or traced.
          delay: how long its main thread has waited for a processor in its life, seconds.

        Returns:
          ``ask``: ask it. ``found``: it is blocked, which is said once. ``over``: it is blocked,
          and for longer than the limit.
        """
        if self.next_look is None or now < self.next_look:
            return None
        late = now - self.next_look > TOO_LATE
        self.next_look = now + QUICK
        if self.asked is None:
            self.asked = self._since = now
            self._delay_before = self._delay = delay
            self.next_look = now + (QUICK if self._quick else BLOCKED_AFTER / 2)
            return "ask"
        if late or stopped:
            self._since, self._delay_before = now, delay
        self._delay = delay
        length = self.length(now)
        if length >= self.limit:
            return "over"
        if length >= BLOCKED_AFTER and not self.found:
            self.found = True
            return "found"
        self.next_look = min(self.next_look, now + max(0.05, self._goal - length))
        return None

    def length(self, now: float) -> float:
        """How long it has been blocked, without what is not counted, seconds."""
        wall = now - self._since
        return max(wall - (self._delay - self._delay_before), wall / 4)

    def since(self, now: float) -> float:
        """When a block of this length would have begun that nothing came between."""
        return now - self.length(now)

    @property
    def _goal(self) -> float:
        return self.limit if self.found else BLOCKED_AFTER
