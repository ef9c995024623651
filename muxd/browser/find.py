"""Which browser muxd uses: one search for the daemon, the commands and the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from muxd.errors import BrowserNotFound, ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FoundBrowser", "find_browser", "install_browser"]

_ON_PATH = (
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "chromium",
    "chromium-browser",
    "microsoft-edge-stable",
)
_ON_MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_REMEDY = (
    "get one with `muxd browser install`, install Chrome or Chromium with your system's packages, "
    "or name one by MUXD_BROWSER=/path/to/chrome or in muxd.toml: [browser] path"
)


@attrs.frozen(kw_only=True)
class FoundBrowser:
    """A browser that can be launched."""

    path: Path | None
    """The executable; None: Playwright's own, which Playwright finds by itself."""
    source: str
    """Where it was found, for people."""


def find_browser(
    configured: Path | None = None,
    *,
    configured_by: str = "[browser] path",
    environ: Mapping[str, str] = os.environ,
) -> FoundBrowser:
    """The first of: the configured one, MUXD_BROWSER, Playwright's own, one of the system.

    Reads the file system only; launches nothing.

    Args:
      configured: an executable that must be used, if not None.
      configured_by: what named it, for the message.
      environ: where MUXD_BROWSER, PLAYWRIGHT_BROWSERS_PATH and PATH are looked up.

    Raises:
      ConfigError: the configured one is not an executable file.
      BrowserNotFound: there is none; the message says what to do.
    """
    if configured is not None:
        return _given(configured, configured_by)
    if named := environ.get("MUXD_BROWSER"):
        return _given(Path(named), "MUXD_BROWSER")
    if own := _playwrights_own(environ):
        return FoundBrowser(path=None, source=f"Playwright's own ({own})")
    for name in _ON_PATH:
        if found := shutil.which(name, path=environ.get("PATH")):
            return FoundBrowser(path=Path(found), source=f"the system's {name}")
    for place in _ON_MAC:
        if os.access(place, os.X_OK):
            return FoundBrowser(path=Path(place), source="the system's")
    raise BrowserNotFound(f"there is no browser on this machine: {_REMEDY}")


def _given(path: Path, source: str) -> FoundBrowser:
    if not path.is_file() or not os.access(path, os.X_OK):
        raise ConfigError(
            ConfigProblem(
                source,
                "",
                f"{str(path)!r} is not an executable file: give the path of Chrome or Chromium",
            )
        )
    return FoundBrowser(path=path, source=source)


def _playwrights_own(environ: Mapping[str, str]) -> Path | None:
    """Where `playwright install chromium` puts what a headless launch needs, if it is there."""
    listing = Path(str(files("playwright"))) / "driver" / "package" / "browsers.json"
    try:
        browsers = json.loads(listing.read_text())["browsers"]
    except (OSError, ValueError, KeyError):
        return None
    revisions = {browser["name"]: browser["revision"] for browser in browsers}
    home = _registry(environ, listing.parent)
    for name in ("chromium-headless-shell", "chromium"):
        folder = home / f"{name.replace('-', '_')}-{revisions.get(name)}"
        if (folder / "INSTALLATION_COMPLETE").exists():
            return folder
    return None


def _registry(environ: Mapping[str, str], package: Path) -> Path:
    given = environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if given == "0":
        return package / ".local-browsers"
    if given:
        return Path(given)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ms-playwright"
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "ms-playwright"


def install_browser(
    say: Callable[[str], None], *, environ: Mapping[str, str] = os.environ
) -> FoundBrowser:
    """Get a browser: Playwright's own, else on Debian as root the package ``chromium``.

    Blocks for as long as the download takes; its progress goes to this process's output.

    Args:
      say: is told each step in one line.

    Raises:
      BrowserNotFound: neither way gave a browser; the message says what to do by hand.
    """
    say("Getting Playwright's own Chromium: playwright install chromium")
    done = subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode == 0 and _playwrights_own(environ):
        return find_browser(environ={k: v for k, v in environ.items() if k != "MUXD_BROWSER"})
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("That failed. Getting the system's: apt-get install chromium")
        quiet = dict(environ) | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "chromium"]):
            subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, check=False)
        if found := shutil.which("chromium", path=environ.get("PATH")):
            return FoundBrowser(path=Path(found), source="the system's chromium")
    raise BrowserNotFound(
        "no browser could be downloaded: "
        + (
            "ask an administrator for `apt-get install chromium` (or Google Chrome), "
            if shutil.which("apt-get")
            else "install Chrome or Chromium with your system's packages, "
        )
        + "or name one by MUXD_BROWSER=/path/to/chrome or in muxd.toml: [browser] path"
    )
