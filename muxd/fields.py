"""Fields for classes of configuration that plugins and jobs have: ``"15m"`` and ``"2 MB"``, checked.

::

    @attrs.frozen(kw_only=True)
    class ShopConfig:
        url: str
        wait: float = muxd.duration_field("10s", at_most="5m")
        largest: int = muxd.size_field("2 MB")

They read what stands in `muxd.toml`, and also what a test or a plugin gives by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from muxd.sizes import SIZE_HELP, format_size, parse_size
from muxd.units import DURATION_HELP, format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    Duration = str | float | timedelta

__all__ = ["FIELD", "Read", "duration_field", "size_field"]

FIELD = "muxd.field"
"""Where in a field's metadata its `Read` is."""


@attrs.frozen
class Read:
    """How a field is read."""

    kind: str
    """``duration`` or ``size``."""
    read: Callable[[object], Any]
    """Raises ValueError, with words for what would be right."""
    words: str


def duration_field(
    default: Duration | None = attrs.NOTHING,  # type: ignore[assignment]
    *,
    at_least: Duration = 0,
    at_most: Duration = "3660d",
) -> Any:
    """A field that holds seconds and is given as muxd's durations are: ``"90s"``, ``"1h30m"``, ``90``.

    Args:
      default: what it is if it is not given; None: nothing. Without one it has to be given.
      at_least: less is refused.
      at_most: more is refused.
    """
    low, high = parse_duration(at_least), parse_duration(at_most)
    limits = f"from {format_duration(low)} to {format_duration(high)}"

    def read(value: object) -> float:
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise ValueError(f"give {DURATION_HELP}, {limits}") from None
        if not low <= seconds <= high:
            raise ValueError(f"give {limits}")
        return seconds

    return _field(default, Read("duration", read, f"{DURATION_HELP}, {limits}"))


def size_field(
    default: str | int | None = attrs.NOTHING,  # type: ignore[assignment]
    *,
    at_least: str | int = 0,
    at_most: str | int = "1000 TB",
) -> Any:
    """A field that holds bytes and is given as muxd's sizes are: ``"512 MB"``, ``"1.5 GiB"``, ``4096``.

    Args:
      default: what it is if it is not given; None: nothing. Without one it has to be given.
      at_least: less is refused.
      at_most: more is refused.
    """
    low, high = parse_size(at_least), parse_size(at_most)
    limits = f"from {format_size(low)} to {format_size(high)}"

    def read(value: object) -> int:
        try:
            size = parse_size(value)
        except ValueError:
            raise ValueError(f"give {SIZE_HELP}, {limits}") from None
        if not low <= size <= high:
            raise ValueError(f"give {limits}")
        return size

    return _field(default, Read("size", read, f"{SIZE_HELP}, {limits}"))


def _field(default: Any, how: Read) -> Any:
    read = attrs.converters.optional(how.read) if default is None else how.read
    return attrs.field(default=default, converter=read, metadata={FIELD: how})
