"""Which browser muxd uses: one search for the daemon, the commands and the tests."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from muxd.engine import Engine
from muxd.errors import BrowserNotFound, ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FoundBrowser", "find_browser", "install_browser"]

_ON_PATH = {
    Engine.chromium: (
        "google-chrome-stable",
        "google-chrome",
        "chrome",
        "chromium",
        "chromium-browser",
        "microsoft-edge-stable",
    ),
    Engine.headless_shell: ("chromium-headless-shell", "chrome-headless-shell"),
    Engine.chrome: ("google-chrome-stable", "google-chrome", "chrome"),
}
"""The names of the system's. Of Firefox and WebKit only Playwright's own can be driven."""
_CHROME_ON_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_ON_MAC = {
    Engine.chromium: (_CHROME_ON_MAC, "/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Engine.chrome: (_CHROME_ON_MAC,),
}
_OWN = {
    Engine.chromium: "chromium",
    Engine.headless_shell: "chromium-headless-shell",
    Engine.firefox: "firefox",
    Engine.webkit: "webkit",
}
"""Playwright's names of its own; of Chrome it has none, and installs the system's."""
_DEBIANS = {
    Engine.chromium: "chromium",
    Engine.headless_shell: "chromium-headless-shell",
}
"""Debian's packages, each with a program of the same name."""
_SAID = {
    Engine.chromium: "Chrome or Chromium",
    Engine.headless_shell: "a headless shell of Chromium",
    Engine.chrome: "Google Chrome",
    Engine.firefox: "Playwright's own Firefox",
    Engine.webkit: "Playwright's own WebKit",
}


@attrs.frozen(kw_only=True)
class FoundBrowser:
    """A browser that can be launched."""

    path: Path | None
    """The executable; None: Playwright's own, which Playwright finds by itself."""
    source: str
    """Where it was found, for people."""
    engine: Engine = Engine.chromium
    """The kind of browser that it is, or is said to be."""


def find_browser(
    configured: Path | None = None,
    *,
    engine: Engine | str = Engine.chromium,
    configured_by: str = "[browser] path",
    environ: Mapping[str, str] = os.environ,
) -> FoundBrowser:
    """The first of: the configured one, MUXD_BROWSER, Playwright's own, one of the system.

    Reads the file system only; launches nothing.

    Args:
      configured: an executable that must be used, if not None.
      engine: the kind of browser: ``chromium``, ``headless-shell``, ``chrome``, ``firefox`` or
        ``webkit``. What is configured, and MUXD_BROWSER, is taken to be of that kind.
      configured_by: what named it, for the message.
      environ: where MUXD_BROWSER, PLAYWRIGHT_BROWSERS_PATH and PATH are looked up.

    Raises:
      ConfigError: the configured one is not an executable file.
      BrowserNotFound: there is none; the message says what to do.
    """
    engine = Engine(engine)
    if configured is not None:
        return _given(configured, configured_by, engine)
    if named := environ.get("MUXD_BROWSER"):
        return _given(Path(named), "MUXD_BROWSER", engine)
    if own := _playwrights_own(engine, environ):
        return FoundBrowser(path=None, source=f"Playwright's own ({own})", engine=engine)
    for name in _ON_PATH.get(engine, ()):
        if found := shutil.which(name, path=environ.get("PATH")):
            return FoundBrowser(path=Path(found), source=f"the system's {name}", engine=engine)
    for place in _ON_MAC.get(engine, ()):
        if os.access(place, os.X_OK):
            return FoundBrowser(path=Path(place), source="the system's", engine=engine)
    raise BrowserNotFound(f"there is no {_wanted(engine)} on this machine: {_remedy(engine)}")


def _wanted(engine: Engine) -> str:
    return "browser" if engine is Engine.chromium else f"browser for engine = {engine.value!r}"


def _remedy(engine: Engine) -> str:
    packages = (
        f"install {_SAID[engine]} with your system's packages, " if engine in _ON_PATH else ""
    )
    return (
        f"get one with `muxd browser install`, {packages}"
        f"or name one by MUXD_BROWSER=/path/to/{engine.value} or in muxd.toml: [browser] path"
    )


def _given(path: Path, source: str, engine: Engine) -> FoundBrowser:
    if not path.is_file() or not os.access(path, os.X_OK):
        raise ConfigError(
            ConfigProblem(
                source,
                "browser.path",
                f"{str(path)!r} is not an executable file: give the path of {_SAID[engine]}",
            )
        )
    return FoundBrowser(path=path, source=source, engine=engine)


def _playwrights_own(engine: Engine, environ: Mapping[str, str]) -> Path | None:
    """Where `playwright install` puts this browser, if it is there."""
    if engine not in _OWN:
        return None
    name = _OWN[engine]
    listing = Path(str(files("playwright"))) / "driver" / "package" / "browsers.json"
    try:
        browsers = json.loads(listing.read_text())["browsers"]
    except (OSError, ValueError, KeyError):
        return None
    home = _registry(environ, listing.parent)
    for browser in browsers:
        if browser["name"] == name:
            folder: Path = home / f"{name.replace('-', '_')}-{browser['revision']}"
            return folder if (folder / "INSTALLATION_COMPLETE").exists() else None
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
    say: Callable[[str], None],
    *,
    engine: Engine = Engine.chromium,
    environ: Mapping[str, str] = os.environ,
) -> FoundBrowser:
    """Get a browser: by `playwright install`, else on Debian as root the system's package.

    Blocks for as long as the download takes; its progress goes to this process's output.

    Args:
      say: is told each step in one line.
      engine: the kind of browser.

    Raises:
      BrowserNotFound: neither way gave a browser; the message says what to do by hand.
    """
    name = _OWN.get(engine, engine.value)
    say(f"Getting it from Playwright: playwright install {name}")
    done = subprocess.run(
        [sys.executable, "-m", "playwright", "install", name],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    unnamed = {k: v for k, v in environ.items() if k != "MUXD_BROWSER"}
    with contextlib.suppress(BrowserNotFound):
        if done.returncode == 0:
            return find_browser(engine=engine, environ=unnamed)
    package = _DEBIANS.get(engine)
    debian = package is not None and shutil.which("apt-get")
    if package is not None and debian and os.geteuid() == 0:
        say(f"That failed. Getting the system's: apt-get install {package}")
        quiet = dict(environ) | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", package]):
            subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, check=False)
        if found := shutil.which(package, path=environ.get("PATH")):
            return FoundBrowser(path=Path(found), source=f"the system's {package}", engine=engine)
    by_hand = ""
    if debian:
        other = " (or Google Chrome)" if engine is Engine.chromium else ""
        by_hand = f"ask an administrator for `apt-get install {package}`{other}, "
    elif engine in _ON_PATH:
        by_hand = f"install {_SAID[engine]} with your system's packages, "
    raise BrowserNotFound(
        f"no {_wanted(engine)} could be downloaded: {by_hand}"
        f"or name one by MUXD_BROWSER=/path/to/{engine.value} or in muxd.toml: [browser] path"
    )
