"""What runs leave on the disk is gone while nothing else is to be done."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial

import pytest
import trio

from muxd.bridge import bridged
from muxd.browser import generation, litter
from tests.variants import nightly

ENGINE = "headless-shell"

NO_HANDLE_LEFT = """
import os, resource, sys
from pathlib import Path
import trio
from muxd.browser.litter import sweep

async def main():
    await trio.to_thread.run_sync(int)  # what trio and Python need for it is open
    await sweep(Path("none"), [], within=20)
    # The lowest number that is free: with that limit nothing more can be opened.
    free = os.open("/", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
    await sweep(Path(sys.argv[1]), [], within=20)

trio.run(main)
"""


def files(life):
    """All that is in Playwright's folder, by name."""
    folder = life._profile.with_name("tmp")
    return sorted(p.name for p in folder.glob("playwright-artifacts-*/**/*") if p.is_file())


@bridged
async def work(page, url):
    """Go somewhere, and download something."""
    await page.goto(url)
    await page.set_content("<a download=a href='data:text/x,a'>a</a>")
    async with page.expect_download() as download:
        await page.click("a")
    assert await (await download.value).path()


@pytest.mark.parametrize("session", [nightly("main"), "fresh"])
def test_traces_and_downloads_leave_nothing(browse, session, monkeypatch):
    """However many runs were traced, with pictures or without, the next page's own trace is all."""
    monkeypatch.setattr(generation, "SWEEP_BOUND", 20.0)

    async def test(life, site):
        for pictures in (False, True, False):
            assert await life.prepare(session, trace=True)
            async with life.lease(session) as lease:
                await life.trace(lease, pictures=pictures)
                await work(lease.page, site.url)
            assert files(life)  # Playwright keeps them
        assert await life.prepare(session, trace=True)
        [name] = life._shelf.traces
        with trio.fail_after(20):  # Playwright writes them when it comes to it
            while len(files(life)) < 2:  # noqa: ASYNC110 - files of another process
                await trio.sleep(0.01)
        assert files(life) == [f"{name}.network", f"{name}.trace"]

    browse(test)


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
def test_a_sweep_without_a_handle_left_harms_nobody(tmp_path):
    """Where no folder can be listed all stays as it is, and the daemon goes on."""
    left = tmp_path / "playwright-artifacts-x" / "left"
    left.parent.mkdir()
    left.touch()
    command = [sys.executable, "-c", NO_HANDLE_LEFT, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert left.exists()


class HangingDisk:
    """On which nothing in this folder is removed before `answer` is set."""

    def __init__(self, folder, monkeypatch):
        self.asked, self.answer, self.done = (threading.Event() for _ in range(3))
        unlink, remove = os.unlink, litter._remove

        def hang(path, **options):
            if os.path.dirname(path) == str(folder):
                self.asked.set()
                assert self.answer.wait(30)
            unlink(path, **options)

        def tell(*args):
            remove(*args)
            self.done.set()

        monkeypatch.setattr(os, "unlink", hang)
        monkeypatch.setattr(litter, "_remove", tell)


@pytest.mark.parametrize("why", ["too slow", "cancelled"])
async def test_a_sweep_that_is_given_up_removes_nothing_more(
    tmp_path, monkeypatch, mock_clock, why
):
    """What its thread comes to later may be the next run's: only what was begun is ended."""
    folder = tmp_path / "playwright-artifacts-x"
    folder.mkdir()
    for name in "abc":
        (folder / name).touch()
    disk = HangingDisk(folder, monkeypatch)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(litter.sweep, tmp_path, [], within=20))
            await trio.to_thread.run_sync(disk.asked.wait, 20)
            if why == "too slow":
                mock_clock.jump(21)
            else:
                nursery.cancel_scope.cancel()
        assert disk.asked.is_set()
        disk.answer.set()
        await trio.to_thread.run_sync(disk.done.wait, 20)
    assert len(list(folder.iterdir())) == 2
