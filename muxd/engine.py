"""Which browser: its engine, and what muxd can do with it."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Engine"]


class Engine(StrEnum):
    """The browsers that muxd can drive."""

    chromium = "chromium"
    """Chromium, or whatever of its kind the system has."""
    headless_shell = "headless-shell"
    """Chromium without all that draws a window: it starts sooner and takes less."""
    chrome = "chrome"
    """Google Chrome."""
    firefox = "firefox"
    webkit = "webkit"

    @property
    def is_chromium(self) -> bool:
        """Whether it can be asked in Chromium's own protocol (CDP)."""
        return self not in (Engine.firefox, Engine.webkit)

    @property
    def playwrights(self) -> str:
        """Playwright's name for the kind of browser: an attribute of its `Playwright`."""
        return "chromium" if self.is_chromium else self.value
