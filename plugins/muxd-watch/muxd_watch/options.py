"""What can stand in ``[plugins.watch]``: a table ``[[plugins.watch.page]]`` for each job."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import attrs

from muxd import JobKeys, duration_field, number_field, texts_field, url_field, whole_field

__all__ = ["WatchOptions", "What"]

What = Literal["text", "visual", "number", "element"]
_SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_OF = {
    "ignore": ("text",),
    "regions": ("visual",),
    "tolerance": ("visual",),
    "threshold": ("visual",),
    "viewport": ("visual",),
    "attribute": ("text", "number"),
    "below": ("number",),
    "above": ("number",),
    "change": ("number",),
    "decimal": ("number",),
    "when": ("element",),
    "missing": ("text", "visual", "number"),
}
"""What is of some kinds of watch only."""


def _patterns(value: Any) -> tuple[re.Pattern[str], ...]:
    """One pattern, or several."""
    found = (value,) if isinstance(value, re.Pattern) else tuple(value)
    if not all(isinstance(each, re.Pattern) for each in found):
        raise ValueError("give a regular expression, or a list of them")
    return found


def _check_size(instance: object, attribute: object, value: str) -> None:
    if value and not _SIZE.fullmatch(value):
        raise ValueError('give a size such as "1280x720"')


def _check_regions(instance: object, attribute: object, value: tuple[tuple[int, ...], ...]) -> None:
    for region in value:
        if len(region) != 4 or min(region) < 0 or min(region[2:]) < 1:
            raise ValueError("give [x, y, width, height] for each, in pixels from the top left")


def _share(value: object) -> float:
    """A share of a whole, from ``"0.1%"``."""
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    share = float(found[1]) / 100 if found else value
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise ValueError('give a share of all pixels, such as "0.1%"')
    return float(share)


@attrs.frozen
class Step:
    """How much a number has to change."""

    size: float
    is_share: bool
    """Of what it was."""

    def is_reached(self, before: float, after: float) -> bool:
        """Whether from this to that is so much."""
        if before == after:
            return False
        needed = abs(before) * self.size if self.is_share else self.size
        return abs(after - before) >= needed * (1 - 1e-12)


def _step(value: Any) -> Step | None:
    if value is None or isinstance(value, Step):
        return value
    share = _SHARE.fullmatch(value) if isinstance(value, str) else None
    size = float(share[1]) / 100 if share else value
    good = isinstance(size, int | float) and not isinstance(size, bool) and math.isfinite(size)
    if not good or size < 0:
        raise ValueError('give a share of what it was, such as "5%", or a number')
    return Step(float(size), share is not None)


@attrs.frozen(kw_only=True)
class WatchOptions(JobKeys):
    """What is watched of a page, and what of it is news: one job."""

    name: str
    """The job's."""

    url: str = url_field()
    """The page."""
    what: What = attrs.field(default="text")
    """``text``, ``visual`` (a picture), ``number`` (a price too) or ``element`` (is it there?)."""
    select: str = attrs.field(default="")
    """The part of the page: any selector of Playwright's; the first that it finds. Empty: all of it."""
    attribute: str = ""
    """Which attribute of it, instead of its text."""
    mask: tuple[str, ...] = texts_field(())
    """Selectors of what doesn't count: left out of texts, covered in pictures."""
    ignore: re.Pattern[str] | tuple[re.Pattern[str], ...] = attrs.field(
        default=(), converter=_patterns
    )
    """Regular expressions: what they match in a line of the text doesn't count."""
    regions: tuple[tuple[int, ...], ...] = attrs.field(default=(), validator=_check_regions)
    """Parts of the picture that don't count: x, y, width, height each."""
    tolerance: float = number_field(0.1, at_most=1)
    """How different the colour of a pixel may be and still count as the same, 0 to 1."""
    threshold: float | str = attrs.field(default=0.001, converter=_share)
    """Which share of all pixels has to be different."""
    viewport: str = attrs.field(default="", validator=_check_size)
    """How large the window is for the picture, such as ``1280x720``."""
    below: float | None = None
    """It is news when the number gets below this."""
    above: float | None = None
    """It is news when the number gets above this."""
    change: float | str | None = attrs.field(default=None, converter=_step)
    """It is news when the number is so much other than when it was last told: ``"5%"``, or 2.5."""
    decimal: Literal["", ".", ","] = ""
    """What stands before the decimals of the number; empty: what is likelier."""
    when: Literal["both", "appears", "goes"] = "both"
    """Which of an element's comings and goings are news."""
    missing: Literal["fail", "empty"] = "fail"
    """What it is if `select` finds nothing: a failure, or a text, picture or number that is empty."""
    confirm: int = whole_field(1, at_least=1, at_most=100)
    """How many runs, one after the other, have to see a change before it counts."""
    wait: str = ""
    """What has to be there before anything is looked at. Empty: `select`, for `patience`."""
    patience: float = duration_field("10s", at_least="100ms", at_most="10m")
    """How long that may take to appear."""
    settle: float = duration_field("0s", at_most="5m")
    """How long the page is left alone before anything is looked at."""
    click: tuple[str, ...] = texts_field(())
    """What is clicked first, where it is there: banners."""

    @select.validator
    def _check_select(self, attribute: object, value: str) -> None:
        if not value and self.what in ("number", "element"):
            raise ValueError(f"say where on the page the {self.what} is: give a selector")

    @what.validator
    def _check_kind(self, attribute: object, value: str) -> None:
        for field in attrs.fields(WatchOptions):
            kinds = _OF.get(field.name, (value,))
            if value not in kinds and getattr(self, field.name) != field.default:
                wanted = " or ".join(f'"{kind}"' for kind in kinds)
                raise ValueError(f"{field.name} is of a watch with what = {wanted}")

    @property
    def size(self) -> tuple[int, int] | None:
        """Of the window."""
        found = _SIZE.fullmatch(self.viewport)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def ignored(self) -> tuple[re.Pattern[str], ...]:
        """What doesn't count in lines of text."""
        return self.ignore  # type: ignore[return-value]  # the converter has made it

    @property
    def step(self) -> Step | None:
        """How much a number has to change; None: nobody has said so."""
        return self.change  # type: ignore[return-value]  # the converter has made it

    @property
    def any_change(self) -> bool:
        """Whether each other number is news."""
        return self.below is None and self.above is None and self.change is None


@attrs.frozen(kw_only=True)
class Settings:
    """The section."""

    page: tuple[WatchOptions, ...] = ()
