"""What one run takes pictures of: each address, in each size or device, in each colour scheme."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Variant", "Viewport", "variants"]


@attrs.frozen
class Viewport:
    """The size of a window, CSS pixels, and how many pixels of the screen are one of them."""

    width: int
    height: int
    scale: float = 1.0

    def __str__(self) -> str:
        """``1280x720``, ``390x844@3``."""
        scale = "" if self.scale == 1 else f"@{self.scale:g}"
        return f"{self.width}x{self.height}{scale}"


@attrs.frozen
class Variant:
    """One picture of a run."""

    url: str
    screen: Viewport | str
    """A size, or the name of a device."""
    scheme: str
    """``light``, ``dark``, or empty: what the browser has by itself."""
    label: str
    """Unique in the run; part of the file's name."""


def variants(
    urls: Sequence[str], screens: Sequence[Viewport | str], schemes: Sequence[str]
) -> list[Variant]:
    """All of them, those of an address together. Labels differ, whatever the addresses are."""
    found, taken = [], set[str]()
    for url, place in zip(urls, _unique(map(_place, urls)), strict=True):
        for screen in screens:
            for scheme in schemes:
                parts = [place, _plain(str(screen)), scheme]
                label = next(_numbered("_".join(filter(None, parts)), taken))
                taken.add(label)
                found.append(Variant(url, screen, scheme, label))
    return found


def _place(url: str) -> str:
    """An address as part of a file's name: ``example.org_prices``."""
    parts = urlsplit(url)
    host = (parts.hostname or parts.scheme).removeprefix("www.")
    path = _plain(f"{parts.path} {parts.query}")
    return "_".join(filter(None, [_plain(host), path]))[:80].rstrip("-_.")


def _plain(text: str) -> str:
    """Only what is safe in the name of any file: letters, digits, ``@ . -``."""
    return re.sub(r"[^a-z0-9@.]+", "-", text.lower()).strip("-.") or ""


def _unique(words: Iterator[str] | map[str]) -> Iterator[str]:
    taken: set[str] = set()
    for word in words:
        found = next(_numbered(word or "page", taken))
        taken.add(found)
        yield found


def _numbered(word: str, taken: set[str]) -> Iterator[str]:
    """The word, or with the first number that makes it differ from those taken."""
    if word not in taken:
        yield word
    number = 2
    while True:
        if (candidate := f"{word}-{number}") not in taken:
            yield candidate
        number += 1
