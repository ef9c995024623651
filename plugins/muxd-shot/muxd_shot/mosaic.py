"""The newest pictures in one: for mails, chats and README files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd_shot.album import Album, Shot

__all__ = ["PICTURES", "mosaic"]

PICTURES = 60
"""How many it shows, at most."""
_COLUMNS, _CELL, _CAPTION, _GAP = 4, (320, 240), 22, 12


def mosaic(albums: Mapping[str, Album]) -> bytes:
    """The newest of all as a JPEG, each with its name below."""
    shown = [(name, shot) for name, album in albums.items() for shot in album.latest()][:PICTURES]
    columns = max(1, min(_COLUMNS, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    across, down = _CELL[0] + _GAP, _CELL[1] + _CAPTION + _GAP
    sheet = Image.new("RGB", (columns * across + _GAP, rows * down + _GAP), "#f4f4f2")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (name, shot) in enumerate(shown):
        x = _GAP + number % columns * across
        y = _GAP + number // columns * down
        _paste(sheet, shot, x, y)
        draw.rectangle((x, y, x + _CELL[0] - 1, y + _CELL[1] - 1), outline="#c4c4c0")
        draw.text((x, y + _CELL[1] + 3), _fitting(f"{name}  {shot.label}", font), "#222", font)
    made = io.BytesIO()
    sheet.save(made, "JPEG", quality=82)
    return made.getvalue()


def _paste(sheet: Image.Image, shot: Shot, x: int, y: int) -> None:
    """Put a small picture into its cell, as wide as that, cut off below; nothing if there is none."""
    try:
        with Image.open(shot.small) as small:
            height = max(1, round(small.height * _CELL[0] / small.width))
            wide = small.convert("RGB").resize((_CELL[0], height))
    except OSError:
        return
    sheet.paste(wide.crop((0, 0, _CELL[0], min(height, _CELL[1]))), (x, y))


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of the beginning of a text as is no wider than a cell."""
    length = len(text)
    while length and font.getlength(text[:length]) > _CELL[0]:
        length -= 1
    return text[:length]
