"""Memory that a run has used goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
