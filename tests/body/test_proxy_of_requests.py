"""A proxy that Chromium is told of by a flag is that of `run.http`, too."""

from __future__ import annotations

import pytest

from muxd.browser.find import FoundBrowser
from muxd.browser.launch import LaunchPlan
from muxd.engine import Engine

LOOPBACK = "localhost,127.0.0.1,[::1]"


def options(tmp_path, *args, engine=Engine.chromium, **fields):
    found = FoundBrowser(path=None, engine=engine, source="test")
    return LaunchPlan(found=found, profile=tmp_path / "profile", args=args, **fields).options()


@pytest.mark.parametrize(
    ("bypass", "told"),
    [
        ((), LOOPBACK),
        (("--proxy-bypass-list=*.a.example;b.example",), f"{LOOPBACK},*.a.example,b.example"),
    ],
    ids=["without", "with"],
)
def test_playwright_is_told_and_chromium_keeps_its_flags(tmp_path, bypass, told):
    """Chromium's flags stand last, where they count; what it reaches without the proxy stays so."""
    flag = "--proxy-server=socks5://127.0.0.1:1080"
    made = options(tmp_path, flag, *bypass)
    assert made["proxy"] == {"server": "socks5://127.0.0.1:1080", "bypass": told}
    assert made["args"][-2:] == [flag, *(bypass or ("--proxy-bypass-list=",))]


@pytest.mark.parametrize("value", ["http=a:1;https=b:2", "direct://", "a:1,direct://", ""])
def test_what_only_chromium_understands_is_left_to_it(tmp_path, value):
    """A proxy for each scheme, or a list of them."""
    made = options(tmp_path, f"--proxy-server={value}")
    assert "proxy" not in made
    assert made["args"][-1] == f"--proxy-server={value}"


def test_what_a_plugin_says_goes_before(tmp_path):
    """And without a proxy, or in another engine, nothing is added."""
    made = options(tmp_path, "--proxy-server=a:1", proxy="http://b:2")
    assert made["proxy"] == {"server": "http://b:2"}
    assert "proxy" not in options(tmp_path)
    assert "proxy" not in options(tmp_path, "--proxy-server=a:1", engine=Engine.firefox)
