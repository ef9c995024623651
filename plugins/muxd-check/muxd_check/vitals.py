"""Core Web Vitals of the pages that a run opens, measured in the pages themselves."""

from __future__ import annotations

import json
import math
import secrets
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, final

import trio
from playwright.async_api import Error as BrowserError

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["NAMES", "TIMES", "Vitals"]

TIMES = ("lcp", "inp", "fcp", "ttfb", "load")
"""Seconds here, milliseconds in pages."""
NAMES = {
    "lcp": "LCP",
    "cls": "CLS",
    "inp": "INP",
    "fcp": "FCP",
    "ttfb": "TTFB",
    "load": "loading",
}
"""What people call them."""
DOCUMENTS = 100
"""How many documents of a run are measured, at most."""
SETTLE_BOUND = 2.0
"""How long the wait for figures may take, seconds."""
_NEXT_FRAME = """() => new Promise(
    done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))
)"""


@final
class Vitals:
    """What the documents of the run's page have told of themselves; of each measure the worst counts."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, Any]] = {}

    async def measure(self, page: Page) -> None:
        """Have each document of the page measured from now on."""
        name = f"muxd_{secrets.token_hex(8)}"
        script = files(__package__).joinpath("vitals.js").read_text("utf-8")
        await page.expose_binding(name, self._told)
        await page.add_init_script(f"({script.strip()})({json.dumps(name)})")

    def _told(self, _source: object, told: object) -> None:
        """Any script of the page may call this: nothing but figures is taken from it."""
        if not isinstance(told, dict) or not isinstance(id_ := told.get("id"), str):
            return
        if id_ not in self._documents and len(self._documents) >= DOCUMENTS:
            return
        found: dict[str, Any] = {"url": str(told.get("url"))[:500]}
        for name in NAMES:
            value = told.get(name)
            if isinstance(value, (int, float)) and math.isfinite(value) and value >= 0:
                found[name] = value / 1000 if name in TIMES else float(value)
        self._documents[id_[:40]] = found

    async def settle(self, page: Page, *, opened: bool = False) -> None:
        """Wait until the page has shown what came of the last step, so that its figures are there.

        Bounded; never raises for what the page does.

        Args:
          page: the run's.
          opened: it has another document now, which is to tell when its largest part was shown.
        """
        with trio.move_on_after(SETTLE_BOUND), suppress(BrowserError):
            await page.evaluate(_NEXT_FRAME)
            while opened and "lcp" not in next(reversed(self._documents.values()), {}):
                await page.evaluate(_NEXT_FRAME)

    def worst(self, name: str) -> tuple[float, str] | None:
        """The largest value of a measure, and the address; None: there is none."""
        found = [(each[name], each["url"]) for each in self._documents.values() if name in each]
        return max(found, default=None)

    def documents(self) -> list[dict[str, Any]]:
        """All of them, for JSON."""
        return list(self._documents.values())
