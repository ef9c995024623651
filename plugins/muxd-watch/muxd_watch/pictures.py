"""Pictures of pages: how much of two of them differs, and where."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import attrs
from PIL import Image, ImageChops, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PictureDifference", "picture_difference"]

MARK = (214, 39, 40)
"""The colour of what differs."""


@attrs.frozen
class PictureDifference:
    """What differs between two pictures."""

    share: float
    """How much of all pixels, 0 to 1."""
    marked: bytes
    """The later picture, faint, with all that differs marked: a PNG."""


def picture_difference(
    before: bytes,
    after: bytes,
    *,
    tolerance: float,
    regions: Iterable[tuple[int, ...]] = (),
) -> PictureDifference:
    """Compare two pictures, pixel by pixel. It may take a second: call it in a thread.

    Args:
      before: an image file.
      after: the later one. Where only one of them has pixels they differ.
      tolerance: how different a colour may be and still count as the same, 0 to 1.
      regions: x, y, width, height of what doesn't count.
    """
    old, new = _opened(before), _opened(after)
    size = (max(old.width, new.width), max(old.height, new.height))
    differs = Image.new("L", size, 255)
    common = (min(old.width, new.width), min(old.height, new.height))
    differs.paste(_differs(old.crop((0, 0, *common)), new.crop((0, 0, *common)), tolerance))
    for x, y, width, height in regions:
        differs.paste(0, (x, y, x + width, y + height))
    count = differs.histogram()[255]
    return PictureDifference(count / (size[0] * size[1]), _marked(new, differs))


def _opened(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        return image.convert("RGB")


def _differs(one: Image.Image, other: Image.Image, tolerance: float) -> Image.Image:
    """White where a colour differs by more than that, in any of its parts; black elsewhere."""
    red, green, blue = ImageChops.difference(one, other).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    limit = int(tolerance * 255)
    return most.point([0] * (limit + 1) + [255] * (255 - limit))


def _marked(picture: Image.Image, differs: Image.Image) -> bytes:
    canvas = Image.new("RGB", differs.size, "white")
    canvas.paste(picture)
    faint = Image.blend(canvas, Image.new("RGB", differs.size, "white"), 0.6)
    # A single pixel would not be seen.
    faint.paste(MARK, mask=differs.filter(ImageFilter.MaxFilter(3)))
    file = io.BytesIO()
    faint.save(file, "PNG")
    return file.getvalue()
