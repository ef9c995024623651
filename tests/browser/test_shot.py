"""Drawings rendered by a real browser."""

from __future__ import annotations

import os
import struct
import tempfile
import time
from pathlib import Path

import psutil
import pytest
import trio

import muxd
from muxd.browser.find import FoundBrowser, find_browser
from muxd.browser.shot import shoot
from muxd.errors import BrowserLost

DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="120">'
    '<rect width="300" height="120" fill="#4e79a7"/></svg>'
)


@pytest.fixture
def nothing_left(tmp_path, monkeypatch):
    """No process and no file is left by what is done."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    began = time.time()
    yield
    assert os.listdir(tmp_path) == []
    # One that an earlier test left may become a child of this process only now.
    children = psutil.Process().children(recursive=True)
    assert [child for child in children if child.create_time() > began] == []


def size(png):
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def within_a_minute(test):
    async def bounded():
        with trio.fail_after(60):
            await test()

    muxd.run(bounded)


def test_a_drawing_becomes_a_png_of_its_size(nothing_left):
    """As many pixels as the drawing has, times the scale."""

    async def test():
        assert size(await shoot(DRAWING, find_browser())) == (600, 240)
        assert size(await shoot(DRAWING, find_browser(), scale=1)) == (300, 120)

    within_a_minute(test)


def test_what_is_no_browser_is_an_error(nothing_left):
    """A program that isn't a browser is told from one, in words."""

    async def test():
        with pytest.raises(BrowserLost, match="did not draw the picture"):
            await shoot(DRAWING, FoundBrowser(path=Path("/bin/false"), source="here"))

    within_a_minute(test)


def test_cancelling_leaves_nothing(nothing_left):
    """Cancelled on the way, whenever it is, the browser and its profile are gone."""

    async def test():
        for seconds in (0.6, 0.9, 1.2):
            with trio.move_on_after(seconds) as scope:
                await shoot(DRAWING, find_browser())
                await trio.sleep_forever()
            assert scope.cancelled_caught

    within_a_minute(test)
