"""One search for the browser, in a stated order, and a message that says what to do."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from muxd.browser.find import find_browser, install_browser
from muxd.browser.launch import LaunchPlan
from muxd.engine import Engine
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


def own(tmp_path, name="chromium"):
    listing = Path(str(files("playwright"))) / "driver" / "package" / "browsers.json"
    (revision,) = [
        browser["revision"]
        for browser in json.loads(listing.read_text())["browsers"]
        if browser["name"].replace("-", "_") == name
    ]
    folder = tmp_path / "own" / f"{name}-{revision}"
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


@pytest.mark.parametrize(
    ("engine", "folder", "program_name"),
    [
        ("chromium", "chromium", "chromium"),
        ("headless-shell", "chromium_headless_shell", "chromium-headless-shell"),
        ("chrome", None, "google-chrome"),
        ("firefox", "firefox", None),
        ("webkit", "webkit", None),
    ],
)
def test_each_engine_is_found_where_it_can_be(tmp_path, nowhere, engine, folder, program_name):
    """Playwright's own and the system's are those of the engine; none stands in for another."""
    for name in ("chromium", "chromium-headless-shell", "google-chrome", "firefox"):
        if name != program_name and engine != "chromium":
            program(tmp_path / "bin" / name)
    with pytest.raises(BrowserNotFound, match="muxd browser install"):
        find_browser(engine=engine, environ=nowhere)
    if program_name:
        found = find_browser(
            engine=engine,
            environ=nowhere | {"PATH": str(program(tmp_path / "more" / program_name).parent)},
        )
        assert (found.engine, found.path) == (engine, tmp_path / "more" / program_name)
    for each in ("chromium", "chromium_headless_shell", "firefox", "webkit"):
        if each != folder:
            own(tmp_path, each)
    with pytest.raises(BrowserNotFound, match="muxd browser install"):
        find_browser(engine=engine, environ=nowhere)
    if folder:
        own(tmp_path, folder)
        found = find_browser(engine=engine, environ=nowhere)
        assert (found.engine, found.path) == (engine, None)
        assert folder in found.source


def test_an_engine_that_is_not_there_says_which(nowhere):
    """The message names the engine that was asked for, and its own remedies."""
    with pytest.raises(BrowserNotFound, match="no browser for engine = 'firefox'") as missing:
        find_browser(engine="firefox", environ=nowhere)
    assert "packages" not in str(missing.value)  # the system's Firefox can't be driven


def test_playwrights_own_chromium_is_no_headless_shell(tmp_path, nowhere):
    """Without its channel Playwright would take the headless shell for it."""

    def options(engine):
        found = find_browser(engine=engine, environ=nowhere)
        return LaunchPlan(found=found, profile=tmp_path / "profile").options()

    own(tmp_path)
    own(tmp_path, "chromium_headless_shell")
    assert options("chromium")["channel"] == "chromium"
    assert "channel" not in options("headless-shell")


@pytest.mark.parametrize("engine", ["firefox", "webkit"])
def test_other_engines_get_no_flags_of_chromiums(tmp_path, engine):
    """Firefox and WebKit are given what the user says, and nothing that only Chromium knows."""
    found = find_browser(program(tmp_path / engine), engine=engine)
    options = LaunchPlan(found=found, profile=tmp_path / "profile", args=("-safe-mode",)).options()
    assert options["args"] == ["-safe-mode"]
    assert "chromium_sandbox" not in options
    assert "channel" not in options


def test_a_headless_shell_has_no_window(tmp_path):
    """To ask for one is a mistake, and the message says which key to change."""
    found = find_browser(program(tmp_path / "shell"), engine="headless-shell")
    with pytest.raises(ConfigError, match=r"browser\.headed: .*engine = \"chromium\""):
        LaunchPlan(found=found, profile=tmp_path / "profile", headed=True)


def test_the_right_browser_is_installed(tmp_path, nowhere, monkeypatch):
    """Playwright is asked for the configured engine, Debian for its package."""
    asked = tmp_path / "asked"
    for name in ("python", "apt-get"):
        program(tmp_path / "bin" / name).write_text(
            f'#!/bin/sh\necho "$@" >> {asked}\n[ {name} = apt-get ]\n'
        )
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    for engine in Engine:
        with pytest.raises(BrowserNotFound, match="could be downloaded"):
            install_browser(lambda line: None, engine=engine, environ=nowhere)
    assert asked.read_text().splitlines() == [
        "-m playwright install chromium",
        "update -q",
        "install -qy chromium",
        "-m playwright install chromium-headless-shell",
        "update -q",
        "install -qy chromium-headless-shell",
        "-m playwright install chrome",
        "-m playwright install firefox",
        "-m playwright install webkit",
    ]
