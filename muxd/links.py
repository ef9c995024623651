"""What leads to a page of a plugin."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["PageLink"]

LONGEST_TITLE, LONGEST_PATH = 40, 200
"""Characters."""


def _title(_link: object, _field: attrs.Attribute[str], title: Any) -> None:
    if not isinstance(title, str):
        raise TypeError(f"the title of a page is a text, not {title!r}")
    if not title.strip() or not title.isprintable() or len(title) > LONGEST_TITLE:
        raise ValueError(
            f"{title!r} can't be the title of a page: give a word or two, "
            f"at most {LONGEST_TITLE} characters"
        )


def _path(_link: object, _field: attrs.Attribute[str], path: Any) -> None:
    if not isinstance(path, str):
        raise TypeError(f"the path of a page is a text, not {path!r}")
    plain = path.isascii() and path.isprintable() and not set(path) & set(" \\\"'<>")
    if not path.startswith("/") or path.startswith("//") or not plain or len(path) > LONGEST_PATH:
        raise ValueError(
            f"{path!r} can't be the path of a page: it is one on this host, as /prices"
        )


@attrs.frozen
class PageLink:
    """Leads to a page of a service's, in the navigation of the dashboard."""

    title: str = attrs.field(validator=_title)
    """What people call it: a word or two."""
    path: str = attrs.field(validator=_path)
    """Where it is: ``/prices``. Those that begin with it and a slash count as part of it."""

    def leads_to(self, path: str) -> bool:
        """Whether this path is the page's, or that of a page below it."""
        return path == self.path or path.startswith(f"{self.path.rstrip('/')}/")
