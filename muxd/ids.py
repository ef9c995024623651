"""Names of runs: short, unique, and in the order in which they were made."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RunIds"]

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Base 32 without i, l, o and u, in the order of their codes; so texts sort as numbers do."""
_PAIRS = tuple(first + second for first in _DIGITS for second in _DIGITS)


@final
@attrs.define(eq=False)
class RunIds:
    """Makes ids of 14 characters: 10 of milliseconds since 1970, 4 by chance.

    Each is greater than all that this object made before it, also when the clock is set back; two
    objects make the same one only if they do so in the same millisecond and by a chance of one in
    a million.
    """

    real_now: Callable[[], float]
    """Unix seconds."""
    _newest: int = attrs.field(default=0, init=False)

    def __call__(self) -> str:
        """Return the next id."""
        self._newest = max(self._newest + 1, int(self.real_now() * 1000))
        number = self._newest << 20 | secrets.randbits(20)
        return "".join([_PAIRS[number >> place & 1023] for place in range(60, -1, -10)])
