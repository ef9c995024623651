"""How much memory a browser takes, as the kernel tells, or as much of it as it tells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import trio

from muxd.browser.footprint import process_memory, tree_memory

ENGINE = "headless-shell"

PAGE = os.sysconf("SC_PAGE_SIZE")


def process(folder, *, pss=None, resident=1000, shared=400):
    folder.mkdir()
    if pss is not None:
        text = f"00-ff ---p 0 00:00 0 [rollup]\nRss: 9999 kB\nPss:      {pss} kB\nPss_Dirty: 7 kB\n"
        (folder / "smaps_rollup").write_text(text)
    (folder / "statm").write_text(f"5000 {resident} {shared} 1 0 300 0\n")
    return folder


def test_it_is_the_share_of_each_process(tmp_path):
    """Pages that processes share are counted once in all: PSS."""
    assert process_memory(process(tmp_path / "7", pss=1234)) == 1234 * 1024


def test_where_that_is_hidden_it_is_what_is_its_own(tmp_path, monkeypatch):
    """Chromium's renderers in their sandbox, as any user but root sees them."""
    assert process_memory(process(tmp_path / "7")) == 600 * PAGE

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    hidden = process(tmp_path / "8", pss=1234)
    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    assert process_memory(hidden) == 600 * PAGE


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_both_ways_come_to_about_the_same():
    """For a process that shares little: this one."""
    own = process_memory(Path(f"/proc/{os.getpid()}"))
    rss = psutil.Process().memory_info().rss
    assert 0.2 * rss < own <= rss * 1.01


def test_a_browser_that_is_gone_takes_nothing():
    """None, no error."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert tree_memory(ended.pid) is None


def test_the_driver_and_all_helpers_count(browse):
    """More than the main process alone, and more with a page open."""

    async def test(life, site):
        new = await trio.to_thread.run_sync(tree_memory, life.pid)
        alone = process_memory(Path(f"/proc/{life.pid}"))
        driver = psutil.Process(life.pid).ppid()
        assert psutil.Process(driver).ppid() == os.getpid()
        assert new > alone + 20_000_000  # the driver's node alone is more
        async with life.lease("main") as lease:
            await lease.page.goto(site.url)
            await lease.page.evaluate(
                "() => {window.kept = new Uint8Array(6e7).map((_, i) => i % 251)}"
            )
            large = await trio.to_thread.run_sync(tree_memory, life.pid)
        assert large > new + 20_000_000

    browse(test)
