"""What became of items that a body has saved."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["Change", "Saved"]


@attrs.frozen
class Change:
    """A row that was there and is other now."""

    key: Any
    """The value of the key's column; of a key of several columns a tuple."""
    before: dict[str, Any]
    """The item's columns as they were."""
    after: dict[str, Any]
    """As they are now."""


@attrs.frozen(kw_only=True)
class Saved:
    """What `muxd.Run.save` found, compared with what was saved before.

    Rows have the columns of the items, those of earlier items too; None where there is no value.
    """

    new: list[dict[str, Any]] = attrs.field(factory=list)
    """The rows that were not there, or were gone, in the order of the items."""
    changed: list[Change] = attrs.field(factory=list)
    """Those that were there with other values, in the order of the items. Never any without a key."""
    same: int = 0
    """How many were there just so."""
    gone: list[dict[str, Any]] = attrs.field(factory=list)
    """The rows that this run has not seen and an earlier one had; only of a save that is `complete`.
    Each is told once."""

    def __bool__(self) -> bool:
        """Whether anything is other than before."""
        return bool(self.new or self.changed or self.gone)
