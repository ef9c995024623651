"""Fields for classes of configuration that plugins and jobs have: ``"15m"``, ``"2 MB"`` and more, checked.

::

    @attrs.frozen(kw_only=True)
    class ShopConfig:
        url: str = muxd.url_field()
        wait: float = muxd.duration_field("10s", at_most="5m")
        largest: int = muxd.size_field("2 MB")

They read what stands in `muxd.toml`, and also what a test or a plugin gives by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from muxd import readers
from muxd.sizes import SIZE_HELP, format_size, parse_size
from muxd.units import DURATION_HELP, format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    Duration = str | float | timedelta
    Validator = Callable[[Any, Any, tuple[str, ...]], None]

__all__ = [
    "FIELD",
    "Read",
    "duration_field",
    "number_field",
    "size_field",
    "texts_field",
    "url_field",
    "urls_field",
    "whole_field",
]

FIELD = "muxd.field"
"""Where in a field's metadata its `Read` is."""


@attrs.frozen
class Read:
    """How a field is read."""

    read: Callable[[object], Any]
    """Raises ValueError, with words for what would be right. What it gives it takes, too."""
    words: str
    """What to give."""
    job_key: str | None = None
    """It is read as this key of ``[jobs.NAME]``."""


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
    words = f"{DURATION_HELP}, from {format_duration(low)} to {format_duration(high)}"
    return _field(default, readers.seconds(low, high), words)


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
    words = f"{SIZE_HELP}, from {format_size(low)} to {format_size(high)}"
    return _field(default, readers.size(low, high), words)


def whole_field(
    default: int | None = attrs.NOTHING,  # type: ignore[assignment]
    *,
    at_least: int = 0,
    at_most: int = 1_000_000,
) -> Any:
    """A field that holds a whole number.

    Args:
      default: what it is if it is not given; None: nothing. Without one it has to be given.
      at_least: less is refused.
      at_most: more is refused.
    """
    words = f"a whole number from {at_least} to {at_most}"
    return _field(default, readers.whole(at_least, at_most), words)


def number_field(
    default: float | None = attrs.NOTHING,  # type: ignore[assignment]
    *,
    at_least: float = 0,
    at_most: float = 1_000_000,
) -> Any:
    """A field that holds a number, as a float.

    Args:
      default: what it is if it is not given; None: nothing. Without one it has to be given.
      at_least: less is refused.
      at_most: more is refused.
    """
    words = f"a number from {at_least:g} to {at_most:g}"
    return _field(default, readers.number(at_least, at_most), words)


def url_field(default: str | None = attrs.NOTHING) -> Any:  # type: ignore[assignment]
    """A field that holds the address of a page: ``https://``, ``http://`` or ``file:///``.

    Args:
      default: what it is if it is not given; None: nothing. Without one it has to be given.
    """
    return _field(default, readers.page_url, "the address of a page")


def urls_field(
    default: tuple[str, ...] | None = attrs.NOTHING,  # type: ignore[assignment]
    *,
    validator: Validator | None = None,
) -> Any:
    """A field that holds a tuple of addresses of pages, and is given as one of them or as a list.

    Args:
      default: what it is if it is not given; None: nothing. Without one it has to be given.
      validator: of attrs, of the tuple.
    """
    return _field(default, readers.page_urls, "the address of a page, or a list of them", validator)


def texts_field(
    default: tuple[str, ...] | None = attrs.NOTHING,  # type: ignore[assignment]
    *,
    validator: Validator | None = None,
) -> Any:
    """A field that holds a tuple of texts, and is given as one of them or as a list.

    Args:
      default: what it is if it is not given; None: nothing. Without one it has to be given.
      validator: of attrs, of the tuple.
    """
    return _field(default, readers.texts, "a text, or a list of texts", validator)


def _field(
    default: Any, read: Callable[[object], Any], words: str, validator: Validator | None = None
) -> Any:
    convert = attrs.converters.optional(read) if default is None else read
    how = {FIELD: Read(read, words)}
    return attrs.field(default=default, converter=convert, validator=validator, metadata=how)
