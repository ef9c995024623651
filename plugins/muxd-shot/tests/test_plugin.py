"""What muxd-shot wants of the browser."""

from __future__ import annotations

import tomllib

import pytest
from muxd_shot.plugin import STEADY, ShotPlugin

import muxd
from muxd.abc import LaunchOptions


@pytest.mark.parametrize(
    ("text", "engine", "args"),
    [
        ('[[page]]\nname = "home"\nurl = "https://www.example.org/"\n', "chromium", STEADY),
        ('[[page]]\nname = "home"\nurl = "https://www.example.org/"\n', "firefox", None),
        ("", "chromium", None),
    ],
)
def test_the_browser_draws_the_same_on_every_machine(text, engine, args):
    """Colours and fonts are steady where pictures are taken; who takes none has the browser as it is."""
    plugin = ShotPlugin()
    section = muxd.Section("shot", tomllib.loads(text))
    wanted = plugin.muxd_launch_options(LaunchOptions(engine=engine), section)
    assert (wanted and wanted.args) == args
