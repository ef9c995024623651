"""``muxd doctor``, as far as it goes without a browser."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(autouse=True)
def nowhere(place, monkeypatch):
    """There is no browser."""
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(place))
    return place


def test_no_browser_is_an_error_with_a_remedy(muxd):
    """One line says what is wrong, one what to do; exit code 1; the same as JSON."""
    told = muxd("doctor")
    assert told.exit_code == 1
    assert told.stdout.splitlines()[0] == "error   browser: there is no browser on this machine"
    assert "`muxd browser install`" in told.stdout.splitlines()[1]
    (check,) = json.loads(muxd("doctor", "--json").stdout)["checks"]
    assert (check["name"], check["level"]) == ("browser", "error")
    assert "muxd browser install" in check["remedy"]


def test_a_configured_browser_that_is_none_is_an_error(muxd, write):
    """It is named with where it was configured."""
    write("muxd.toml", "[browser]\npath = 'chrome'\n")
    told = muxd("doctor")
    assert told.exit_code == 1
    assert "muxd.toml" in told.stdout
    assert "not an executable file" in told.stdout


def test_a_headless_shell_with_a_window_is_an_error(muxd, write, nowhere):
    """The mistake in the configuration is found before anything is launched."""
    (nowhere / "chromium-headless-shell").write_text("#!/bin/sh\n")
    (nowhere / "chromium-headless-shell").chmod(0o755)
    write("muxd.toml", "[browser]\nengine = 'headless-shell'\nheaded = true\n")
    told = muxd("doctor")
    assert told.exit_code == 1
    assert 'engine = "chromium"' in told.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["https://a.example"], "add --measure"),
        (["--block", "image"], "add --measure"),
        (["--measure", "a.example"], "no URL"),
        (["--measure", "--block", "images"], "did you mean 'image'"),
        (["--measure", "--rounds", "0"], "--rounds"),
        (["--engine", "opera"], "headless-shell"),
    ],
)
def test_what_can_not_be_meant_is_refused(muxd, args, said):
    """Exit code 2, and what to give instead."""
    refused = muxd("doctor", *args)
    assert refused.exit_code == 2
    assert said in refused.stderr
