"""Whether what is seen now is news, compared with what was seen before: no browser, no clock."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs

from muxd_watch.pictures import picture_difference
from muxd_watch.texts import text_difference

if TYPE_CHECKING:
    from muxd_watch.looking import Seen
    from muxd_watch.options import WatchOptions

__all__ = ["Difference", "difference", "shown"]


@attrs.frozen
class Difference:
    """How what is seen now differs from what was seen before."""

    title: str
    """In one line, without the name of the watch: who tells it, says whose it is."""
    text: str = ""
    """More of it: of texts the lines that differ."""
    verdict: str = ""
    """Two looks that see the same change give the same."""
    marked: bytes | None = attrs.field(default=None, repr=False)
    """Of pictures: a PNG that shows where."""


def difference(
    before: Seen, now: Seen, told: float | None, options: WatchOptions
) -> Difference | None:
    """What is news; None if nothing is. May take a second for pictures.

    Args:
      before: the last look that counted.
      now: this look.
      told: the number that was last told, or the first one.
      options: say what is news.
    """
    if options.what == "element":
        return _of_elements(before, now, options)
    if before.is_there != now.is_there:
        word = "is there again" if now.is_there else "is not there any more"
        return Difference(f"{options.select or 'the page'} {word}", verdict=word)
    if not now.is_there:
        return None
    if options.what == "number":
        return _of_numbers(before, now, told, options)
    if options.what == "visual":
        return _of_pictures(before, now, options)
    return _of_texts(before.text or "", now.text or "")


def _of_elements(before: Seen, now: Seen, options: WatchOptions) -> Difference | None:
    if before.is_there == now.is_there:
        return None
    if options.when == ("goes" if now.is_there else "appears"):
        return None
    word = "has appeared" if now.is_there else "has gone"
    return Difference(f"{options.select} {word}", verdict=word)


def _of_texts(before: str, now: str) -> Difference | None:
    if before == now:
        return None
    found = text_difference(before, now)
    return Difference(found.summary, found.unified, hashlib.sha256(now.encode()).hexdigest())


def _of_numbers(
    before: Seen, now: Seen, told: float | None, options: WatchOptions
) -> Difference | None:
    old, new = before.number, now.number
    assert new is not None
    if old is None or old == new:
        return None
    was = f"was {shown(old)}"
    if options.below is not None and new < options.below <= old:
        return Difference(f"{shown(new)}, below {shown(options.below)} ({was})", verdict="below")
    if options.above is not None and new > options.above >= old:
        return Difference(f"{shown(new)}, above {shown(options.above)} ({was})", verdict="above")
    if options.step is not None and told is not None and options.step.is_reached(told, new):
        share = f", {100 * (new - told) / abs(told):+.3g}%" if told else ""
        return Difference(
            f"{shown(new)} (was {shown(told)}{share})", verdict="up" if new > told else "down"
        )
    if options.any_change:
        return Difference(f"{shown(new)} ({was})", verdict=repr(new))
    return None


def _of_pictures(before: Seen, now: Seen, options: WatchOptions) -> Difference | None:
    assert before.picture is not None
    assert now.picture is not None
    if before.picture == now.picture:
        return None
    found = picture_difference(
        before.picture, now.picture, tolerance=options.tolerance, regions=options.regions
    )
    if found.share <= options.threshold:  # type: ignore[operator]  # the converter has made it
        return None
    return Difference(f"{100 * found.share:.2g}% of the picture is other", marked=found.marked)


def shown(number: float) -> str:
    """A number, for people: without decimals that it hasn't."""
    return f"{number:.10g}"
