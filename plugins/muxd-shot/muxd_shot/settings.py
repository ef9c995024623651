"""What stands in ``[plugins.shot]``: for each ``[[plugins.shot.page]]`` what is taken, and how."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - read when the section is
from typing import TYPE_CHECKING, Literal

import attrs

from muxd import JobKeys, duration_field, url_field, urls_field, whole_field
from muxd.hints import did_you_mean
from muxd_shot.devices import device_names
from muxd_shot.variants import Variant, Viewport, variants

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PageShots", "Settings"]

_VIEWPORT = re.compile(r"(\d{2,5})x(\d{2,5})(?:@(\d(?:\.\d+)?))?")
_MOST_PIXELS = 100_000_000
_MOST_VARIANTS = 200
_TAKEN = ("index.html", "contact-sheet.jpg", "style.css")
"""What else is in the folder of the albums, or at the address of their pages."""


def _viewport(text: str) -> Viewport:
    match = _VIEWPORT.fullmatch(text)
    if not match:
        raise ValueError('give a size such as "1280x720", or with a scale "390x844@3"')
    found = Viewport(int(match[1]), int(match[2]), float(match[3] or 1))
    if found.scale < 0.1 or found.width * found.height * found.scale**2 > _MOST_PIXELS:
        raise ValueError("give a size of at most 100 million pixels")
    return found


def _each_viewport(instance: object, attribute: object, value: Iterable[str]) -> None:
    for text in value:
        _viewport(text)


def _each_device(instance: object, attribute: object, value: Iterable[str]) -> None:
    known = device_names()
    for name in value:
        if name not in known:
            raise ValueError(f"there is no device {name!r}; {did_you_mean(name, known)}")


def _name(instance: object, attribute: object, value: str) -> None:
    if value.lower() in _TAKEN:
        raise ValueError("a file beside the folders is called so: give another")


@attrs.frozen(kw_only=True)
class PageShots(JobKeys):
    """A page, or several, and the pictures that are taken of it: one job, with the keys of one."""

    name: str = attrs.field(validator=_name)
    """The job's name, and the folder's."""
    url: str | None = url_field(None)
    urls: tuple[str, ...] = urls_field(())
    viewports: tuple[str, ...] = attrs.field(default=(), validator=_each_viewport)
    """Sizes of the window, such as ``1280x720`` or ``390x844@3``. Without any, and without devices,
    it is 1280x720."""
    devices: tuple[str, ...] = attrs.field(default=(), validator=_each_device)
    """Names of Playwright's registry, such as ``iPhone 15``."""
    color_schemes: tuple[Literal["light", "dark"], ...] = ()
    """One picture in each; none: as the browser is."""
    full_page: bool = False
    """All of the page, not only what the window shows."""
    selector: str | None = None
    """Only this element."""
    hide: tuple[str, ...] = ()
    """Elements that are made invisible; they keep their place."""
    mask: tuple[str, ...] = ()
    """Elements that are covered by a box."""
    wait_until: Literal["load", "domcontentloaded", "networkidle"] = "load"
    wait_for: str | None = None
    """An element that has to be visible."""
    scroll: bool = False
    """Scroll through the page first, so that pictures load that wait for it."""
    delay: float = duration_field("0s", at_most="5m")
    """How long to wait before the picture, after all that is waited for."""
    within: float = duration_field("30s", at_least="100ms", at_most="10m")
    """How long the page may take to load, and again to show `wait_for` or `selector`."""
    any_status: bool = False
    """An answer such as 404 is no failure."""
    format: Literal["png", "jpeg", "pdf"] = "png"
    quality: int | None = whole_field(None, at_least=1, at_most=100)
    """Of a JPEG."""
    paper: Literal["A0", "A1", "A2", "A3", "A4", "A5", "A6", "Letter", "Legal", "Tabloid"] = "A4"
    """Of a PDF."""
    landscape: bool = False
    background: bool = True
    """Colours and pictures behind the text of a PDF."""
    keep: int | None = whole_field(None)
    """How many of each picture are kept; 0: all. Default: what ``[plugins.shot]`` says."""
    keep_for: float | None = duration_field(None)
    """How long one is kept; 0: for good. The newest one of each stays."""

    def __attrs_post_init__(self) -> None:
        if self.url is None and not self.urls:
            raise ValueError("there is no address: give url, or urls")
        if self.quality is not None and self.format != "jpeg":
            raise ValueError(f"quality is of a jpeg, and format is {self.format}")
        if self.selector is not None and self.full_page:
            raise ValueError("selector is a part of the page, and full_page all of it: give one")
        if self.format == "pdf":
            for key in ("selector", "mask", "full_page"):
                if getattr(self, key):
                    raise ValueError(f"{key} is of pictures, and format is pdf: it has whole pages")
        if (count := len(self.variants())) > _MOST_VARIANTS:
            raise ValueError(
                f"these are {count} pictures a run: give {_MOST_VARIANTS} or fewer, in several tables"
            )

    @property
    def suffix(self) -> str:
        """Of the files."""
        return {"jpeg": "jpg"}.get(self.format, self.format)

    @property
    def first_url(self) -> str:
        """For people."""
        return self.url if self.url is not None else self.urls[0]

    def variants(self) -> list[Variant]:
        """All pictures of one run."""
        urls = ([self.url] if self.url is not None else []) + list(self.urls)
        screens: list[Viewport | str] = [_viewport(text) for text in self.viewports]
        screens += self.devices
        return variants(
            list(dict.fromkeys(urls)),
            list(dict.fromkeys(screens)) or [Viewport(1280, 720)],
            list(dict.fromkeys(self.color_schemes)) or [""],
        )


@attrs.frozen(kw_only=True)
class Settings:
    """The section."""

    folder: Path | None = None
    """Where the pictures are, each job's in a folder below; relative to the file of the
    configuration. Default: ``shots``, beside that file."""
    keep: int = whole_field(30)
    """How many of each picture are kept, where a page says nothing else; 0: all."""
    keep_for: float = duration_field("0s")
    """How long one is kept, where a page says nothing else; 0: for good."""
    page: tuple[PageShots, ...] = ()
