"""Small pictures, for contact sheets: the upper part of each, as wide as a card."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

__all__ = ["WIDTH", "small_picture"]

WIDTH = 480
"""Pixels."""
TALLEST = 4 / 3
"""A taller picture is cut off below: heights by widths."""
_QUALITY = 80


def small_picture(picture: bytes) -> bytes | None:
    """A small JPEG of a picture; None if it can't be read."""
    try:
        with Image.open(io.BytesIO(picture)) as image:
            width, height = image.size
            upper = image.crop((0, 0, width, min(height, round(width * TALLEST))))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    upper = upper.convert("RGB")
    upper.thumbnail((WIDTH, round(WIDTH * TALLEST)))
    made = io.BytesIO()
    upper.save(made, "JPEG", quality=_QUALITY)
    return made.getvalue()
