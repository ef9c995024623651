"""The work budget, counted in steps so that a plan is the same on every machine."""

from __future__ import annotations

import attrs

__all__ = ["Steps"]


@attrs.define
class Steps:
    """What is left to spend. One step is about a microsecond of work on a slow core."""

    left: int

    def spend(self, amount: int) -> bool:
        """Take ``amount`` steps; says whether there is still something left."""
        self.left -= amount
        return self.left > 0

    def share(self, part: float) -> Steps:
        """A purse of its own with that part (0 to 1) of what is left; give back with `refund`."""
        amount = max(0, int(self.left * part))
        self.left -= amount
        return Steps(amount)

    def refund(self, purse: Steps) -> None:
        """Take back what a purse made by `share` has left, or its debt."""
        self.left += purse.left
        purse.left = 0
