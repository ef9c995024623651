"""Real daemons for the fault matrix, and what tests of them ask again and again."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

import psutil

from tests.e2e.conftest import Muxd, alive

__all__ = ["HONEST", "Muxd", "age", "alive", "chromium", "lives_on", "waits"]

HONEST = """
import muxd

@muxd.job(interval="60d", duration="5s", timeout="30s")
async def honest(run):
    await run.page.set_content("<h1>honest</h1>")
    return await run.page.inner_text("h1")
"""
WAITS = """
import trio
import muxd

@muxd.job(interval="60d", duration="5s", timeout="50s")
async def {name}(run):
    open({mark!r}, "w").close()
    await trio.sleep({seconds})
    return "done"
"""


def waits(home, name="slow", seconds=40):
    """Write a job that waits; returns the file that is there once a run of it has begun."""
    mark = home.folder / f"{name}.begun"
    home.write(name, WAITS.format(name=name, mark=str(mark), seconds=seconds))
    return mark


def lives_on(home):
    """A run that is asked for now is ok."""
    record = home.json("run", "honest")
    assert (record["outcome"], record["result"]) == ("ok", "honest"), record
    return record


def age(condition, within, what):
    """Seconds until it is so; bounded."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + within, what
        time.sleep(0.05)  # other processes give no event to wait for
    return time.monotonic() - began


def chromium():
    """The browser that the system has."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return Path(path)
    from muxd.browser.find import find_browser

    found = find_browser().path
    assert found is not None
    return found


def end_tree(process):
    """Kill a process and all below it."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()
