"""The contact sheet: all newest pictures at a glance, as HTML and as one picture.

The folder has both, ``index.html`` and ``contact-sheet.jpg``, so that any web server, or none, can show
it. The dashboard's page is made of the same cards.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from muxd_shot.album import Album, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from muxd_shot.album import Shot

    Where = Callable[[Shot, bool], str]

__all__ = ["cards", "time_text", "write_sheets"]

EARLIER = 60
"""How many earlier ones are linked, of each job."""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Contact sheet</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }}
.cards {{ display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }}
.card {{ border: 1px solid #8886; border-radius: 8px; padding: .7rem; overflow-wrap: anywhere; }}
.look {{ display: grid; place-items: center; aspect-ratio: 4 / 3; overflow: hidden; background: #8882; }}
.look img {{ width: 100%; height: 100%; object-fit: cover; object-position: top; }}
h2 {{ margin: 2rem 0 .6rem; font-size: 1.1rem; }} .card p {{ margin: .4rem 0 0; }} .note {{ opacity: .7; }}
</style></head><body><h1>Contact sheet</h1>
<p class="note">As of {now}</p>
{body}
</body></html>
"""


def time_text(at: float) -> str:
    """An instant, for people: ``2026-01-31 09:15 UTC``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def cards(shots: Iterable[Shot], where: Where) -> str:
    """A card for each picture, as HTML. `where`: the address of one, or of its small picture."""
    return (
        '<div class="cards shots">\n' + "\n".join(_card(shot, where) for shot in shots) + "\n</div>"
    )


def _card(shot: Shot, where: Where) -> str:
    label, full = escape(shot.label), escape(where(shot, False))
    inside = '<span class="note">no small picture</span>'
    if shot.small.exists():
        small = escape(where(shot, True))
        inside = f'<img src="{small}" alt="{label}" loading="lazy">'
    kind = ' <span class="note">PDF</span>' if shot.is_pdf else ""
    return (
        f'<div class="card"><a class="look" href="{full}">{inside}</a>'
        f'<p><a class="plain" href="{full}">{label}</a>{kind}</p>'
        f'<p class="note"><time>{time_text(shot.at)}</time></p></div>'
    )


def write_sheets(folder: Path) -> None:
    """Make both sheets of a folder of albums anew, of whatever is in it. Raises `OSError`."""
    from muxd_shot.mosaic import mosaic

    albums = _albums(folder)
    parts = []
    for name, album in albums.items():
        shots = album.shots()
        newest = {shot.label: shot for shot in reversed(shots)}
        parts.append(f"<h2>{escape(name)}</h2>\n{cards(_by_label(newest.values()), _beside)}")
        earlier = [shot for shot in shots if shot is not newest[shot.label]][:EARLIER]
        if earlier:
            items = "".join(
                f'<li><a href="{escape(_beside(shot, False))}">{time_text(shot.at)} '
                f"{escape(shot.label)}</a></li>"
                for shot in earlier
            )
            parts.append(f"<details><summary>Earlier</summary><ul>{items}</ul></details>")
    now = time_text(datetime.now(UTC).timestamp())
    page = _PAGE.format(now=now, body="\n".join(parts) or "<p>There are no pictures yet.</p>")
    write_whole(folder / "contact-sheet.jpg", mosaic(albums))
    write_whole(folder / "index.html", page.encode("utf-8", "backslashreplace"))


def _albums(folder: Path) -> dict[str, Album]:
    """The albums that have pictures, by the names of their jobs."""
    found = {path.name: Album(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    return {name: album for name, album in found.items() if album.latest()}


def _by_label(shots: Iterable[Shot]) -> list[Shot]:
    return sorted(shots, key=lambda shot: shot.label)


def _beside(shot: Shot, small: bool) -> str:
    """The address of a picture as seen from the folder of the albums."""
    path = shot.small if small else shot.path
    parts = path.relative_to(shot.path.parent.parent).parts
    return "/".join(quote(part) for part in parts)
