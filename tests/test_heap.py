"""Memory that a run has used goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest
import trio
import trio.testing

from muxd.heap import trim_in_lulls
from muxd.lulls import Lulls

PROGRAM = """
import json, psutil
from muxd.heap import give_back_large_blocks
give_back_large_blocks()
kept = []
before = psutil.Process().memory_info().rss
for _ in range(3):
    text = json.dumps("x" * 20_000_000).encode().decode()
    lines = text.split("y")
    kept += [bytes(3000) for _ in range(50)]
    del text, lines
print((psutil.Process().memory_info().rss - before) // 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_large_blocks_are_given_back():
    """A huge result, error or page leaves nothing of its size behind once it is freed."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) <= 2


HOLES = """
import psutil
from muxd.heap import trim_heap
blocks = [bytes(3000) for _ in range(20_000)]
last = bytes(3000)
grown = psutil.Process().memory_info().rss
del blocks
trim_heap()
print((grown - psutil.Process().memory_info().rss) // 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is glibc's")
def test_what_is_free_below_something_that_lives_is_given_back():
    """A run that took 60 MB in small pieces leaves nothing of that, whatever was allocated after."""
    done = subprocess.run(
        [sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) >= 50


async def test_it_is_trimmed_after_runs_and_once_a_minute_at_most(autojump_clock):
    """Not while something is due, not without a run, and not after each of many."""
    free, trimmed = 0.0, []
    lulls = Lulls(lambda: free)

    async def rest(seconds=1.0):
        lulls.news()
        await trio.testing.wait_all_tasks_blocked(0.01)
        await trio.sleep(seconds)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trim_in_lulls, lulls, lambda: trimmed.append(1))
        await trio.sleep(100)
        await rest()
        assert trimmed == []
        free = 5.0
        for _ in range(50):
            await rest()
        assert len(trimmed) == 1
        await trio.sleep(1000)
        assert len(trimmed) == 1
        await rest()
        assert len(trimmed) == 2
        nursery.cancel_scope.cancel()
