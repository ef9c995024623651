"""Playwright's recorder: opened for a person, and what it has written."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from muxd.errors import BrowserUnusable, MuxdError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.browser.find import FoundBrowser
    from muxd.config import Config

__all__ = ["Recorded", "has_screen", "recorded"]

MAIN = "main"


@attrs.frozen
class Recorded:
    """What came of it."""

    script: str
    har: Path
    """What the sites have answered, secrets and all; gone when the recording is left."""


def has_screen() -> bool:
    """Whether a window can be shown here."""
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


@contextlib.contextmanager
def recorded(config: Config, url: str, session: str | None) -> Iterator[Recorded]:
    """Open the recorder, and wait until the person has closed its window.

    Args:
      config: what is in force.
      url: where it begins.
      session: whose cookies the window has; None: nobody's.

    Raises:
      BrowserUnusable: there is no screen.
      UserError: the session can't be had, or nothing was recorded.
      MuxdError: the recorder failed; it has said why.
    """
    if not has_screen():
        raise BrowserUnusable(
            "recording needs a screen and there is none: do it on a machine that has one (the job runs "
            "anywhere), by `ssh -X`, or leave --record out and give --url"
        )
    found = _browser(config)
    with tempfile.TemporaryDirectory(prefix="muxd-record-") as name:
        folder = Path(name)
        script, har = folder / "script.py", folder / "network.har"
        command = [sys.executable, "-m", "playwright", "codegen", "--target", "python-async"]
        command += ["--browser", found.engine.playwrights, "--output", str(script)]
        command += ["--save-har", str(har)]
        with _session(config, session, folder) as options:
            done = subprocess.run([*command, *options, url], env=_environ(found), check=False)
        if done.returncode != 0:
            raise MuxdError(f"the recorder failed with code {done.returncode} (see above)")
        try:
            text = script.read_text("utf-8")
        except FileNotFoundError:
            raise UserError("nothing was recorded: the window was closed at once") from None
        yield Recorded(text, har)


def _browser(config: Config) -> FoundBrowser:
    """The configured one, but with a window."""
    from muxd.browser.find import find_browser
    from muxd.cli.browser import found_browser
    from muxd.engine import Engine

    if config.browser.engine is Engine.headless_shell:
        return find_browser(engine=Engine.chromium)
    return found_browser(config)


def _environ(found: FoundBrowser) -> dict[str, str]:
    """Where its browser is: the recorder has no option for that."""
    environ = dict(os.environ)
    if found.path is not None:
        environ["PWTEST_CLI_EXECUTABLE_PATH"] = str(found.path)
    return environ


@contextlib.contextmanager
def _session(config: Config, session: str | None, folder: Path) -> Iterator[list[str]]:
    """The options by which the recorder is logged in to it."""
    from muxd.browser.sessions import SessionFiles
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    if session is None:
        yield []
    elif session == MAIN:
        with state.hold("run"):  # its profile is one browser's at a time
            yield ["--user-data-dir", str(state.profile)]
    else:
        known = SessionFiles(state.sessions).load(session)
        if known is None:
            raise UserError(
                f"there is no session {session!r} yet: `muxd login {session} --url URL` makes it"
            )
        file = folder / "session.json"
        file.write_text(json.dumps(known))
        yield ["--load-storage", str(file)]
