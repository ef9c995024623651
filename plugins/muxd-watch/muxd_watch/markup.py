"""Parts of the dashboard's pages, as HTML: whatever comes from web sites is escaped here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from muxd.pageparts import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["change_card", "curve"]

_CLASSES = {"+": "plus", "-": "minus", "@": "place"}


def curve(values: Sequence[float], name: str, css_class: str) -> str:
    """A line through these values, oldest first; nothing for less than two."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    height = (high - low) or 1
    points = [
        f"{100 * n / (len(values) - 1):.2f} {95 - 90 * (value - low) / height:.2f}"
        for n, value in enumerate(values)
    ]
    label = escape(f"{name}: from {values[0]:g} to {values[-1]:g}, {low:g} to {high:g}")
    return (
        f'<svg class="line {css_class}" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}"><path class="curve" d="M{"L".join(points)}"/></svg>'
    )


def change_card(
    change: Mapping[str, Any], *, name: str, zone: str, files: Sequence[str], number: int
) -> str:
    """One change: what it was, and what is other.

    Args:
      change: a row of the table of changes.
      name: whose; empty: the page has it already.
      zone: of the times.
      files: what is still kept with its run.
      number: of the card on the page.
    """
    link = f'<a href="/watch/{quote(name, safe="")}">{escape(name)}</a>: ' if name else ""
    run = quote(str(change["run_id"]), safe="")
    parts = [
        f'<section class="card" aria-labelledby="change-{number}">',
        f'<div class="cardhead"><h2 id="change-{number}">{link}{escape(change["title"])}</h2>',
        f'<span class="note">{moment(change["at"], zone)}, <a href="/runs/{run}">its run</a></span></div>',
    ]
    if change["difference"]:
        parts.append(_diff(change["difference"], f"What differs, change {number + 1}"))
    kept = [file for file in change["pictures"] if file in files]
    if kept:
        parts.append(f'<div class="pictures">{"".join(_picture(run, file) for file in kept)}</div>')
    elif change["pictures"]:
        parts.append('<p class="note">Its pictures are not kept any more.</p>')
    return "\n".join([*parts, "</section>"])


def _diff(text: str, label: str) -> str:
    lines = []
    for line in text.split("\n"):
        css_class = _CLASSES.get(line[:1], "")
        lines.append(f'<span class="{css_class}">{escape(line) or "&nbsp;"}</span>')
    return (
        f'<pre class="diff" tabindex="0" role="region" aria-label="{label}">{"".join(lines)}</pre>'
    )


def _picture(run: str, file: str) -> str:
    url = f"/v1/runs/{run}/files/{quote(file, safe='')}"
    word = escape(file.removesuffix(".png"))
    return (
        f'<figure><figcaption>{word}</figcaption><a href="{url}">'
        f'<img src="{url}" alt="{word}" loading="lazy"></a></figure>'
    )
