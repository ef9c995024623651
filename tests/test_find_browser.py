"""One search for the browser, in a stated order, and a message that says what to do."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from muxd.browser.find import find_browser
from muxd.browser.launch import LaunchPlan
from muxd.errors import BrowserNotFound, ConfigError


def program(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nowhere(tmp_path):
    """An environment without any browser."""
    return {"PATH": str(tmp_path / "bin"), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "own")}


def own(tmp_path):
    listing = Path(str(files("playwright"))) / "driver" / "package" / "browsers.json"
    (revision,) = [
        browser["revision"]
        for browser in json.loads(listing.read_text())["browsers"]
        if browser["name"] == "chromium"
    ]
    folder = tmp_path / "own" / f"chromium-{revision}"
    folder.mkdir(parents=True)
    (folder / "INSTALLATION_COMPLETE").touch()


def test_the_order(tmp_path, nowhere):
    """Configured before MUXD_BROWSER, before Playwright's own, before the system's."""
    system = program(tmp_path / "bin" / "chromium")
    assert find_browser(environ=nowhere).path == system
    own(tmp_path)
    assert find_browser(environ=nowhere).path is None
    named = program(tmp_path / "named")
    nowhere["MUXD_BROWSER"] = str(named)
    assert find_browser(environ=nowhere).path == named
    configured = program(tmp_path / "configured")
    assert find_browser(configured, environ=nowhere).path == configured


def test_none_says_what_to_do(nowhere):
    """Without any browser the message names the command, the packages and the setting."""
    with pytest.raises(BrowserNotFound) as missing:
        find_browser(environ=nowhere)
    for remedy in ("muxd browser install", "MUXD_BROWSER", "[browser] path"):
        assert remedy in str(missing.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "not executable"])
def test_a_configured_one_that_cannot_be_used_is_refused(tmp_path, nowhere, kind):
    """What the user named is used or refused, never passed over for another."""
    program(tmp_path / "bin" / "chromium")
    path = tmp_path / "mine"
    if kind == "folder":
        path.mkdir()
    elif kind == "not executable":
        path.write_text("")
    with pytest.raises(ConfigError, match="not an executable file"):
        find_browser(path, environ=nowhere)


def plan(tmp_path, *args, **fields):
    found = find_browser(program(tmp_path / "chrome"))
    return LaunchPlan(found=found, profile=tmp_path / "profile", args=args, **fields)


def test_features_are_merged(tmp_path):
    """Chromium heeds only the last --disable-features: it has Playwright's, ours and the user's."""
    options = plan(tmp_path, "--disable-features=Mine,MediaRouter", "--lang=de").options()
    (switch,) = [flag for flag in options["args"] if flag.startswith("--disable-features=")]
    names = switch.partition("=")[2].split(",")
    assert {"MediaRouter", "PaintHolding", "WebUIOmniboxPopup", "Mine"} <= set(names)
    assert len(names) == len(set(names))
    assert "--lang=de" in options["args"]


def test_the_sandbox_is_off_for_root_alone(tmp_path, monkeypatch):
    """For a non-root user the sandbox is on, and --no-sandbox in the configuration is refused."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert plan(tmp_path).options()["chromium_sandbox"] is True
    with pytest.raises(ConfigError, match="--no-sandbox is refused"):
        plan(tmp_path, "--no-sandbox")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert plan(tmp_path).options()["chromium_sandbox"] is False


def test_the_profile_is_not_the_users_to_choose(tmp_path):
    """--user-data-dir among the arguments would take the profile away from under muxd."""
    with pytest.raises(ConfigError, match="--state-dir"):
        plan(tmp_path, "--user-data-dir=/elsewhere")
